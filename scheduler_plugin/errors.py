"""What this package refuses or cannot do, each as one sentence for the person in front of the UI.

CoulerJobsError
├── JobRefused            the request cannot become a job; nothing has been created
│   ├── InputMissing      the notebook is not there
│   └── AlreadyRequested  a job with the same idempotency token exists
├── NoSuchJob             there is no such job
├── NoSuchDefinition      there is no such job definition
├── StagingFailed         files of a job could not be copied
└── DatabaseUnavailable   the database stayed locked or away, or is not the scheduler's
"""

from __future__ import annotations

from couler_jobs.errors import CoulerJobsError


class JobRefused(CoulerJobsError):  # noqa: N818  what happened, in the words of the caller
    """The request cannot become a job; nothing has been created."""


class InputMissing(JobRefused):
    """The notebook is not there."""

    def __init__(self, path: str) -> None:
        self.path = path
        super().__init__(f"There is no notebook {path!r} under the folder that JupyterLab shows.")


class AlreadyRequested(JobRefused):
    """A job with the same idempotency token exists."""

    def __init__(self, token: str) -> None:
        self.token = token
        super().__init__(f"A job with the idempotency token {token!r} exists already.")


class NoSuchJob(CoulerJobsError):  # noqa: N818
    """There is no such job (any more)."""

    def __init__(self, job_id: str) -> None:
        self.job_id = job_id
        super().__init__(f"There is no job {job_id}: it may have been deleted.")


class NoSuchDefinition(CoulerJobsError):  # noqa: N818
    """There is no such job definition (any more)."""

    def __init__(self, definition_id: str) -> None:
        self.definition_id = definition_id
        super().__init__(f"There is no job definition {definition_id}: it may have been deleted.")


class StagingFailed(CoulerJobsError):  # noqa: N818
    """Files of a job could not be copied to or from its staging folder."""


class DatabaseUnavailable(CoulerJobsError):  # noqa: N818
    """The database stayed locked or away as long as it was waited for, or lacks the tables."""
