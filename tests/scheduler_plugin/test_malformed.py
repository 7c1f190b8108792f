"""A database that SQLite calls malformed is set aside, and nothing else is."""

from __future__ import annotations

import os
import sqlite3
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from filelock import FileLock
from jupyter_scheduler import orm

from scheduler_plugin import malformed
from scheduler_plugin.database import Database
from scheduler_plugin.errors import DatabaseUnavailable
from scheduler_plugin.malformed import is_malformed, renewed, set_aside
from scheduler_plugin.records import JobsQuery, NewJob, Records
from scheduler_plugin.status import JobStatus

PAGE = 4096
GARBAGE = b"\xa5" * PAGE


@pytest.fixture
def path(db_url: str) -> Path:
    return Path(db_url.removeprefix("sqlite:///"))


@pytest.fixture
def filled(path: Path, records: Records) -> Path:
    """A database whose tables have more than a page."""
    for number in range(30):
        one = NewJob(
            name=f"job {number} " + "x" * 200,
            input_filename="nb.ipynb",
            runtime_environment_name="server",
            output_formats=("ipynb",),
        )
        records.add(one)
    return path


def overwrite(path: Path, page: int = 0) -> bytes:
    """Make it malformed; what it is then."""
    with path.open("r+b") as file:
        file.seek(page * PAGE)
        file.write(GARBAGE)
    return path.read_bytes()


def backups(path: Path) -> list[Path]:
    return sorted(path.parent.glob(f"{path.name}.malformed-*"))


def test_a_malformed_database_is_kept_beside_a_new_one(db_url: str, path: Path) -> None:
    content = overwrite(path)
    said = renewed(db_url)

    (backup,) = backups(path)
    assert backup.read_bytes() == content
    assert said is not None
    assert str(backup) in said
    assert ".recover" in said


def test_the_new_list_of_jobs_says_what_happened(db_url: str, path: Path, records: Records) -> None:
    overwrite(path)
    said = renewed(db_url)

    (notice,) = records.list(JobsQuery()).jobs
    assert (notice.status, notice.status_message) == (JobStatus.FAILED, said)


def test_a_new_database_that_is_locked_does_not_hide_what_happened(
    db_url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    overwrite(path)
    locks: list[sqlite3.Connection] = []
    make = orm.create_tables

    def lock(url: object) -> None:
        make(url)
        fresh = path.with_name(f".{path.name}.new")
        locks.append(sqlite3.connect(fresh, isolation_level=None))
        locks[0].execute("BEGIN IMMEDIATE")

    monkeypatch.setattr(orm, "create_tables", lock)
    said = renewed(db_url)
    locks[0].close()

    assert said is not None


def test_a_sound_database_is_left_alone(db_url: str, filled: Path) -> None:
    before = filled.read_bytes()

    assert renewed(db_url) is None
    assert filled.read_bytes() == before
    assert os.listdir(filled.parent) == [filled.name]


def test_whichever_page_is_overwritten_is_noticed(filled: Path) -> None:
    sound, pages = filled.read_bytes(), filled.stat().st_size // PAGE
    unnoticed = []
    for page in range(pages):
        filled.write_bytes(sound)
        overwrite(filled, page)
        if not is_malformed(filled):
            unnoticed.append(page)

    assert pages > 7
    assert unnoticed == []


def test_a_file_that_is_no_database_is_set_aside(db_url: str, path: Path) -> None:
    path.write_text("no database at all, but a text that somebody may miss " * 100)

    assert renewed(db_url) is not None
    assert backups(path)[0].read_text().startswith("no database")


@pytest.mark.parametrize("content", [None, b""])
def test_a_database_that_is_yet_to_be_made_is_none(
    db_url: str, path: Path, content: bytes | None
) -> None:
    path.unlink()
    if content is not None:
        path.write_bytes(content)

    assert renewed(db_url) is None
    assert backups(path) == []


@pytest.mark.parametrize("how", ["IMMEDIATE", "EXCLUSIVE"])
def test_a_locked_database_is_left_alone(
    how: str, db_url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(malformed, "BUSY_SECONDS", 0.05)
    other = sqlite3.connect(path, isolation_level=None)
    other.execute(f"BEGIN {how}")

    assert renewed(db_url) is None
    other.close()
    assert backups(path) == []


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_an_unreadable_database_is_left_alone(db_url: str, path: Path) -> None:
    overwrite(path)
    path.chmod(0)

    assert renewed(db_url) is None
    assert backups(path) == []


def test_a_folder_in_its_place_is_left_alone(db_url: str, path: Path) -> None:
    path.unlink()
    path.mkdir()

    assert renewed(db_url) is None
    assert not is_malformed(path)


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "postgresql://h/d"])
def test_what_is_no_file_is_left_alone(url: str) -> None:
    assert renewed(url) is None


def test_what_sqlite_keeps_beside_it_goes_along(path: Path) -> None:
    for end in ("-journal", "-wal", "-shm"):
        Path(f"{path}{end}").write_text(end)
    backup = set_aside(path)

    assert not path.exists()
    assert not any(name.startswith(f"{path.name}-") for name in os.listdir(path.parent))
    for end in ("-journal", "-wal", "-shm"):
        assert Path(f"{backup}{end}").read_text() == end


def test_what_a_killed_start_left_is_no_hindrance(db_url: str, path: Path) -> None:
    overwrite(path)
    path.with_name(f".{path.name}.new").write_text("half a database")

    assert renewed(db_url) is not None
    assert Records(Database(db_url)).list(JobsQuery()).total == 1


def test_no_earlier_backup_is_overwritten(path: Path) -> None:
    kept = {}
    for number in range(4):
        path.write_text(f"malformed {number}")
        kept[set_aside(path)] = f"malformed {number}"

    assert len(kept) == 4
    assert {one: one.read_text() for one in kept} == kept


def test_of_servers_that_start_at_once_one_sets_it_aside(db_url: str, path: Path) -> None:
    overwrite(path)
    together = threading.Barrier(8)

    def start() -> str | None:
        together.wait()
        return renewed(db_url)

    with ThreadPoolExecutor(8) as servers:
        said = [one.result() for one in [servers.submit(start) for _ in range(8)]]

    assert sum(one is not None for one in said) == 1
    assert len(backups(path)) == 1


def test_the_file_behind_a_link_is_set_aside_where_it_is(db_url: str, path: Path) -> None:
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    path.rename(elsewhere / "real.sqlite")
    path.symlink_to(elsewhere / "real.sqlite")
    overwrite(path)

    assert renewed(db_url) is not None
    assert path.is_symlink()
    assert len(backups(elsewhere / "real.sqlite")) == 1
    assert Records(Database(db_url)).list(JobsQuery()).total == 1


def test_while_another_server_holds_the_lock_the_file_stays_and_that_is_said(
    db_url: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content = overwrite(path)
    monkeypatch.setattr(malformed, "LOCK_SECONDS", 0.05)
    with (
        FileLock(path.with_name(f".{path.name}.lock")),
        pytest.raises(DatabaseUnavailable, match="move it away"),
    ):
        renewed(db_url)

    assert path.read_bytes() == content
