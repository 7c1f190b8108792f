"""Loops that go on until something holds: wait for a job, train until it is good enough."""

from dataclasses import dataclass
from pathlib import Path

import couler_jobs as cj


@dataclass
class Trained:
    model: Path
    accuracy: float


@cj.step
def begin() -> Path:
    found = Path("model.txt")
    found.write_text("0.5")
    return found


@cj.step
def train(model: Path, rate: float) -> Trained:
    accuracy = round(float(model.read_text()) + rate, 2)
    better = Path("better.txt")
    better.write_text(str(accuracy))
    return Trained(better, accuracy)


@cj.step
def tell(model: Path, accuracy: float) -> str:
    return f"{accuracy} in {model.read_text()}"


@cj.workflow
def repeat(target: float = 0.8) -> str:
    best = cj.repeat(
        train,
        begin(),
        rate=0.2,
        until=lambda found: found.accuracy >= target,
        carry=lambda found: {"model": found.model},
        at_most=10,
        pause="1s",
    )
    return tell(best.model, best.accuracy)


if __name__ == "__main__":
    print(cj.to_yaml(repeat.compile()), end="")
