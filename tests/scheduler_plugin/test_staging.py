import errno
import os
import shutil
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_plugin import staging
from scheduler_plugin.errors import JobRefused, StagingFailed
from scheduler_plugin.staging import JobFolder, path_under

ROOT = Path("/home/ada/work")


# --- names


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1))
def test_every_name_of_a_notebook_gives_names_that_a_file_system_takes(stem: str) -> None:
    filename = f"{stem}.ipynb"
    name = staging.local_folder(filename, "0123456789abcdef-0123456789abcdef-xyz")

    assert len(name.encode()) <= 255
    assert "/" not in name
    assert "\0" not in name


def test_a_notebooks_long_name_still_ends_in_what_tells_jobs_apart() -> None:
    folder = staging.local_folder("é" * 120 + ".ipynb", "1-2")

    assert folder == "é" * 120 + "-1-2"
    assert staging.local_folder("é" * 200 + ".ipynb", "1-2").endswith("é-1-2")


@pytest.mark.parametrize(
    ("path", "inside"),
    [
        ("n.ipynb", "n.ipynb"),
        ("/n.ipynb", "n.ipynb"),
        ("a/../n.ipynb", "n.ipynb"),
        ("a//b/./n.ipynb", "a/b/n.ipynb"),
        ("O'Brien's \"report\" {{x}} $(id) ;é.ipynb", "O'Brien's \"report\" {{x}} $(id) ;é.ipynb"),
        ("-n.ipynb", "-n.ipynb"),
        ("..n.ipynb", "..n.ipynb"),
        ("~/n.ipynb", "~/n.ipynb"),
    ],
)
def test_a_path_means_a_file_under_the_root(path: str, inside: str) -> None:
    assert path_under(ROOT, path) == ROOT / inside


@pytest.mark.parametrize(
    "path",
    [
        "../n.ipynb",
        "a/../../n.ipynb",
        "../work2/n.ipynb",
        "../../../etc/passwd",
        "n\0.ipynb",
        "\ud800.ipynb",
        "file:///etc/passwd",
        "s3://bucket/n.ipynb",
        "http://example.org/n.ipynb",
        "memory://n.ipynb",
        "..",
    ],
)
def test_a_path_that_leads_out_is_refused(path: str) -> None:
    with pytest.raises(JobRefused):
        path_under(ROOT, path)


@given(st.text())
def test_no_path_leads_out(path: str) -> None:
    try:
        found = path_under(ROOT, path)
    except JobRefused:
        return
    assert ".." not in found.parts
    assert found.is_relative_to(ROOT)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0", "\udcff", "x" * 256, "é" * 128])
def test_what_no_file_can_be_called(name: str) -> None:
    assert not staging.is_file_name(name)


# --- a working folder


@pytest.fixture
def work(tmp_path: Path) -> Path:
    work = tmp_path / "work"
    for name in ("data", ".ipynb_checkpoints"):
        (work / name).mkdir(parents=True)
    for name in ("n.ipynb", "data/-rf *;.csv", "made.txt", ".ipynb_checkpoints/n.ipynb"):
        (work / name).write_text("")
    return work


def test_files_of_a_working_folder_are_listed_without_notebook_and_checkpoints(work: Path) -> None:
    assert staging.packaged_files(work, "n.ipynb") == ("data/-rf *;.csv", "made.txt")


def test_a_hundred_thousand_results_are_listed_up_to_a_bound(
    work: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(staging, "MOST_FILES", 1)

    assert len(staging.packaged_files(work, "n.ipynb")) == 1


def test_a_copy_is_closed_to_others_until_it_is_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "secret").chmod(0o600)
    seen: list[int] = []
    monkeypatch.setattr(
        shutil, "copyfileobj", lambda _, writer, __: seen.append(os.fstat(writer.fileno()).st_mode)
    )

    staging.copy_file(tmp_path / "secret", tmp_path / "copy")
    assert [stat.S_IMODE(mode) for mode in seen] == [0o600]


def test_a_fifo_in_a_files_place_is_an_error_and_no_wait(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")

    with pytest.raises(OSError, match="not a regular file"):
        staging.copy_file(tmp_path / "fifo", tmp_path / "copy")


def test_a_link_in_a_files_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x")
    (tmp_path / "link").symlink_to("secret")

    with pytest.raises(OSError, match="symbolic"):
        staging.copy_file(tmp_path / "link", tmp_path / "copy")


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../../x", "out"])
def test_a_listed_file_that_leads_out_is_not_copied(tmp_path: Path, path: str) -> None:
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "out").symlink_to("/etc/passwd")

    assert staging.inside(tmp_path / "work", tmp_path / "local", [path]) == {}


# --- copying


@pytest.fixture
def staged(tmp_path: Path) -> Path:
    path = tmp_path / "staged"
    path.write_text("new")
    return path


def test_what_was_downloaded_stays_unless_it_is_asked_for_again(
    staged: Path, tmp_path: Path
) -> None:
    local = tmp_path / "jobs" / "x" / "n.ipynb"
    pairs = {staged: local, tmp_path / "missing": tmp_path / "never"}
    staging.publish(pairs, again=False)
    local.write_text("edited")
    staging.publish(pairs, again=False)
    assert local.read_text() == "edited"

    staging.publish(pairs, again=True)
    assert local.read_text() == "new"
    assert os.listdir(local.parent) == ["n.ipynb"]
    assert not (tmp_path / "never").exists()


def test_what_was_downloaded_too_early_is_replaced(staged: Path, tmp_path: Path) -> None:
    local = tmp_path / "n.ipynb"
    staging.publish({staged: local}, again=False)
    staged.write_text("finished")
    later = local.stat().st_mtime + 1
    os.utime(staged, (later, later))
    assert not staging.is_current(staged, local)

    staging.publish({staged: local}, again=False)
    assert local.read_text() == "finished"


def test_a_download_that_fails_says_what_and_where(staged: Path, tmp_path: Path) -> None:
    (tmp_path / "jobs").write_text("a file where the folder should be")

    with pytest.raises(StagingFailed, match=r"'n.ipynb' cannot be downloaded: .*jobs"):
        staging.publish({staged: tmp_path / "jobs" / "n.ipynb"}, again=False)


def test_a_half_written_file_is_never_seen(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "status.json"
    staging.write_durably(path, "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        staging.write_durably(path, "new")
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["status.json"]


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, "Free some space"),
        (errno.EDQUOT, "quota"),
        (errno.EROFS, "staging_path"),
        (errno.EACCES, "staging_path"),
    ],
)
def test_an_error_of_the_file_system_says_what_to_do(number: int, advice: str) -> None:
    error = OSError(number, os.strerror(number))

    with pytest.raises(StagingFailed, match=advice), staging.failing("It failed", Path("/x")):
        raise error


def test_a_jobs_folder_is_closed_to_others_and_goes_completely(tmp_path: Path) -> None:
    folder = JobFolder(tmp_path / "staging" / "1-2")
    folder.create()
    assert folder.root.stat().st_mode & 0o777 == 0o700

    folder.remove()
    folder.remove()
    assert not folder.root.exists()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "staging").write_text("")

    with pytest.raises(StagingFailed, match="cannot be staged"):
        JobFolder(tmp_path / "staging" / "1-2").create()
