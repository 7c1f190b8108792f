"""A scheduler database that SQLite calls malformed is set aside, and an empty one takes its place.

JupyterLab would start without its scheduler otherwise. The file is renamed, never deleted, and only
where SQLite says SQLITE_CORRUPT or SQLITE_NOTADB: a locked or unreadable one is left alone.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import sqlite3
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa
from filelock import FileLock, Timeout
from jupyter_scheduler import orm

from scheduler_plugin.database import Database
from scheduler_plugin.errors import DatabaseUnavailable
from scheduler_plugin.records import NewJob, Records, milliseconds
from scheduler_plugin.status import JobStatus, Outcome, shortened_message

BESIDE = ("-journal", "-wal", "-shm")
"""What SQLite keeps beside a database; a journal that stayed would be played into the next one."""

LOCK_SECONDS = 30.0
"""How long another server that starts may take to do the same."""

BUSY_SECONDS = 5.0
"""How long somebody's write is waited for."""

MALFORMED = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)


def renewed(db_url: str) -> str | None:
    """Set the database aside if it is malformed; the sentence on that, None if it was not needed.

    The new one has its tables, and in its list of jobs a failed one that says the sentence. Safe
    beside other servers that start. Raises DatabaseUnavailable if the file is malformed and could
    not be set aside.
    """
    path = _file(sa.make_url(db_url))
    if path is None or not is_malformed(path):
        return None
    try:
        with FileLock(path.with_name(f".{path.name}.lock"), timeout=LOCK_SECONDS):
            if not is_malformed(path):  # another server did it
                return None
            backup = _replace(path)
    except (Timeout, OSError, NotImplementedError, sa.exc.SQLAlchemyError) as error:
        raise DatabaseUnavailable(
            f"The scheduler's database {path} is malformed and could not be set aside "
            f"({type(error).__name__}): move it away yourself, and start JupyterLab again."
        ) from error
    sentence = _sentence(path, backup)
    with contextlib.suppress(DatabaseUnavailable):  # the server's log says it all the same
        _tell(Records(Database(db_url)), path, sentence)
    return sentence


def is_malformed(path: Path) -> bool:
    """Whether SQLite says so when all of the file is read."""
    url = f"file:{quote(str(path))}?mode=rw"
    try:
        opened = sqlite3.connect(url, BUSY_SECONDS, uri=True, isolation_level=None)
        with contextlib.closing(opened) as on:
            _read_all(on)
    except sqlite3.Error as error:
        return (getattr(error, "sqlite_errorcode", 0) & 0xFF) in MALFORMED
    return False


def set_aside(path: Path) -> Path:
    """Rename a database and what SQLite keeps beside it; the new name, which is dated and free.

    Raises OSError. Two processes do not do this at once.
    """
    backup = _free(path, datetime.now(UTC))
    for end in (*BESIDE, ""):  # the database last: until it went, the next start does this again
        with contextlib.suppress(FileNotFoundError):
            os.rename(f"{path}{end}", f"{backup}{end}")
    return backup


def _replace(path: Path) -> Path:
    """Put an empty database in the place of this one; where that is now.

    It is made elsewhere: another server that starts finds all tables, or makes them by itself.
    """
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)  # a start that was killed left it
    orm.create_tables(sa.URL.create("sqlite", database=str(fresh)))
    backup = set_aside(path)
    os.rename(fresh, path)
    return backup


def _file(url: sa.URL) -> Path | None:
    """The file of a database, where links lead to; None where it is none."""
    database = url.database or ""
    if url.get_backend_name() != "sqlite" or database.startswith((":memory:", "file:")):
        return None
    path = Path(os.path.realpath(database))
    return path if path.is_file() else None


def _read_all(on: sqlite3.Connection) -> None:
    on.execute("BEGIN")  # one state of it, whoever writes meanwhile
    stored = "SELECT tbl_name, CASE type WHEN 'index' THEN name END FROM sqlite_master"
    found = on.execute(f"{stored} WHERE type IN ('table', 'index')").fetchall()
    on.text_factory = bytes
    for table, index in found:
        by = "NOT INDEXED" if index is None else f"INDEXED BY {_quoted(index)}"
        what = "*" if index is None else "count(*)"
        statement = f"SELECT {what} FROM {_quoted(table)} {by}"  # noqa: S608  its own names
        for _ in on.execute(statement):
            pass


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _free(path: Path, now: datetime) -> Path:
    dated = f"{path.name}.malformed-{now:%Y%m%dT%H%M%SZ}"
    names = itertools.chain([dated], (f"{dated}-{number}" for number in itertools.count(2)))
    backups = (path.with_name(name) for name in names)
    ends = ("", *BESIDE)
    return next(one for one in backups if not any(os.path.lexists(f"{one}{end}") for end in ends))


def _sentence(path: Path, backup: Path) -> str:
    return (
        f"The scheduler's database {path} was malformed and is now {backup}, so the jobs and job "
        "definitions of before are not listed here: to get back what can be read of them, stop "
        f"JupyterLab and put in the place of {path.name} what `sqlite3 {backup.name} .recover | "
        "sqlite3 recovered.sqlite` makes, or a backup of your own."
    )


def _tell(records: Records, path: Path, sentence: str) -> None:
    notice = NewJob(
        name="Lost: the jobs of before",
        input_filename=path.name,
        runtime_environment_name="",
        output_formats=(),
    )
    records.add(notice)
    message = shortened_message(sentence)
    failed = Outcome(status=JobStatus.FAILED, message=message, ended_at=milliseconds())
    records.finish(notice.job_id, failed)
