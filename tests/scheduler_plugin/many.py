"""Many rows of ended jobs, as a schedule leaves them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from scheduler_plugin.records import JOBS


def add_jobs(db_url: str, rows: Iterable[dict[str, Any]]) -> None:
    """Add rows; what they do not say is that of a completed one-off job, one minute a job."""
    filled = [
        {
            "name": "nb",
            "input_filename": "nb.ipynb",
            "runtime_environment_name": "server",
            "status": "COMPLETED",
            "output_formats": '["ipynb"]',
            "job_definition_id": None,
            "create_time": number * 60_000,
            "start_time": number * 60_000,
            "update_time": number * 60_000,
            "end_time": number * 60_000 + 1000,
            **row,
        }
        for number, row in enumerate(rows)
    ]
    engine = sa.create_engine(db_url)
    with engine.begin() as connection:
        connection.execute(sa.insert(JOBS), filled)
    engine.dispose()
