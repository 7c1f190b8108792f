"""Every error this package raises on purpose.

CoulerJobsError
├── DeclarationError     a workflow or step was written in a way that cannot work
├── CompileError         what was declared cannot become a manifest
├── LintError            the manifest would be refused (holds every finding)
├── ConfigError          a setting is missing, contradictory or malformed
├── BackendError         where the run happens said no, or was away
│   ├── NotFound         no such workflow, cron workflow, template or log
│   ├── AlreadyExists    the name is taken by something else
│   ├── Unauthorized     who you are was not accepted
│   ├── Forbidden        you may not do this
│   ├── Unavailable      the backend did not answer, or not now
│   └── Rejected         the backend looked at the request and refused it
├── WorkflowFailed       a run that was waited for ended badly (holds the run)
└── WaitTimeout          a run that was waited for had not ended in time

A message is one sentence for the person who reads it: what happened, to which thing, what to do.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from couler_jobs.spec.finding import Finding


class CoulerJobsError(Exception):
    """The root of the tree: catching it catches everything this package raises on purpose."""

    place = ""  #: the line of the user's program, where it is known
    line: int | None = None  #: of the file that was read, where that is known

    def __str__(self) -> str:
        return f"{self.place}: {self.said}" if self.place else self.said

    @property
    def said(self) -> str:
        """The message, without its place."""
        return super().__str__()

    def _render_traceback_(self) -> list[str]:
        """What IPython and notebooks show: the sentence, and no lines of this package."""
        return [f"{type(self).__name__}: {self}"]


class DeclarationError(CoulerJobsError):
    """A workflow or step was written in a way that cannot work; names the line and the variable."""


class CompileError(CoulerJobsError):
    """What was declared cannot become a manifest for the chosen Argo version."""


class LintError(CoulerJobsError):
    """The manifest would be refused; `findings` holds everything that is wrong with it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__("\n".join(str(finding) for finding in self.findings))


class ConfigError(CoulerJobsError):
    """A setting is missing, contradictory or malformed; names it and its origin."""


class BackendError(CoulerJobsError):
    """Where the run happens said no, or was away."""


class NotFound(BackendError):  # noqa: N818  the field's own words, as in the protocol's status
    """No such workflow, cron workflow, template or log."""


class AlreadyExists(BackendError):  # noqa: N818
    """The name is taken by something else."""


class Unauthorized(BackendError):  # noqa: N818
    """The credentials were not accepted."""


class Forbidden(BackendError):  # noqa: N818
    """The credentials are known and do not allow this."""


class Unavailable(BackendError):  # noqa: N818
    """The backend did not answer, or says that it cannot now; trying later may work."""


class Rejected(BackendError):  # noqa: N818
    """The backend looked at the request and refused it; trying again will not help."""


class WorkflowFailed(CoulerJobsError):  # noqa: N818
    """A run that was waited for ended badly. `run` is its handle."""

    def __init__(self, message: str, run: Any = None) -> None:
        self.run = run
        super().__init__(message)


class WaitTimeout(CoulerJobsError):  # noqa: N818
    """A run that was waited for had not ended in time; it goes on."""

    def __init__(self, name: str, seconds: float, phase: str) -> None:
        self.name, self.seconds, self.phase = name, seconds, phase
        super().__init__(
            f"{name} had not ended after {seconds:g} s (its phase is {phase}). "
            "It goes on: wait again, or stop it."
        )
