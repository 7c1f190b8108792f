"""The labels by which a run, its job and its owner are found again. Pure."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

PREFIX = "argo-workflows-executor"
JOB_ID = f"{PREFIX}/job-id"
JOB_DEFINITION_ID = f"{PREFIX}/job-definition-id"
OWNER = f"{PREFIX}/owner"
HOME = f"{PREFIX}/home"

LONGEST = 63
"""Characters of a label's value (Kubernetes, "Labels and Selectors", syntax and character set)."""
_LEGAL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")


def legal(value: str) -> str:
    """A label value for any text: itself where Kubernetes allows it, else a part and a hash.

    Different texts give different values, so `_bob` and `bob` stay two owners.
    """
    if _LEGAL.fullmatch(value):
        return value
    digest = hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()[:10]
    readable = re.sub(r"[^A-Za-z0-9_.-]+", "-", value).strip("_.-")[: LONGEST - len(digest) - 1]
    return f"{readable}-{digest}" if readable else digest


def job_labels(*, job_id: str, owner: str, job_definition_id: str | None = None) -> dict[str, str]:
    """The labels of a job's workflow. `owner` is what the server knows, not what a client sent."""
    labels = {JOB_ID: legal(job_id), OWNER: legal(owner)}
    if job_definition_id:
        labels[JOB_DEFINITION_ID] = legal(job_definition_id)
    return labels


def workflow_name(job_id: str) -> str:
    """The workflow of a one-off job; its name makes that a job is never run twice."""
    return f"job-{job_id}"


def definition_labels(*, job_definition_id: str, owner: str) -> dict[str, str]:
    """The labels of a definition's cron workflow and of its ticks' workflows."""
    return {JOB_DEFINITION_ID: legal(job_definition_id), OWNER: legal(owner)}


def cron_name(job_definition_id: str) -> str:
    """The cron workflow of a definition; its name makes that there is never a second one."""
    return f"def-{job_definition_id}"


def home_labels(owner: str, staging: Path) -> dict[str, str]:
    """What all runs of one home have in common: whose it is, and where its files lie.

    Two homes may share an owner and a namespace, and neither is to touch the other's runs.
    """
    place = hashlib.sha256(str(staging).encode("utf-8", "surrogatepass")).hexdigest()[:16]
    return {OWNER: legal(owner), HOME: place}
