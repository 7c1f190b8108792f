"""What programs reach for as `couler.states`: the workflow that is being recorded."""

from __future__ import annotations

from typing import Any

from couler_jobs.dsl import recorder
from couler_jobs.dsl.couler.config import set_security_context
from couler_jobs.dsl.couler.leaves import get_step_output as get_step_output
from couler_jobs.dsl.couler.recording import recording
from couler_jobs.dsl.couler.secrets import get_secret as get_secret


class RecordedWorkflow:
    """The workflow that is being recorded."""

    @staticmethod
    def set_security_context(security_context: dict[str, Any]) -> None:
        """Set the security context of its pods, in Kubernetes' words."""
        set_security_context(security_context)

    @staticmethod
    def to_dict() -> dict[str, Any]:
        """Its manifest, as far as it has been recorded."""
        from couler_jobs.build import compile

        return compile(recording().finished())

    @staticmethod
    def cleanup() -> None:
        """Forget it."""
        recorder.record_into(None)


workflow = RecordedWorkflow()


def _cleanup() -> None:
    """Forget what has been recorded."""
    workflow.cleanup()


def __getattr__(name: str) -> Any:
    if name == "_secrets":
        return recording().secrets
    raise AttributeError(f"couler's states have no {name!r} here")
