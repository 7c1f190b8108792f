"""Environments laid by hand: folders with kernelspecs, no network needed."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

IPYKERNEL = ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}"]


def lay_environment(folder: Path, **kernels: dict[str, Any]) -> Path:
    """An environment with kernelspecs, whose python is this one's."""
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    packages = folder / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    (packages / "ipykernel_launcher.py").touch()
    for name, spec in kernels.items():
        place = folder / "share" / "jupyter" / "kernels" / name
        place.mkdir(parents=True)
        (place / "kernel.json").write_text(json.dumps(spec))
    return folder


def wrap_python(home: Path) -> None:
    """Let the environment's python be this one with all its packages."""
    python = home / "bin" / "python"
    python.unlink()
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)


def spec(language: str = "python", argv: list[str] | None = None, **more: Any) -> dict[str, Any]:
    return {"argv": argv or IPYKERNEL, "language": language, **more}
