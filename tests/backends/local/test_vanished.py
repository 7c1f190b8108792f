"""A run whose files are deleted ends by itself: nobody is left who could end it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.home import Home, open_home
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.supervisor import Place, Vanished, run_to_the_end
from couler_jobs.errors import Unavailable
from tests.backends.local.processes import gone, pid_in, soon, supervised
from tests.backends.workflows import sh, workflow


def _home(home: Home, _uid: str) -> None:
    shutil.rmtree(home.root)


def _run(home: Home, uid: str) -> None:
    shutil.rmtree(home.run(uid).root)


def _database(home: Home, _uid: str) -> None:
    home.database.unlink()


def _another(home: Home, _uid: str) -> None:
    home.root.rename(home.root.with_name("moved"))
    home.root.mkdir()
    Store(home.database).close()


@pytest.mark.parametrize("lose", [_home, _run, _database, _another])
def test_the_supervisor_and_its_step_end_when_their_files_are_gone(
    tmp_path: Path, lose: Callable[[Home, str], None]
) -> None:
    backend = LocalBackend(tmp_path / "home")
    backend.submit(workflow(sh("a", f"echo $$$$ > {tmp_path}/pid; exec sleep 100"), name="lost"))
    step = pid_in(tmp_path / "pid")
    run = supervised(Store(backend.home.database), "lost")
    lose(backend.home, run.uid)
    assert soon(lambda: gone(step), 30)
    assert soon(lambda: not (run.supervisor and run.supervisor.alive), 30)
    assert soon(lambda: not (run.guard and run.guard.alive), 30)


def test_a_disk_that_does_not_answer_is_no_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = open_home(tmp_path / "home")
    home.database.touch()
    home.run("u").root.mkdir()
    place = Place.of(home, "u")

    def stat(_path: Path) -> NoReturn:
        raise OSError(errno.EIO, "the disk does not answer")

    monkeypatch.setattr(Path, "stat", stat)
    place.check()
    monkeypatch.undo()
    home.run("u").root.rmdir()
    with pytest.raises(Vanished):
        place.check()


def test_a_supervisor_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    assert run_to_the_end(tmp_path, "uid") == 0
    assert list(tmp_path.iterdir()) == []


def test_a_database_whose_folder_is_gone_is_not_waited_for(tmp_path: Path) -> None:
    store = Store(tmp_path / "home.sqlite", patience=600)
    store.close()
    with pytest.raises(Unavailable, match="could not be used"):
        Store(tmp_path / "none" / "runs.sqlite", patience=600)
