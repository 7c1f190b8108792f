import sqlite3
import threading
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa

from scheduler_plugin.database import Database, Patience
from scheduler_plugin.errors import DatabaseUnavailable, JobRefused

ROWS = sa.table("rows", sa.column("value"))
ADD = sa.insert(ROWS).values(value=1)
SHORT = Patience(attempt=0.02, total=0.2)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a b?#%é.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute("create table rows (value integer)")
    connection.close()
    return path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")
        connection.close()


def database(path: Path, patience: Patience = SHORT) -> Database:
    return Database(sa.URL.create("sqlite", database=str(path)).render_as_string(), patience)


def count(path: Path) -> int:
    return len(database(path).read(sa.select(ROWS.c.value)))


def test_a_write_is_committed(path: Path) -> None:
    database(path).write(lambda on: on.execute(ADD))

    assert count(path) == 1


def test_an_error_inside_rolls_everything_back(path: Path) -> None:
    def half(on: sa.Connection) -> None:
        on.execute(ADD)
        raise KeyError("x")

    with pytest.raises(KeyError):
        database(path).write(half)
    assert count(path) == 0


def test_a_write_waits_for_a_lock_that_is_held_for_a_while(path: Path) -> None:
    patient = database(path, Patience(attempt=0.05, total=20))
    held = locked(path)
    held.__enter__()
    writer = threading.Thread(target=lambda: patient.write(lambda on: on.execute(ADD)))
    writer.start()
    time.sleep(0.5)
    held.__exit__(None, None, None)
    writer.join(20)

    assert count(path) == 1


def test_a_lock_that_stays_is_said_in_a_sentence(path: Path) -> None:
    with locked(path), pytest.raises(DatabaseUnavailable, match=r"could not be used for 0\.2 s"):
        database(path).write(lambda on: on.execute(ADD))


def test_a_statements_values_are_in_no_traceback(path: Path) -> None:
    statement = sa.insert(sa.table("others", sa.column("value"))).values(value="canary")

    with pytest.raises(DatabaseUnavailable) as caught:
        database(path).write(lambda on: on.execute(statement))
    assert "canary" not in "".join(traceback.format_exception(caught.value))


def test_a_text_that_is_no_unicode_is_refused(path: Path) -> None:
    with pytest.raises(JobRefused, match="half of a character"):
        database(path).read(sa.select(ROWS).where(ROWS.c.value == "\ud800"))


def test_reading_goes_on_while_somebody_writes(path: Path) -> None:
    with locked(path):
        assert count(path) == 0


def test_a_missing_file_is_not_replaced_by_an_empty_database(tmp_path: Path) -> None:
    missing = tmp_path / "missing.sqlite"

    with pytest.raises(DatabaseUnavailable):
        count(missing)
    assert not missing.exists()


def test_a_file_that_was_replaced_is_opened_anew(path: Path, tmp_path: Path) -> None:
    one = database(path)
    one.write(lambda on: on.execute(ADD))
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("create table rows (value integer)")
    connection.close()

    assert one.read(sa.select(ROWS.c.value)) == []


def test_a_statement_that_is_wrong_is_not_tried_again(path: Path) -> None:
    others = sa.select(sa.table("others", sa.column("value")))

    with pytest.raises(DatabaseUnavailable, match="no such table"):
        database(path, Patience(attempt=1, total=60)).read(others)


def test_a_read_that_becomes_a_write_waits_for_its_turn(path: Path) -> None:
    patient = database(path, Patience(attempt=5, total=20))

    def raise_by_one(on: sa.Connection) -> None:
        before = on.execute(sa.select(sa.func.count()).select_from(ROWS)).scalar_one()
        on.execute(sa.insert(ROWS).values(value=before))

    writers = [threading.Thread(target=lambda: patient.write(raise_by_one)) for _ in range(8)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join(20)
    values = [row["value"] for row in patient.read(sa.select(ROWS.c.value))]
    assert sorted(values) == list(range(8))


def test_the_journal_mode_is_left_alone(path: Path) -> None:
    database(path).write(lambda on: on.execute(ADD))

    with sqlite3.connect(path) as connection:
        mode = connection.execute("pragma journal_mode").fetchone()
    connection.close()
    assert mode == ("delete",)
