"""One step as a process: its surroundings, its end, and what it leaves."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local import memory, private
from couler_jobs.backends.local.home import RunFolder
from couler_jobs.backends.local.memory import KILLED
from couler_jobs.backends.local.process import (
    RESULT_LIMIT,
    NotNow,
    Step,
    clean_environment,
    start,
)
from couler_jobs.backends.local.programs import NeverRan
from couler_jobs.backends.local.step_folder import step_folder
from couler_jobs.backends.local.values import Ended, InputFile, Launch, OutputFile

Run = Callable[..., Ended]


@pytest.fixture
def folder(tmp_path: Path) -> RunFolder:
    return RunFolder(tmp_path / "run")


@pytest.fixture
def run(folder: RunFolder) -> Run:
    """Runs a line of shell to its end."""

    def run(text: str, **fields: Any) -> Ended:
        return finished(begin(folder, ("sh", "-c", text), **fields))

    return run


def begin(folder: RunFolder, command: tuple[str, ...], node: str = "n", **fields: Any) -> Step:
    launch = Launch(node=node, template="t", command=command, **fields)
    environ = clean_environment(os.environ)
    return start(launch, step_folder(folder, node), "uid/n", environ)


def finished(step: Step, seconds: float = 20) -> Ended:
    deadline = time.monotonic() + seconds
    watched = [step.pidfd] + ([] if step.stdout is None else [step.stdout])
    while True:
        ready = select.select(watched, [], [], deadline - time.monotonic())[0]
        if step.pidfd in ready:
            return step.finish()
        assert ready, "the step has not ended"
        if not step.read():
            watched = [step.pidfd]


def log_of(folder: RunFolder, node: str = "n") -> str:
    return step_folder(folder, node).log.read_text(encoding="utf-8")


# --- how it ends


@pytest.mark.parametrize("wants_result", [False, True])
def test_a_process_that_cannot_be_watched_is_ended_and_tried_again(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch, wants_result: bool
) -> None:
    def full(pid: int) -> int:
        pids.append(pid)
        raise OSError(errno.EMFILE, "Too many open files")

    pids: list[int] = []
    before = len(os.listdir("/proc/self/fd"))
    monkeypatch.setattr(os, "pidfd_open", full)
    with pytest.raises(NotNow, match="Too many open files"):
        begin(folder, ("sleep", "600"), wants_result=wants_result)
    assert not Path(f"/proc/{pids[0]}").exists()
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_pipe_for_reports_that_cannot_be_had_is_waited_for(
    folder: RunFolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_flags: int) -> None:
        raise OSError(errno.EMFILE, "Too many open files")

    monkeypatch.setattr(os, "pipe2", full)
    with pytest.raises(NotNow, match="Too many open files"):
        begin(folder, ("sleep", "600"), daemon=True)


@pytest.mark.parametrize(
    ("text", "code"), [("true", 0), ("exit 7", 7), ("kill -9 $$", 137), ("kill -15 $$", 143)]
)
def test_the_exit_code_is_the_processs_own_or_128_and_the_signal(
    run: Run, text: str, code: int
) -> None:
    assert run(text).exit_code == code


@pytest.mark.parametrize(
    ("program", "why"),
    [
        ("/no/such/command", "stat /no/such/command: no such file or directory"),
        ("no-such-command", "executable file not found in $PATH"),
    ],
)
def test_a_command_that_is_not_found_has_argos_code_and_words(
    folder: RunFolder, program: str, why: str
) -> None:
    with pytest.raises(NeverRan) as caught:
        begin(folder, (program,))
    assert caught.value.exit_code == 64
    assert str(caught.value) == f'failed to find name in PATH: exec: "{program}": {why}'


def test_a_file_that_is_no_program_is_refused_by_its_name(
    folder: RunFolder, tmp_path: Path
) -> None:
    text = tmp_path / "text"
    text.write_text("", encoding="utf-8")
    with pytest.raises(NeverRan, match=f"fork/exec {text}: permission denied"):
        begin(folder, (str(text),))


def test_a_command_line_beyond_the_machines_limit_says_so(folder: RunFolder) -> None:
    with pytest.raises(NeverRan, match="longer than this machine takes"):
        begin(folder, ("echo", "x" * 3_000_000))


def test_a_nul_in_an_argument_says_so(folder: RunFolder) -> None:
    with pytest.raises(NeverRan, match="null byte"):
        begin(folder, ("echo", "a\0b"))


def test_too_many_open_files_are_waited_for(folder: RunFolder) -> None:
    import resource

    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(int(name) for name in os.listdir("/proc/self/fd"))
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, before[1]))
    gaps = []
    try:
        with contextlib.suppress(OSError):
            while True:
                gaps.append(os.open("/dev/null", os.O_RDONLY))
        with pytest.raises(NotNow):
            begin(folder, ("true",))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in gaps:
            os.close(descriptor)


def test_one_that_is_asked_to_end_gets_sigterm(folder: RunFolder) -> None:
    step = begin(folder, ("sleep", "60"))
    step.ask_to_end(time.time())
    assert finished(step).exit_code == 128 + signal.SIGTERM


def test_asking_twice_does_not_prolong_the_grace(folder: RunFolder) -> None:
    step = begin(folder, ("sleep", "60"), grace=5)
    step.ask_to_end(100.0)
    step.ask_to_end(103.0)
    assert step.kill_at == 105.0
    finished(step)


def test_what_ignores_sigterm_is_killed(folder: RunFolder) -> None:
    step = begin(folder, ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 0.05; done"))
    while "ready" not in log_of(folder):
        time.sleep(0.01)
    step.ask_to_end(time.time())
    step.end_now()
    assert finished(step).exit_code == 137


def test_its_background_processes_end_with_it(run: Run, tmp_path: Path) -> None:
    marker = tmp_path / "pid"
    run(f"sleep 60 & echo $! > {marker}")
    pid = int(marker.read_text(encoding="utf-8"))
    deadline = time.monotonic() + 5
    while Path(f"/proc/{pid}/cmdline").exists() and Path(f"/proc/{pid}/cmdline").read_bytes():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_killed_step_is_said_to_be_killed(run: Run) -> None:
    assert run("kill -9 $$").error == KILLED


def test_a_step_that_was_told_to_end_needs_no_explanation(folder: RunFolder) -> None:
    step = begin(folder, ("sleep", "60"))
    step.ask_to_end(0)
    step.end_now()
    ended = finished(step)
    assert ended.exit_code in (137, 143)
    assert ended.error == ""


@pytest.mark.parametrize(
    ("events", "limit", "said"),
    [
        ("oom 0\noom_kill 0\n", "max\n", "often the memory"),
        ("oom 1\noom_kill 1\n", "max\n", "by the kernel, because memory ran out."),
        ("oom 1\noom_kill 1\n", "1048576\n", "memory ran out (limit: 1048576 bytes)."),
    ],
)
def test_a_step_that_the_kernel_killed_for_memory_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, events: str, limit: str, said: str
) -> None:
    group = tmp_path / "pod" / "box"
    group.mkdir(parents=True)
    (tmp_path / "own").write_text("1:name=x:/other\n0::/pod/box\n", encoding="utf-8")
    (group / "memory.events").write_text(events, encoding="utf-8")
    (group / "memory.max").write_text(limit, encoding="utf-8")
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN", tmp_path / "own")
    assert said in memory.sentence(kills_before=0)


def test_a_machine_without_control_groups_counts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_GROUPS", tmp_path)
    monkeypatch.setattr(memory, "_OWN", tmp_path / "none")
    assert memory.kills() == 0


# --- what surrounds it


def test_it_works_in_a_folder_of_its_own(run: Run, folder: RunFolder) -> None:
    run("pwd; touch kept")
    work = step_folder(folder, "n").work
    assert log_of(folder).strip() == str(work)
    assert (work / "kept").exists()


def test_it_works_where_the_manifest_says(run: Run, folder: RunFolder, tmp_path: Path) -> None:
    run("pwd", working_dir=str(tmp_path / "new" / "folder"))
    assert log_of(folder).strip() == str(tmp_path / "new" / "folder")


def test_a_working_folder_that_cannot_be_made_says_so(folder: RunFolder) -> None:
    with pytest.raises(NeverRan, match="working folder /dev/null/x could not be made"):
        begin(folder, ("true",), working_dir="/dev/null/x")


def test_it_reads_nothing(run: Run, folder: RunFolder) -> None:
    run("cat; echo end")
    assert log_of(folder) == "end\n"


def test_it_is_a_session_of_its_own_and_heeds_a_hang_up(run: Run) -> None:
    assert run("kill -HUP 0").exit_code == 128 + signal.SIGHUP


def test_it_inherits_no_open_file(run: Run, folder: RunFolder, tmp_path: Path) -> None:
    with (tmp_path / "open").open("wb") as file:
        os.set_inheritable(file.fileno(), True)
        run("ls -l /proc/self/fd")
    assert "open" not in log_of(folder).replace(str(step_folder(folder, "n").log), "")


def test_only_what_a_program_needs_is_inherited() -> None:
    environ = {"HOME": "/h", "LC_ALL": "C", "AWS_SECRET": "s", "JUPYTERHUB_X": "s", "PATH": "/b"}
    kept = clean_environment(environ)
    assert kept == {
        "HOME": "/h",
        "LC_ALL": "C",
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}/b",
    }


def test_the_manifests_variables_are_set(run: Run, folder: RunFolder) -> None:
    run('printf "%s" "$GREETING"', env={"GREETING": 'a "b" $c é'})
    assert log_of(folder) == 'a "b" $c é'


@pytest.mark.parametrize("text", ["a b", "'", '"', "$HOME", "`id`", "é 😀", "line\nline", "", "*"])
def test_arguments_arrive_as_they_are(folder: RunFolder, text: str) -> None:
    finished(begin(folder, (sys.executable, "-c", "import sys; print(sys.argv[1])", text)))
    assert log_of(folder) == f"{text}\n"


def test_a_scripts_text_becomes_a_file(folder: RunFolder) -> None:
    finished(begin(folder, (sys.executable,), source="print('é', __file__)"))
    assert log_of(folder) == f"é {step_folder(folder, 'n').root / 'script'}\n"


# --- what it prints


def test_lines_of_both_outputs_keep_their_order(run: Run, folder: RunFolder) -> None:
    run("for n in 1 2 3; do echo out $n; echo err $n >&2; done")
    assert log_of(folder).split("\n")[:4] == ["out 1", "err 1", "out 2", "err 2"]


def test_the_result_is_standard_output_less_one_line_feed(run: Run, folder: RunFolder) -> None:
    assert run("echo one; echo; echo no >&2", wants_result=True).result == "one\n"
    assert "no" in log_of(folder)
    assert "one" in log_of(folder)


def test_the_result_is_the_last_of_a_long_output(run: Run, folder: RunFolder) -> None:
    text = f"{sys.executable} -c \"print('x' * 3_000_000 + 'end')\""
    result = run(text, wants_result=True).result
    assert result == "x" * (RESULT_LIMIT - 3) + "end"
    assert len(log_of(folder)) == 3_000_004


def test_without_being_wanted_there_is_no_result(run: Run) -> None:
    assert run("echo one").result is None


@pytest.mark.parametrize("wanted", [False, True])
def test_a_log_that_grows_too_long_keeps_its_ends(folder: RunFolder, wanted: bool) -> None:
    text = "echo first; for n in 1 2 3 4 5 6 7 8 9; do printf '%01000d\\n' $n; done; echo last"
    step = begin(folder, ("sh", "-c", f"{text}; sleep 60"), wants_result=wanted)
    log = step_folder(folder, "n").log
    deadline = time.monotonic() + 20
    while "last" not in log.read_text(encoding="utf-8"):
        assert time.monotonic() < deadline
        if wanted:
            step.read()
        time.sleep(0.01)
    for _ in range(2):
        step.cut_log(4000)
        assert log.stat().st_size <= 4000
    step.end_now()
    finished(step)
    assert log.read_text(encoding="utf-8").startswith("first\n0000")
    assert "the log was longer than it may be" in log_of(folder)
    assert log_of(folder).endswith("9\nlast\n")


# --- what it leaves


def test_an_output_parameter_loses_one_line_feed(run: Run) -> None:
    files = (OutputFile(name="o", path="out"),)
    assert run("printf 'a\\n\\n' > out", output_parameters=files).parameters == {"o": "a\n"}


def test_a_missing_output_has_its_default_or_is_told(run: Run) -> None:
    files = (OutputFile(name="a", path="none"), OutputFile(name="b", path="none", default="d"))
    artifacts = (OutputFile(name="c", path="no"), OutputFile(name="d", path="no", optional=True))
    ended = run("true", output_parameters=files, output_artifacts=artifacts)
    assert (ended.parameters, ended.missing) == ({"b": "d"}, ("a", "c"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("head -c 300000 /dev/zero > out", "300000 bytes; at most 262144"),
        ("mkfifo out", "is not a file"),
        ("mkdir out", "Is a directory"),
        ("ln -s out out", "symbolic link"),
    ],
)
def test_an_output_that_is_no_fair_file_is_an_error(run: Run, text: str, said: str) -> None:
    ended = run(text, output_parameters=(OutputFile(name="o", path="out"),))
    assert said in ended.error
    assert "output parameter o" in ended.error


def test_artifacts_travel_from_step_to_step(run: Run) -> None:
    out = (OutputFile(name="f", path="file"), OutputFile(name="d", path="folder"))
    first = run("echo 1 > file; mkdir folder; echo 2 > folder/x", output_artifacts=out)
    put = (
        InputFile(name="f", path="in/file", source=first.artifacts["f"], mode=0o400),
        InputFile(name="d", path="in/folder", source=first.artifacts["d"]),
        InputFile(name="r", path="raw", text="3\n"),
    )
    read = "cat in/file in/folder/x raw; stat -c %a in/file"
    assert run(read, node="m", inputs=put, wants_result=True).result == "1\n2\n3\n400"


def test_a_folder_that_holds_the_store_itself_is_not_copied_into_it(
    run: Run, folder: RunFolder
) -> None:
    output = OutputFile(name="all", path=str(folder.root.parent))
    ended = run("true", output_artifacts=(output,))
    assert "holds the folder in which artifacts are kept" in ended.error
    assert not any(folder.artifacts.rglob("all"))


def test_an_artifact_that_is_a_pipe_is_an_error_and_holds_nothing_up(run: Run) -> None:
    ended = run("mkfifo pipe", output_artifacts=(OutputFile(name="p", path="pipe"),))
    assert "output artifact p could not be stored from pipe" in ended.error


@pytest.mark.parametrize("key", ["../../etc/passwd", "/etc/passwd", "none/such"])
def test_an_input_comes_from_the_runs_artifacts_only(folder: RunFolder, key: str) -> None:
    with pytest.raises(NeverRan, match="no stored artifact with the key"):
        begin(folder, ("true",), inputs=(InputFile(name="i", path="in", source=key),))


@pytest.mark.parametrize("name", ["..", ".", "a/b"])
def test_an_artifacts_name_leads_nowhere_else(run: Run, name: str) -> None:
    ended = run("echo 1 > out", output_artifacts=(OutputFile(name=name, path="out"),))
    assert "cannot be the name of an artifact" in ended.error


def test_an_input_that_cannot_be_laid_says_so(folder: RunFolder) -> None:
    with pytest.raises(NeverRan, match="input artifact i could not be laid at script/in"):
        begin(
            folder,
            ("true",),
            inputs=(
                InputFile(name="x", path="script", text=""),
                InputFile(name="i", path="script/in", text=""),
            ),
        )


# --- files of its own

own_files = pytest.mark.skipif(not private.possible(), reason="no private mounts on this machine")


@own_files
def test_a_declared_path_is_the_steps_own(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "place"
    place.mkdir()
    (place / "out").write_text("the machine's", encoding="utf-8")
    files = (OutputFile(name="o", path=str(place / "out")),)
    text = f"test ! -e {place}/out && echo mine > {place}/out"
    assert run(text, output_parameters=files).parameters == {"o": "mine"}
    assert (place / "out").read_text(encoding="utf-8") == "the machine's"


@own_files
def test_everything_else_in_its_folder_stays_shared(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "staging").mkdir(parents=True)
    (place / "notes").write_text("old", encoding="utf-8")
    (place / "link").symlink_to("notes")
    text = f"cd {place}; echo o > out; echo new > link; echo 1 > staging/made; echo 2 > beside"
    assert run(text, output_parameters=(OutputFile(name="o", path=f"{place}/out"),)).error == ""
    assert (place / "notes").read_text(encoding="utf-8") == "new\n"
    assert (place / "staging" / "made").read_text(encoding="utf-8") == "1\n"
    assert (place / "beside").read_text(encoding="utf-8") == "2\n"
    assert sorted(os.listdir(place)) == ["beside", "link", "notes", "staging"]


@own_files
def test_a_path_below_the_root_that_does_not_exist_works(run: Run) -> None:
    files = (OutputFile(name="o", path="/mainctrfs-none/deep/out"),)
    text = "mkdir -p /mainctrfs-none/deep && echo deep > /mainctrfs-none/deep/out && cd /tmp && pwd"
    ended = run(text, output_parameters=files, wants_result=True)
    assert (ended.parameters, ended.result) == ({"o": "deep"}, "/tmp")
    assert not Path("/mainctrfs-none").exists()


def test_what_an_image_that_starts_in_the_root_would_make_there_is_found(run: Run) -> None:
    files = (OutputFile(name="o", path="/made/by-name"),)
    text = "mkdir made && echo here > made/by-name"
    assert run(text, output_parameters=files).parameters == {"o": "here"}
    elsewhere = run(text, node="m", output_parameters=files, working_dir="sub")
    assert elsewhere.missing == ("o",)


@own_files
def test_input_artifacts_are_laid_at_their_own_paths(run: Run, tmp_path: Path) -> None:
    path = str(tmp_path / "in" / "deep" / "text")
    ended = run(
        f"cat {path}", inputs=(InputFile(name="i", path=path, text="hi"),), wants_result=True
    )
    assert ended.result == "hi"
    assert not (tmp_path / "in").exists()


@own_files
def test_declared_paths_in_folders_one_in_the_other_work(run: Run, tmp_path: Path) -> None:
    place = tmp_path / "place"
    (place / "inner").mkdir(parents=True)
    files = tuple(OutputFile(name=n, path=f"{place}/{n}") for n in ("inner/x", "y"))
    ended = run(f"echo 1 > {place}/inner/x; echo 2 > {place}/y", output_parameters=files)
    assert ended.parameters == {"inner/x": "1", "y": "2"}
    assert list((place / "inner").iterdir()) == []


FULL = """
import os, subprocess, sys
from pathlib import Path
from couler_jobs.backends.local import kernel, process, values
from couler_jobs.backends.local.home import RunFolder
from couler_jobs.backends.local.step_folder import step_folder
kernel.private_mounts()
subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", sys.argv[1]], check=True)
folder = step_folder(RunFolder(Path(sys.argv[1])), "n")
launch = values.Launch(node="n", template="t", command=("sh", "-c", sys.argv[2]),
                       wants_result=sys.argv[3] == "True")
step = process.start(launch, folder, "u/n", process.clean_environment(os.environ))
if launch.wants_result:
    os.set_blocking(step.stdout, True)
    while step.read():
        pass
os.waitid(os.P_PID, step.process.pid, os.WEXITED | os.WNOWAIT)
ended = step.finish()
print(ended.exit_code, ended.error)
"""


@own_files
@pytest.mark.parametrize("wanted", [False, True])
def test_a_step_that_failed_on_a_full_disk_says_so(tmp_path: Path, wanted: bool) -> None:
    text = "head -c 3000000 /dev/zero; exit 3"
    place = tmp_path / "small"
    place.mkdir()
    answer = subprocess.run(
        [sys.executable, "-c", FULL, str(place), text, str(wanted)],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if "mount: " in answer.stderr:
        pytest.skip("this user cannot mount a small disk")
    assert answer.stdout.startswith(f"3 The disk that holds {place}/steps/n-"), answer.stderr
    assert "bytes free): free some space" in answer.stdout
