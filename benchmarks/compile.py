"""How long it takes to declare, compile and write big workflows, against the same output as plain
dicts: `yaml.dump` by libyaml and `json.dumps`. Processor time, medians of fresh processes."""

from __future__ import annotations

import argparse
import json
import random
import resource
import statistics
import subprocess
import sys
import time
from typing import Any

import couler_jobs as cj

ROUNDS = 5


@cj.step
def work(left: Any, right: Any) -> int:
    """One step of every shape."""
    return int(left) + int(right)


@cj.step
def collect(values: list[Any]) -> int:
    """The end of a fan-out."""
    return len(values)


def shape(name: str, size: int) -> Any:
    """A workflow of about `size` steps."""

    @cj.workflow
    def chain() -> Any:
        value: Any = 0
        for _ in range(size):
            value = work(value, 1)
        return value

    @cj.workflow
    def fan() -> Any:
        first = work(0, 0)
        return collect([work(first, number) for number in range(size - 2)])

    @cj.workflow
    def layers() -> Any:
        chosen = random.Random(1)
        layer = [work(0, number) for number in range(50)]
        for _ in range(size // 50 - 1):
            layer = [work(chosen.choice(layer), chosen.choice(layer)) for _ in range(50)]
        return layer[0]

    return {"chain": chain, "fan": fan, "layers": layers}[name]


def measure(name: str, size: int) -> dict[str, float]:
    """One process' figures: seconds, and MiB of growth."""
    import yaml

    workflow = shape(name, size)
    cj.to_yaml(shape("chain", 5).compile())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    manifest = workflow.compile()
    compiled = time.process_time()
    growth = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    text = json.dumps(manifest)
    as_json = time.process_time()
    cj.to_yaml(manifest)
    as_yaml = time.process_time()
    plain = json.loads(text)
    begun = time.process_time()
    yaml.dump(plain, Dumper=yaml.CSafeDumper, sort_keys=False)
    floor_yaml = time.process_time() - begun
    begun = time.process_time()
    json.dumps(plain)
    floor_json = time.process_time() - begun
    return {
        "compile": compiled - started,
        "to YAML": (compiled - started) + (as_yaml - as_json),
        "to JSON": as_json - started,
        "YAML floor": floor_yaml,
        "JSON floor": floor_json,
        "growth": growth / 1024,
    }


def main() -> None:
    """Print each shape's figures and ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--one", nargs=2, metavar=("SHAPE", "SIZE"))
    parser.add_argument("--size", type=int, default=5000)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(measure(arguments.one[0], int(arguments.one[1]))))
        return
    for name in ("chain", "fan", "layers"):
        print(_line(name, arguments.size))


def _line(name: str, size: int) -> str:
    rounds = [_fresh(name, size) for _ in range(ROUNDS)]
    found = {key: statistics.median(one[key] for one in rounds) for key in rounds[0]}
    return (
        f"{name:7} {size} steps: compile {found['compile'] * 1000:6.1f} ms,"
        f" to YAML {found['to YAML'] * 1000:6.1f} ms ="
        f" {found['to YAML'] / found['YAML floor']:4.2f} x the floor (goal 1.5),"
        f" to JSON {found['to JSON'] * 1000:6.1f} ms ="
        f" {found['to JSON'] / found['JSON floor']:4.2f} x (goal 8),"
        f" growth {found['growth']:4.1f} MiB (goal 25)"
    )


def _fresh(name: str, size: int) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, __file__, "--one", name, str(size)],
        check=True,
        capture_output=True,
        text=True,
    )
    found: dict[str, float] = json.loads(done.stdout)
    return found


if __name__ == "__main__":
    main()
