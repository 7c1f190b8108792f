"""Running a past job again: the same input, parameters and options, as another job."""

from __future__ import annotations

import shutil
import uuid
from dataclasses import replace
from pathlib import Path

from scheduler_plugin import inputs, staging
from scheduler_plugin.definitions import SHARED, Definitions
from scheduler_plugin.errors import JobRefused
from scheduler_plugin.orders import JobRequest, check_snapshot
from scheduler_plugin.records import Job


def rerun(definitions: Definitions, job_id: str) -> str:
    """Start a job like one that has ended and answer its id. Raises as `Jobs.create`, or NoSuchJob.

    It belongs to the same definition, if that is still there.
    """
    jobs = definitions.jobs
    job = jobs.get(job_id)
    if not job.status.ended:
        raise JobRefused(f"The job {job.name!r} still runs: wait for its end, or stop it.")
    request = _request(job, definitions)
    snapshot = jobs.settings.staging / f".rerun-{uuid.uuid4().hex}"
    try:
        _make(snapshot)
        inputs.lay_out_again(jobs.folder(job_id), snapshot)
        order = check_snapshot(request, snapshot, jobs.settings, jobs.environments)
        return jobs.start(order)
    finally:
        shutil.rmtree(snapshot, ignore_errors=True)


def _make(snapshot: Path) -> None:
    with staging.failing("The input of the job cannot be staged again", snapshot):
        snapshot.mkdir(mode=0o700)


def _request(job: Job, definitions: Definitions) -> JobRequest:
    same = {name: getattr(job, name) for name in SHARED}
    request = JobRequest(**same, input_uri=job.input_filename)
    definition_id = job.job_definition_id
    if definition_id is None or not definitions.jobs.records.has_definition(definition_id):
        return request
    # its record has the time of the first run filled in
    template = definitions.output_template(definition_id)
    return replace(request, job_definition_id=definition_id, output_filename_template=template)
