"""What of a notebook's folder goes with it."""

import os
import socket
from pathlib import Path

import pytest

from scheduler_plugin import folders
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.folders import IGNORE_FILE, Item, Limits, survey


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    (folder / "data" / "empty").mkdir(parents=True)
    (folder / "n.ipynb").write_text("{}")
    (folder / "data" / "-rf *;.csv").write_text("1,2")
    (folder / "__pycache__").mkdir()
    (folder / "__pycache__" / "x.pyc").write_text("")
    return folder


def paths(items: tuple[Item, ...]) -> set[str]:
    return {str(item.path) for item in items}


def stage(folder: Path, work: Path, limits: Limits | None = None) -> None:
    work.mkdir()
    folders.stage_folder(folder, survey(folder, limits or Limits()), work)


def test_a_folder_is_copied_with_empty_folders_and_without_caches(
    folder: Path, tmp_path: Path
) -> None:
    stage(folder, tmp_path / "work")

    assert {str(p.relative_to(tmp_path / "work")) for p in (tmp_path / "work").rglob("*")} == {
        "n.ipynb",
        "data",
        "data/empty",
        "data/-rf *;.csv",
    }


def test_permissions_travel(folder: Path, tmp_path: Path) -> None:
    (folder / "tool.sh").write_text("#!/bin/sh")
    (folder / "tool.sh").chmod(0o555)
    stage(folder, tmp_path / "work")

    assert (tmp_path / "work" / "tool.sh").stat().st_mode & 0o777 == 0o755


def test_the_places_where_jobs_lie_are_left_out(folder: Path) -> None:
    (folder / "jobs").mkdir()
    (folder / "jobs" / "big").write_text("x")

    assert "jobs/big" not in paths(survey(folder, Limits(), [(folder / "jobs").resolve()]))


def test_links_inside_stay_links_and_circles_end(folder: Path, tmp_path: Path) -> None:
    (folder / "data" / "up").symlink_to("..")
    (folder / "copy").symlink_to(folder / "data" / "-rf *;.csv")
    (folder / "lost").symlink_to("nothing")
    (folder / "round").symlink_to("round")
    stage(folder, tmp_path / "work")

    work = tmp_path / "work"
    assert (work / "copy").resolve() == work.resolve() / "data" / "-rf *;.csv"
    assert (work / "data" / "up").resolve() == work.resolve()
    assert not os.path.lexists(work / "lost")
    assert not os.path.lexists(work / "round")


def test_a_link_that_leads_out_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "project2").mkdir()
    (folder / "other").symlink_to(tmp_path / "project2")

    with pytest.raises(JobRefused, match=r"'other' .* leads out of the folder"):
        survey(folder, Limits())


def test_fifos_and_sockets_are_left_out(folder: Path) -> None:
    os.mkfifo(folder / "fifo")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket"))

    assert not paths(survey(folder, Limits())) & {"fifo", "socket"}


@pytest.mark.parametrize("limits", [Limits(size=2), Limits(files=3)])
def test_a_folder_that_is_too_big_is_refused_with_the_limits(folder: Path, limits: Limits) -> None:
    with pytest.raises(JobRefused, match="more than"):
        survey(folder, limits)


def test_an_unreadable_file_is_refused_by_name(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, _: not str(path).endswith(".csv"))

    with pytest.raises(JobRefused, match=r"'data/-rf \*;.csv'"):
        survey(folder, Limits())


def test_a_folder_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(JobRefused, match="'nowhere' cannot be read"):
        survey(tmp_path / "nowhere", Limits())


def test_a_file_that_vanishes_meanwhile_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there, listed = paths(survey(folder, Limits())), Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda one: [*listed(one), one / "gone.tmp"])

    assert paths(survey(folder, Limits())) == there


def test_an_item_is_relative_to_its_folder(folder: Path) -> None:
    assert all(not item.path.is_absolute() for item in survey(folder, Limits()))


# --- the folder's own ignore file


@pytest.mark.parametrize(
    ("lines", "left"),
    [
        ("", {".jobignore", "n.ipynb", "data", "data/empty", "data/-rf *;.csv"}),
        ("# a comment\n\n*.csv", {".jobignore", "n.ipynb", "data", "data/empty"}),
        ("data/", {".jobignore", "n.ipynb"}),
        ("/data/*\n!/data/*.csv", {".jobignore", "n.ipynb", "data", "data/-rf *;.csv"}),
        ("empty/\nn.ipynb/\n.*", {"n.ipynb", "data", "data/-rf *;.csv"}),
        ("data/\n!data/-rf *", {".jobignore", "n.ipynb"}),  # its folder is left out: as in git
    ],
)
def test_what_the_folders_ignore_file_names_stays_behind(
    folder: Path, lines: str, left: set[str]
) -> None:
    (folder / IGNORE_FILE).write_text(lines)

    assert paths(survey(folder, Limits())) == left


def test_the_operators_patterns_hold_whatever_the_ignore_file_says(folder: Path) -> None:
    (folder / IGNORE_FILE).write_text("!__pycache__/")

    assert not any("__pycache__" in path for path in paths(survey(folder, Limits())))


def test_what_is_ignored_counts_for_no_limit_and_is_not_looked_at(folder: Path) -> None:
    (folder / "secret").symlink_to("/etc")
    (folder / IGNORE_FILE).write_text("secret\ndata\n")

    assert paths(survey(folder, Limits(files=2))) == {IGNORE_FILE, "n.ipynb"}


@pytest.mark.parametrize(
    ("content", "why"), [(b"*.csv\n!\n", "Invalid git pattern"), (b"\xff", "can't decode byte")]
)
def test_an_ignore_file_that_cannot_be_used_is_refused(
    folder: Path, content: bytes, why: str
) -> None:
    (folder / IGNORE_FILE).write_bytes(content)

    with pytest.raises(JobRefused, match=rf"\.jobignore beside .* \(.*{why}.*\): correct it"):
        survey(folder, Limits())
