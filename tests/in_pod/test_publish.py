from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from couler_jobs.in_pod import publish


def test_writing_replaces_the_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a"
    path.write_bytes(b"longer than new")
    publish.write(path, b"new")
    assert path.read_bytes() == b"new"


def test_copying_leaves_nothing_beside(tmp_path: Path) -> None:
    (tmp_path / "from").write_bytes(b"data")
    publish.copy(tmp_path / "from", tmp_path / "to")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["from", "to"]


def test_the_longest_name_can_be_written(tmp_path: Path) -> None:
    path = tmp_path / ("é" * 127 + "x")
    publish.write(path, b"1")
    assert path.read_bytes() == b"1"


def test_what_a_killed_attempt_left_is_taken_over(tmp_path: Path) -> None:
    publish._part(tmp_path / "a").write_bytes(b"half of some")
    publish.write(tmp_path / "a", b"1")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_link_in_the_place_of_the_part_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "victim").write_bytes(b"kept")
    publish._part(tmp_path / "a").symlink_to(tmp_path / "victim")
    with pytest.raises(publish.NotPublished):
        publish.write(tmp_path / "a", b"1")
    assert (tmp_path / "victim").read_bytes() == b"kept"


@pytest.mark.parametrize("call", ["open", "fsync", "replace"])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_failure_at_any_call_keeps_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    def fails(*_: object, **__: object) -> int:
        raise OSError(number, os.strerror(number))

    path = tmp_path / "a"
    path.write_bytes(b"old")
    with monkeypatch.context() as patched:
        patched.setattr(f"couler_jobs.in_pod.publish.os.{call}", fails)
        with pytest.raises(publish.NotPublished) as caught:
            publish.write(path, b"new")
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"]
    full = number in publish.FULL
    assert ("disk full" in str(caught.value), str(path) in str(caught.value)) == (full, True)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(publish.NotPublished, match="none/a could not be written: No such file"):
        publish.write(tmp_path / "none" / "a", b"")


def test_free_space_of_a_folder_that_is_gone_counts_as_none(tmp_path: Path) -> None:
    error = OSError(errno.ENOSPC, "full")
    assert publish.why(error, tmp_path / "none" / "a").endswith(", 0 bytes free)")
