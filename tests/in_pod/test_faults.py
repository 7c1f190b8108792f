"""Runs that meet a fault: killed, frozen, stopped, without room."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from tests.in_pod.running import finish, markdown, request_for, run, start, wait_for

FOREVER = "import time\nopen('there', 'w').write('yes')\nwhile True: time.sleep(0.1)"
STUBBORN = """
import signal, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
sleeper = "import os, time; os.setsid(); print(os.getpid(), flush=True); time.sleep(600)"
child = subprocess.Popen([sys.executable, "-c", sleeper], stdout=subprocess.PIPE, text=True)
pid = child.stdout.readline()
open("there", "w").write(pid)
while True:
    try: time.sleep(0.1)
    except KeyboardInterrupt: print("no")
"""


def test_a_killed_kernel_fails_the_run_within_seconds(tmp_path: Path) -> None:
    html = tmp_path / "out" / "r.html"
    cells = ["print('kept')", "import os, signal; os.kill(os.getpid(), signal.SIGKILL)", "1"]
    ran = run(request_for(tmp_path, cells, formats={"html": str(html)}))
    assert (ran.exit_code, ran.result["status"], ran.result["cell"]) == (4, "died", 2)
    assert (
        "The kernel died in cell 2 of 3 (SIGKILL: often the sign of too little memory"
        in (ran.result["message"])
    )
    assert ran.code_cells[0]["outputs"][0]["text"] == ["kept\n"]
    assert ran.code_cells[1]["outputs"][-1]["ename"] == "DeadKernelError"
    assert "DeadKernelError" in html.read_text() or "SIGKILL" in html.read_text()


def test_a_kernel_that_leaves_by_itself_is_a_death(tmp_path: Path) -> None:
    ran = run(request_for(tmp_path, ["import os; os._exit(0)", "1"]))
    assert (ran.exit_code, ran.result["status"]) == (4, "died")
    assert "ended by itself in cell 1 of 2 (exit code 0)" in ran.result["message"]


def test_when_the_cells_process_is_killed_notebook_and_reports_are_still_published(
    tmp_path: Path,
) -> None:
    html = tmp_path / "out" / "r.html"
    cells = ["print('kept')", "import os, signal; os.kill(os.getppid(), signal.SIGKILL)"]
    ran = run(request_for(tmp_path, cells, formats={"html": str(html)}))
    assert (ran.exit_code, ran.result["status"]) == (4, "died")
    assert "ended in cell 2 of 2 by SIGKILL" in ran.result["message"]
    assert ran.code_cells[0]["outputs"][0]["text"] == ["kept\n"]
    assert "kept" in html.read_text()


def test_sigterm_interrupts_the_cell_and_publishes(tmp_path: Path) -> None:
    request = request_for(tmp_path, ["print('kept')", FOREVER, "open('later', 'w')"])
    process = start(request)
    wait_for(tmp_path / "there")
    process.send_signal(signal.SIGTERM)
    ran = finish(process, request)
    assert (ran.exit_code, ran.result["status"]) == (143, "stopped")
    assert ran.result["message"] == "Stopped by SIGTERM in cell 2 of 3."
    assert ran.code_cells[0]["outputs"][0]["text"] == ["kept\n"]
    assert ran.code_cells[1]["outputs"][-1]["ename"] == "KeyboardInterrupt"
    assert not (tmp_path / "later").exists()


def test_a_cell_that_survives_the_interrupt_is_the_last(tmp_path: Path) -> None:
    tolerant = f"try:\n    exec({FOREVER!r})\nexcept KeyboardInterrupt: print('done')"
    request = request_for(tmp_path, [tolerant, "print('never')"])
    process = start(request)
    wait_for(tmp_path / "there")
    process.send_signal(signal.SIGTERM)
    ran = finish(process, request)
    assert (ran.exit_code, ran.result["status"]) == (143, "stopped")
    assert ran.code_cells[0]["outputs"][0]["text"] == ["done\n"]
    assert ran.code_cells[1]["outputs"][0]["ename"] == "Stopped"


def test_a_stubborn_kernel_and_its_children_are_killed(tmp_path: Path) -> None:
    request = request_for(tmp_path, ["print('kept')", STUBBORN])
    process = start(request)
    grandchild = int(wait_for(tmp_path / "there"))
    process.send_signal(signal.SIGTERM)
    ran = finish(process, request)
    assert (ran.exit_code, ran.result["status"]) == (143, "stopped")
    assert "The kernel is still there: killing it." in ran.log
    assert ran.code_cells[0]["outputs"][0]["text"] == ["kept\n"]
    assert not psutil.pid_exists(grandchild)
    assert ran.seconds < 20


def test_processes_that_a_notebook_leaves_behind_are_ended(tmp_path: Path) -> None:
    daemon = (
        "import os, time\n"
        "if os.fork() == 0:\n"
        "    os.setsid()\n"
        "    if os.fork() == 0:\n"
        "        open('pid', 'w').write(str(os.getpid()))\n"
        "        os.execvp('sleep', ['sleep', '600'])\n"
        "    os._exit(0)\n"
        "while not os.path.exists('pid'): time.sleep(0.05)"
    )
    ran = run(request_for(tmp_path, [daemon]))
    assert ran.result["status"] == "succeeded"
    assert not psutil.pid_exists(int((tmp_path / "pid").read_text()))


def test_a_frozen_kernel_is_told_of_and_timed_out(tmp_path: Path) -> None:
    cells = ["print('kept')", "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)"]
    ran = run(request_for(tmp_path, cells, timeout=12, stall_after=1))
    assert (ran.exit_code, ran.result["status"]) == (124, "timed out")
    assert "took longer than its 12 s; it was stopped in cell 2 of 2" in ran.result["message"]
    assert "Cell 2 appears stalled" in ran.log
    assert "it is frozen (SIGSTOP)" in ran.log
    assert ran.code_cells[0]["outputs"][0]["text"] == ["kept\n"]


def test_a_long_cell_is_published_meanwhile(tmp_path: Path) -> None:
    request = request_for(tmp_path, ["print('early')\n" + FOREVER], publish_every=0.3)
    process = start(request)
    wait_for(tmp_path / "there")
    deadline = time.monotonic() + 10
    while "early" not in "".join(_texts(request)) and time.monotonic() < deadline:
        time.sleep(0.1)
    meanwhile = _texts(request)
    process.send_signal(signal.SIGINT)
    ran = finish(process, request)
    assert meanwhile == ["early\n"]
    assert (ran.exit_code, ran.result["message"]) == (130, "Stopped by SIGINT in cell 1 of 1.")


def _texts(request: dict[str, object]) -> list[str]:
    notebook = json.loads(Path(str(request["output"])).read_text())
    outputs = notebook["cells"][0]["outputs"]
    return [line for output in outputs for line in output.get("text", [])]


IN_SMALL_DISK = """
disk="$1"; copy="$2"; shift 2
mount -t tmpfs -o size=256k none "$disk" || exit 99
"$@"; code=$?
cp -r "$disk" "$copy"; exit $code
"""


def _can_mount() -> bool:
    if not shutil.which("unshare"):
        return False
    look = ["unshare", "-rm", "mount", "-t", "tmpfs", "none", "/mnt"]
    return subprocess.run(look, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not _can_mount(), reason="needs a mount namespace of its own")
@pytest.mark.parametrize("scratch", [None, "out"])
def test_a_full_disk_keeps_the_last_good_copy_and_says_so(
    tmp_path: Path, scratch: str | None
) -> None:
    out, copy = tmp_path / "out", tmp_path / "copy"
    out.mkdir()
    request = request_for(tmp_path, ["print('kept')", "print('x' * 400_000)", "1"])
    request["scratch"] = scratch and str(out)
    small_disk = ["unshare", "-rm", "sh", "-c", IN_SMALL_DISK, "sh", str(out), str(copy)]
    ran = run(request, prefix=small_disk)
    result = json.loads((copy / "result.json").read_text())
    assert (ran.exit_code, result["status"]) == (5, "unwritten")
    assert result["message"].startswith(f"disk full ({out}/")
    assert "kept" in (copy / "in.ipynb").read_text()


BLOCKED = """
import os
while not os.path.isdir("out/in.ipynb"):
    os.remove("out/in.ipynb")
    try:
        os.mkdir("out/in.ipynb")
    except FileExistsError:  # it was published between the two
        pass
