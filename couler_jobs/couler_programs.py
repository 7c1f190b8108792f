"""Programs that were written for Couler, run as they are.

While one runs, `couler.argo` and the modules beside it lead to `couler_jobs`, and what the program
hands to `couler.run()` is recorded and not sent.
"""

from __future__ import annotations

import contextvars
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from couler_jobs.errors import DeclarationError

if TYPE_CHECKING:
    from couler_jobs.spec.model import Workflow

ARGO = "couler_jobs.argo"
DSL = "couler_jobs.dsl.couler"

HOMES: Mapping[str, str] = {
    "couler": ARGO,
    "couler.argo": ARGO,
    "couler.argo_submitter": "couler_jobs.submitters",
    "couler.docker_submitter": "couler_jobs.submitters",
    "couler.core": ARGO,
    "couler.core.config": f"{DSL}.config",
    "couler.core.constants": ARGO,
    "couler.core.run_templates": ARGO,
    "couler.core.syntax": ARGO,
    "couler.core.syntax.concurrent": ARGO,
    "couler.core.syntax.conditional": ARGO,
    "couler.core.syntax.dag": ARGO,
    "couler.core.syntax.dns": ARGO,
    "couler.core.syntax.exit_handler": ARGO,
    "couler.core.syntax.image_pull_secret": ARGO,
    "couler.core.syntax.loop": ARGO,
    "couler.core.syntax.predicates": ARGO,
    "couler.core.syntax.recursion": ARGO,
    "couler.core.syntax.toleration": ARGO,
    "couler.core.syntax.volume": ARGO,
    "couler.core.states": f"{DSL}.states",
    "couler.core.utils": f"{DSL}.utils",
    "couler.core.workflow_validation_utils": ARGO,
    "couler.core.templates": ARGO,
    "couler.core.templates.artifact": f"{DSL}.artifacts",
    "couler.core.templates.cache": f"{DSL}.cache",
    "couler.core.templates.dns": f"{DSL}.config",
    "couler.core.templates.image_pull_secret": f"{DSL}.config",
    "couler.core.templates.output": f"{DSL}.outputs",
    "couler.core.templates.secret": f"{DSL}.secrets",
    "couler.core.templates.toleration": f"{DSL}.config",
    "couler.core.templates.volume": f"{DSL}.volumes",
    "couler.core.templates.volume_claim": f"{DSL}.volumes",
    "couler.steps": "couler_jobs.steps",
    "couler.steps.katib": "couler_jobs.steps.katib",
    "couler.steps.mpi": "couler_jobs.steps.mpi",
    "couler.steps.pod_utils": "couler_jobs.steps.pods",
    "couler.steps.pytorch": "couler_jobs.steps.pytorch",
    "couler.steps.tensorflow": "couler_jobs.steps.tensorflow",
}
"""Couler's module names, packages before what is in them, and where their names are here."""


@contextmanager
def names_of_couler() -> Iterator[None]:
    """Inside the block `import couler.argo` leads here, whether Couler is installed or not."""
    before = {name: sys.modules.pop(name) for name in list(sys.modules) if _is_coulers(name)}
    sys.modules.update(_modules())
    try:
        yield
    finally:
        for name in [name for name in sys.modules if _is_coulers(name)]:
            del sys.modules[name]
        sys.modules.update(before)


def _is_coulers(name: str) -> bool:
    return name.partition(".")[0] == "couler"


def _modules() -> dict[str, ModuleType]:
    """A module for each name: its own, so that none of ours gets attributes of Couler's."""
    made: dict[str, ModuleType] = {}
    for name, home in HOMES.items():
        module = ModuleType(name)
        module.__dict__.update(
            (key, value)
            for key, value in vars(import_module(home)).items()
            if not (key.startswith("__") and key.endswith("__")) or key == "__all__"
        )
        module.__path__ = []  # whatever else is looked for below it is not found
        made[name] = module
        package, _, last = name.rpartition(".")
        # `couler.core.syntax.dag` is a function and a module; there the function wins.
        if package and not callable(getattr(made[package], last, None)):
            setattr(made[package], last, module)
    return made


def workflows_of(path: Path) -> list[Workflow]:
    """What the program declares: each that it runs, and what it recorded and did not run.

    The program is `__main__`; its recording leaves the caller's own untouched. Raises
    DeclarationError, with the line, for an error in it, and if it declares nothing.
    """
    found = contextvars.copy_context().run(_run, path)
    if not found:
        raise DeclarationError(
            f"{path} declares no workflow: record steps, such as couler.run_container(...), "
            "and end with couler.run(submitter=...)."
        )
    return found


def _run(path: Path) -> list[Workflow]:
    from couler_jobs.dsl.recorder import record_into, recorded, take_recorded
    from couler_jobs.inputs import program
    from couler_jobs.submitters import Submitted, recording_submissions

    found: list[Workflow] = []

    def take(workflow: Workflow) -> Submitted:
        from couler_jobs.build import compile

        found.append(workflow)
        manifest = compile(workflow)
        metadata = manifest["metadata"]  # what is not sent has no more of a name than its prefix
        return Submitted(manifest, metadata.get("name") or metadata["generateName"])

    record_into(None)  # in this copy of the context alone
    with names_of_couler(), recording_submissions(take), program(path, "__main__"):
        if recorded() is not None:
            found.append(take_recorded())
    return found
