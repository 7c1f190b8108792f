"""How long `import couler_jobs` and a whole small program take, against bare Python.

Each figure is the median of fresh processes, taken in turn so that a busy moment hits all alike.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time

ROUNDS = 15
PROGRAMS = {
    "bare Python": ["-c", "pass"],
    "import couler_jobs": ["-c", "import couler_jobs"],
    "import couler_jobs.argo": ["-c", "import couler_jobs.argo"],
    "three steps to YAML": ["examples/diamond.py"],
}
GOALS = {"import couler_jobs": 2.5, "three steps to YAML": 8.0}


def main() -> None:
    """Print the medians and their ratios."""
    taken: dict[str, list[float]] = {name: [] for name in PROGRAMS}
    for _ in range(ROUNDS):
        for name, arguments in PROGRAMS.items():
            taken[name].append(_seconds(arguments))
    floor = statistics.median(taken["bare Python"])
    for name, seconds in taken.items():
        median = statistics.median(seconds)
        goal = f" (goal {GOALS[name]:g} x)" if name in GOALS else ""
        print(f"{name:26} {median * 1000:7.1f} ms  {median / floor:5.2f} x{goal}")


def _seconds(arguments: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