os.mkdir("out/r.html")
"""


@pytest.mark.parametrize(
    ("last", "status", "name"),
    [("1 / 0", "failed", "ZeroDivisionError"), ("1", "unwritten", "OSError")],
)
def test_a_place_that_is_blocked_meanwhile_is_named(
    tmp_path: Path, last: str, status: str, name: str
) -> None:
    html = str(tmp_path / "out" / "r.html")
    wait = "import os, time\nwhile not os.path.exists('out/in.ipynb'): time.sleep(0.05)\n"
    ran = run(request_for(tmp_path, [wait + BLOCKED, last], formats={"html": html}))
    assert (ran.result["status"], ran.result["error_name"]) == (status, name)
    assert (
        f"{ran.request['output']} could not be written: Is a directory." in (ran.result["message"])
    )
    assert f"A report is missing: {html} could not be written" in ran.log


def test_a_report_that_cannot_be_made_does_not_fail_the_run(tmp_path: Path) -> None:
    places = {name: str(tmp_path / "out" / f"r.{name}") for name in ("pdf", "markdown")}
    image = "from IPython.display import Image\nImage(data=b'\\x89PNG\\r\\n\\x1a\\n', format='png')"
    no_latex = os.path.dirname(sys.executable)
    ran = run(request_for(tmp_path, [image], formats=places), PATH=no_latex)
    assert (ran.exit_code, ran.result["status"]) == (0, "succeeded")
    assert "The pdf report could not be made" in ran.result["message"]
    assert (tmp_path / "out" / "r_files" / "output_0_0.png").read_bytes().startswith(b"\x89PNG")


def test_a_stop_while_reports_are_made_keeps_what_the_cells_came_to(tmp_path: Path) -> None:
    slow = tmp_path / "bin" / "pandoc"
    slow.parent.mkdir()
    slow.write_text(f"#!/bin/sh\necho yes > '{tmp_path}/there'\nexec sleep 60\n")
    slow.chmod(0o755)
    places = {"rst": str(tmp_path / "out" / "r.rst")}
    request = request_for(tmp_path, ["1", markdown("for pandoc")], formats=places)
    process = start(request, PATH=f"{slow.parent}:{os.environ['PATH']}")
    wait_for(tmp_path / "there")
    process.send_signal(signal.SIGTERM)
    ran = finish(process, request)
    assert (ran.exit_code, ran.result["status"]) == (0, "succeeded")
    assert ran.result["message"] == "The rst report could not be made: it took too long."
    assert ran.seconds < 20


def test_a_kernel_that_does_not_start_says_why(tmp_path: Path) -> None:
    home = tmp_path / "env"
    spec = home / "share" / "jupyter" / "kernels" / "odd"
    spec.mkdir(parents=True)
    argv = [sys.executable, "-c", "raise SystemExit('no such luck')", "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "language": "python"}))
    ran = run(request_for(tmp_path, ["1"], environment=str(home)))
    assert (ran.exit_code, ran.result["status"]) == (4, "died")
    assert "'odd' did not start" in ran.result["message"]
    assert "no such luck" in ran.log
    assert os.path.exists(ran.request["output"])


def lay_silent_kernel(home: Path) -> None:
    """A kernel that never answers."""
    spec = home / "share" / "jupyter" / "kernels" / "silent"
    spec.mkdir(parents=True)
    (home / "silent").write_text(f"#!/bin/sh\necho yes > '{home}/there'\nexec sleep 600\n")
    (home / "silent").chmod(0o755)
    argv = [str(home / "silent"), "{connection_file}"]
    (spec / "kernel.json").write_text(json.dumps({"argv": argv, "language": "python"}))


def test_a_stop_while_the_kernel_starts_publishes_the_notebook_as_it_is(tmp_path: Path) -> None:
    lay_silent_kernel(tmp_path / "env")
    request = request_for(tmp_path, ["1"], environment=str(tmp_path / "env"), grace=0.5)
    process = start(request)
    wait_for(tmp_path / "env" / "there")
    process.send_signal(signal.SIGTERM)
    ran = finish(process, request)
    assert (ran.exit_code, ran.result["message"]) == (143, "Stopped by SIGTERM.")
    assert ran.code_cells[0]["outputs"] == []


def test_an_endless_output_is_cut_in_the_notebook_only(tmp_path: Path) -> None:
    cells = ["for _ in range(12): print('x' * 2**20)\nprint('last')", "print('kept')"]
    ran = run(request_for(tmp_path, cells))
    texts = ["".join(output["text"]) for output in ran.code_cells[0]["outputs"]]
    assert (len(texts[0]), texts[1]) == (10 * 2**20, "[further output is only in the log]\n")
    assert "last" in ran.log[-200:]
    assert ran.code_cells[1]["outputs"][0]["text"] == ["kept\n"]
