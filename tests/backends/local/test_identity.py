"""A process is told from a later one that has its number."""

from __future__ import annotations

import dataclasses
import os
import subprocess

from couler_jobs.backends.local import identity


def test_this_process_is_alive_and_itself() -> None:
    assert identity.own().alive
    assert identity.own() == identity.identify(os.getpid())


def test_a_process_that_has_the_number_only_is_another_one() -> None:
    own = identity.own()
    assert not dataclasses.replace(own, started=own.started + 1).alive
    assert not dataclasses.replace(own, boot="another").alive
    assert not dataclasses.replace(own, boot="another").of_this_boot


def test_a_zombie_does_not_live() -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitid(os.P_PID, child, os.WEXITED | os.WNOWAIT)
    assert identity.identify(child) is None
    assert identity.parent(child) == os.getpid()
    os.waitpid(child, 0)
    assert identity.parent(child) is None


def test_a_name_with_brackets_and_blanks_confuses_nobody(tmp_path: object) -> None:
    program = f"{tmp_path}/a) R (b"
    os.symlink("/bin/sleep", program)
    with subprocess.Popen([program, "60"]) as child:
        assert identity.parent(child.pid) == os.getpid()
        child.kill()
