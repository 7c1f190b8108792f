"""A page of jobs, and the deletion of all of them, with as many records as schedules leave.

    python -m benchmarks.many_jobs [jobs]

The floor of a page is jupyter_scheduler's own: the same query by its ORM classes on the same file.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

from scheduler_plugin.database import Database
from scheduler_plugin.ended_records import EndedRecords, Selection
from scheduler_plugin.records import JobsQuery, Records
from tests.scheduler_plugin.many import add_jobs

PAGE = 25
REPEATS = 7
DEFINITIONS = 20


def median(call: Callable[[], object]) -> float:
    """Seconds, of several calls."""
    seconds = []
    for _ in range(REPEATS):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
    return statistics.median(seconds)


def upstream_page(url: str) -> Callable[[], object]:
    """The page as jupyter_scheduler reads it, up to its rows."""
    from jupyter_scheduler.orm import Job, create_session

    session_of = create_session(url)

    def page() -> object:
        with session_of() as session:
            jobs = session.query(Job)
            total = jobs.count()
            found = jobs.order_by(Job.create_time.desc()).limit(PAGE).offset(0).all()
            return total, found

    return page


def row(number: int) -> dict[str, str]:
    """One job of one of the definitions."""
    return {"job_id": f"{number:036d}", "job_definition_id": f"d-{number % DEFINITIONS}"}


def main() -> int:
    """Measure and print; 1 if a page is slower than jupyter_scheduler's own."""
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from jupyter_scheduler.orm import create_tables
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'scheduler.sqlite'}"
        create_tables(url)
        ids = (
            {"job_id": f"{n:036d}", "job_definition_id": f"d-{n % DEFINITIONS}"}
            for n in range(number)
        )
        add_jobs(url, ids)
        records, ended = Records(Database(url)), EndedRecords(Database(url))
        ours = median(lambda: records.list(JobsQuery(limit=PAGE)))
        theirs = median(upstream_page(url))
        beyond = median(lambda: ended.find(Selection(beyond=100, of_each=True)))
        begin = time.perf_counter()
        removed = ended.remove(ended.find(Selection()))
        seconds = time.perf_counter() - begin
    print(
        f"{number:,} jobs: a page {ours * 1e3:.0f} ms,"
        f" jupyter_scheduler's own {theirs * 1e3:.0f} ms"
    )
    print(f"which are beyond the newest 100 of each definition: {beyond * 1e3:.0f} ms")
    print(f"{removed:,} records removed in {seconds:.1f} s")
    return int(ours > theirs)


if __name__ == "__main__":
    sys.exit(main())
