"""Where things lie on this machine that `couler-jobs doctor` looks at."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

MOUNTS = Path("/proc/self/mountinfo")
REMOTE = ("nfs", "cifs", "smb", "fuse", "9p", "ceph", "lustre", "glusterfs", "afs", "beegfs")
OURS = "scheduler_plugin.scheduler.ArgoScheduler"
CONFIG = "jupyter_jupyter_scheduler_config.json"


def file_system_of(path: Path, mounts: str | None = None) -> str:
    """The kind of file system that a path is on, "ext4" say; "unknown" where nothing tells.

    `mounts` is the text of proc(5)'s mountinfo.
    """
    try:
        text = MOUNTS.read_text(encoding="utf-8") if mounts is None else mounts
    except OSError:
        return "unknown"
    real, best, kind = path.resolve(), Path(), "unknown"
    for point, found in _mounted(text):
        # of two on the same point the later one covers the other
        if real.is_relative_to(point) and len(point.parts) >= len(best.parts):
            best, kind = point, found
    return kind


def _mounted(text: str) -> Iterator[tuple[Path, str]]:
    for line in text.splitlines():
        before, dash, after = line.partition(" - ")
        fields = before.split()
        if dash and len(fields) > 4:
            escaped = fields[4]
            point = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), escaped)
            yield Path(point), after.split()[0]


def is_remote(kind: str) -> bool:
    """Whether other hosts may have it too, so that locks may not be what they seem."""
    return kind.startswith(REMOTE)


def enabled_by() -> Path | None:
    """The file that makes jupyter_scheduler use this package, if one does."""
    for path, settings in _scheduler_settings():
        if "scheduler_class" in settings:
            return path if settings["scheduler_class"] == OURS else None
    return None


def scheduler_database() -> Path | None:
    """jupyter_scheduler's database; None where it is no file."""
    from jupyter_core.paths import jupyter_data_dir

    for _, settings in _scheduler_settings():
        if url := str(settings.get("db_url") or ""):
            parts = urlsplit(url)
            # sqlite:///relative and sqlite:////absolute
            return Path(parts.path[1:]) if parts.scheme.startswith("sqlite") else None
    return Path(jupyter_data_dir()) / "scheduler.sqlite"


def _scheduler_settings() -> Iterator[tuple[Path, dict[str, Any]]]:
    """What configures jupyter_scheduler, the strongest file first."""
    from jupyter_core.paths import jupyter_config_path

    for folder in jupyter_config_path():
        path = Path(folder) / CONFIG
        try:
            found = json.loads(path.read_text(encoding="utf-8"))["SchedulerApp"]
        except (OSError, ValueError, KeyError, TypeError):
            continue
        if isinstance(found, dict):
            yield path, found
