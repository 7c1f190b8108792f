"""The state folder: where it is, who may read it, and what is said when it cannot be used."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from couler_jobs.backends.local.home import default_root, open_home, sentence
from couler_jobs.errors import ConfigError


def test_the_variable_chooses_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COULER_JOBS_HOME", str(tmp_path / "mine"))
    assert open_home().root == tmp_path / "mine"


def test_else_it_is_in_the_users_state_folder(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("COULER_JOBS_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_root() == tmp_path / "couler-jobs"


@pytest.mark.parametrize("before", [None, 0o755])
def test_it_is_closed_to_others(tmp_path: Path, before: int | None) -> None:
    root = tmp_path / "home"
    if before is not None:
        root.mkdir()
        root.chmod(before)
    open_home(root)
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_a_file_in_its_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"home cannot be used .*COULER_JOBS_HOME"):
        open_home(tmp_path / "home")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    os.chown(tmp_path / "home", 65534, 65534)
    with pytest.raises(ConfigError, match="belongs to another user"):
        open_home(tmp_path / "home")


@pytest.mark.parametrize(
    ("number", "said"),
    [
        (errno.EROFS, "read-only file system"),
        (errno.EACCES, "Permission denied"),
    ],
)
def test_each_trouble_has_its_sentence(number: int, said: str) -> None:
    text = sentence(OSError(number, os.strerror(number)), Path("/h"))
    assert said in text
    assert "COULER_JOBS_HOME" in text


FULL = """
import subprocess, sys
from pathlib import Path
from couler_jobs.backends.local import kernel
from couler_jobs.backends.local.home import open_home
from couler_jobs.errors import Unavailable
root = Path(sys.argv[1])
root.mkdir()
kernel.private_mounts()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=700", "none", str(root)], check=True)
open_home(root)
try:
    with open(root / "filler", "wb", buffering=0) as file:
        while True:
            file.write(b"x" * 4096)
except OSError:
    pass
try:
    open_home(root)
except Unavailable as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount a small disk")
def test_a_full_disk_is_named(tmp_path: Path) -> None:
    answer = subprocess.run(
        [sys.executable, "-c", FULL, str(tmp_path / "disk")],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"The disk that holds {tmp_path / 'disk'} is full" in answer.stdout
    assert answer.stdout.endswith("free some space and try again.\n")
