"""The seams of jupyter_scheduler that would run a notebook in the server: here nothing runs."""

from __future__ import annotations

from jupyter_scheduler.executors import ExecutionManager
from jupyter_scheduler.models import JobFeature

FEATURES = {
    JobFeature.job_name: True,
    JobFeature.parameters: True,
    JobFeature.output_formats: True,
    JobFeature.job_definition: True,
    JobFeature.idempotency_token: True,
    JobFeature.tags: True,
    JobFeature.email_notifications: False,
    JobFeature.timeout_seconds: False,
    JobFeature.retry_on_timeout: False,
    JobFeature.max_retries: False,
    JobFeature.min_retry_interval_millis: False,
    JobFeature.output_filename_template: False,
    JobFeature.stop_job: True,
    JobFeature.delete_job: True,
}


class ArgoExecutionManager(ExecutionManager):  # type: ignore[misc]  # upstream is untyped
    """Says what jobs can do. Upstream calls both answers on the class, with the class by hand."""

    def execute(self) -> None:
        """Never called: a job is a workflow, run elsewhere."""
        raise NotImplementedError("Jobs are run as workflows, not by an execution manager.")

    def supported_features(self) -> dict[JobFeature, bool]:
        """Which fields of a job mean something here. A plain function on purpose."""
        return dict(FEATURES)

    def validate(self, input_path: str) -> bool:
        """Whether a file is a notebook that names its kernel. A plain function on purpose."""
        from couler_jobs.in_pod.request import Refused
        from couler_jobs.in_pod.source import read_source

        try:
            with open(input_path, "rb") as stream:
                source = read_source(stream.read(), input_path)
        except (OSError, Refused):
            return False
        return bool(source.kernel or source.language)
