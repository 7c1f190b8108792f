"""The process that runs the cells; its parent, the supervisor, watches it.

It tells what happens as lines of JSON on an inherited pipe. SIGTERM means: interrupt the running
cell and start no other.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import warnings
from pathlib import Path
from typing import Any

from couler_jobs.in_pod.kernel import Kernel
from couler_jobs.in_pod.lean import skip_slow_imports
from couler_jobs.in_pod.processes import die_with_parent
from couler_jobs.in_pod.request import NotebookRequest


def main() -> None:
    """Run what `job.json` in the folder `argv[1]` asks for and tell on the descriptor `argv[2]`,
    for the supervisor whose process is `argv[3]`."""
    scratch, descriptor, parent = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    die_with_parent(parent)
    skip_slow_imports()
    _ignore_missing_ids()
    from couler_jobs.in_pod.run_cells import Job

    def tell(kind: str, **values: Any) -> None:
        os.write(descriptor, json.dumps({"event": kind, **values}).encode() + b"\n")

    asked = json.loads((scratch / "job.json").read_text(encoding="utf-8"))
    job = Job(NotebookRequest(**asked["request"]), Kernel(**asked["kernel"]), scratch, tell)
    signal.signal(signal.SIGTERM, lambda *_: job.stop())
    job.run()


def _ignore_missing_ids() -> None:
    """Old notebooks have no cell ids; nbformat gives them some and warns, which is of no use."""
    from nbformat.warnings import DuplicateCellId, MissingIDFieldWarning

    warnings.simplefilter("ignore", MissingIDFieldWarning)
    warnings.simplefilter("ignore", DuplicateCellId)


if __name__ == "__main__":
    main()
