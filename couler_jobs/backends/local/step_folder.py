"""Where one step's things lie on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.home import RunFolder

CONTAINERS = "containers"
"""The folder, in a step's, of what the containers of a set print."""


@dataclass(frozen=True, slots=True)
class StepFolder:
    """Where one step's things lie."""

    run: RunFolder
    name: str

    @property
    def root(self) -> Path:
        """Exists from the moment that the step is about to be started."""
        return self.run.steps / self.name

    @property
    def log(self) -> Path:
        """Everything that it printed."""
        return self.root / "log"

    @property
    def containers(self) -> Path:
        """What the containers of a set printed, but for its main one: a file each."""
        return self.root / CONTAINERS

    @property
    def work(self) -> Path:
        """The working folder of a step that names none."""
        return self.root / "work"


def step_folder(run: RunFolder, node: str) -> StepFolder:
    """The folder of a node: readable, and another one for every node name."""
    digest = hashlib.blake2b(node.encode(), digest_size=8).hexdigest()
    readable = re.sub(r"[^A-Za-z0-9]+", "-", node).strip("-")[-40:]
    return StepFolder(run, f"{readable}-{digest}")


def write_private(path: Path, plain: Any) -> None:
    """Put JSON there that only this user can read, in place of what was there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with open(descriptor, "w", encoding="utf-8") as file:
        json.dump(plain, file)
