"""The scheduler of a home without a server around it, configured by the same files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import sqlalchemy as sa
from jupyter_core.application import JupyterApp
from jupyter_scheduler import orm
from jupyter_scheduler.extension import SchedulerApp

from scheduler_plugin.environments import CondaEnvironments
from scheduler_plugin.errors import DatabaseUnavailable
from scheduler_plugin.scheduler import ArgoScheduler

CONFIGS = ("jupyter_server_config", "jupyter_lab_config", "jupyter_jupyter_scheduler_config")
"""The files that a server of JupyterLab reads, the strongest last."""


def open_scheduler() -> ArgoScheduler:
    """The scheduler of this user's home; it makes no tables, and adds columns that they lack.

    Raises DatabaseUnavailable where there is no database.
    """
    config = _config()
    db_url = SchedulerApp(config=config).db_url
    _check_exists(sa.make_url(db_url))
    _bring_up_to_date(db_url)
    return ArgoScheduler(
        root_dir=config.get("ServerApp", {}).get("root_dir") or ".",
        environments_manager=CondaEnvironments(),
        db_url=db_url,
        config=config,
    )


def _check_exists(url: sa.URL) -> None:
    if url.get_backend_name() == "sqlite" and not Path(url.database or "").exists():
        raise DatabaseUnavailable(
            f"There is no scheduler database {url.database}: JupyterLab makes it when it is "
            "started, where c.SchedulerApp.db_url says."
        )


def _bring_up_to_date(db_url: str) -> None:
    """What a server does when it starts: an older jupyter_scheduler may have made the tables."""
    engine = sa.create_engine(db_url)
    try:
        orm.update_db_schema(engine, orm.Base)
    except sa.exc.SQLAlchemyError as error:
        raise DatabaseUnavailable(
            "The tables of the scheduler's database cannot be brought up to date "
            f"({type(error).__name__}): close what writes to it, and try again."
        ) from error
    finally:
        engine.dispose()


def _config() -> Any:
    app = JupyterApp()
    app.raise_config_file_errors = True
    for name in CONFIGS:
        app.config_file_name = name
        app.load_config_file()
    return app.config
