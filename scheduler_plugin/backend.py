"""What jupyter_scheduler 3 asks for: a description of the backend, and job ids that name it.

It finds `ArgoBackend` by the entry-point group `jupyter_scheduler.backends`, and writes a job's id
as `backend_id:uuid`. Labels and names of Kubernetes allow no colon, and jupyter_scheduler 2 knows
none: inside, a job is known by its uuid alone.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from scheduler_plugin.environments import FORMATS

if TYPE_CHECKING:
    BaseBackend = object
else:
    try:
        from jupyter_scheduler.base_backend import BaseBackend
    except ImportError:  # jupyter_scheduler 2
        BaseBackend = object

SEPARATOR = ":"


class ArgoBackend(BaseBackend):
    """Notebook jobs as workflows, in the words of jupyter_scheduler 3."""

    id: ClassVar[str] = "argo"
    name: ClassVar[str] = "Argo Workflows"
    description: ClassVar[str] = "Runs notebooks as workflows, on this machine or on Argo"
    scheduler_class: ClassVar[str] = "scheduler_plugin.scheduler.ArgoScheduler"
    execution_manager_class: ClassVar[str] = "scheduler_plugin.execution.ArgoExecutionManager"
    database_manager_class: ClassVar[str | None] = None  #: the tables are jupyter_scheduler's own
    file_extensions: ClassVar[list[str]] = ["ipynb"]
    output_formats: ClassVar[list[dict[str, str]]] = [
        {"id": one, "label": label, "description": label} for one, label in FORMATS.items()
    ]


def inward(job_id: str) -> str:
    """The uuid of a job whose id may name a backend."""
    return job_id.rpartition(SEPARATOR)[2]


def outward(job_id: str, backend_id: str | None) -> str:
    """The id that jupyter_scheduler knows a job by; a foreign row has its own already."""
    if not backend_id or SEPARATOR in job_id:
        return job_id
    return f"{backend_id}{SEPARATOR}{job_id}"


def describes(backend_id: str | None) -> dict[str, Any]:
    """What the description of a job says of its backend: nothing in jupyter_scheduler 2."""
    return {"backend_id": backend_id} if backend_id else {}
