"""What the local engine adds to a step, against `subprocess.run` of the same commands.

    python benchmarks/local_engine.py [steps]

Both figures come from this machine in this run: the machine's own speed cancels out.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.home import Home
from couler_jobs.backends.local.store import Store

COMMANDS = {
    "true": ["true"],
    "python": [sys.executable, "-S", "-c", "pass"],
}


def wide(command: list[str], steps: int) -> dict[str, Any]:
    """A DAG of that many independent tasks, in blocks of 200 (Argo's limit for one DAG)."""
    tasks = [{"name": f"s{number}", "template": "work"} for number in range(steps)]
    blocks = [tasks[start : start + 200] for start in range(0, steps, 200)]
    outer = [{"name": f"b{number}", "template": f"b{number}"} for number in range(len(blocks))]
    return {
        "apiVersion": "argoproj.io/v1alpha1",
        "kind": "Workflow",
        "metadata": {"generateName": "wide-"},
        "spec": {
            "entrypoint": "main",
            "templates": [
                {"name": "main", "dag": {"tasks": outer}},
                *({"name": f"b{n}", "dag": {"tasks": block}} for n, block in enumerate(blocks)),
                {"name": "work", "container": {"image": "none", "command": command}},
            ],
        },
    }


def floor(command: list[str], steps: int) -> float:
    """Seconds for the same commands one after another."""
    began = time.perf_counter()
    for _ in range(steps):
        subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, check=True)
    return time.perf_counter() - began


def resident(store: Store, uid: str) -> Iterator[float]:
    """The most memory, in MiB, that the supervisor and its guard have had so far."""
    run = store.by_uid(uid)
    for process in (run.supervisor, run.guard):
        status = Path(f"/proc/{process.pid}/status") if process else Path("/nowhere")
        if status.exists():
            lines = dict(line.split(":", 1) for line in status.read_text().splitlines())
            yield int(lines["VmHWM"].split()[0]) / 1024


def measure(backend: LocalBackend, store: Store, name: str, steps: int) -> None:
    """Run one wide DAG and print its line."""
    base = floor(COMMANDS[name], min(steps, 200)) / min(steps, 200)
    began = time.perf_counter()
    run = backend.submit(wide(COMMANDS[name], steps))
    answered = time.perf_counter() - began
    memory: list[float] = []
    while not (info := next(backend.list())).ended:
        memory = list(resident(store, run.uid)) or memory
        time.sleep(0.1)
    each = (time.perf_counter() - began) / steps
    print(
        f"{name:8} {steps} steps: {info.phase}; {each * 1000:.2f} ms a step, subprocess.run "
        f"{base * 1000:.2f} ms: {(each - base) * 1000:+.2f} ms, ratio {each / base:.2f}; "
        f"submit answered in {answered * 1000:.0f} ms; supervisor, guard "
        + ", ".join(f"{size:.0f} MiB" for size in memory)
    )


def main() -> None:
    """Print one line a command."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    with tempfile.TemporaryDirectory() as folder:
        backend, store = LocalBackend(Path(folder)), Store(Home(Path(folder)).database)
        for name in COMMANDS:
            measure(backend, store, name, steps)


if __name__ == "__main__":
    main()
