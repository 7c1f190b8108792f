"""Couler's own spelling: `import couler_jobs.argo as couler`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl.control import and_, not_, or_
from couler_jobs.dsl.couler import states
from couler_jobs.dsl.couler.artifacts import (
    Artifact,
    ArtifactType,
    LocalArtifact,
    OssArtifact,
    S3Artifact,
    TypedArtifact,
    create_artifact,
    create_azure_artifact,
    create_gcs_artifact,
    create_git_artifact,
    create_http_artifact,
    create_local_artifact,
    create_oss_artifact,
    create_parameter_artifact,
    create_raw_artifact,
    create_s3_artifact,
)
from couler_jobs.dsl.couler.cache import Cache
from couler_jobs.dsl.couler.config import (
    DnsConfig,
    DnsConfigOption,
    ImagePullSecret,
    Toleration,
    add_image_pull_secret,
    add_toleration,
    config_defaults,
    config_workflow,
    set_dns,
    set_security_context,
)
from couler_jobs.dsl.couler.containers import ImagePullPolicy, run_container, run_script
from couler_jobs.dsl.couler.control import (
    WFStatus,
    concurrent,
    dag,
    exec_while,
    map,
    otherwise,
    sequence,
    set_dependencies,
    set_exit_handler,
    when,
)
from couler_jobs.dsl.couler.jobs import run_canned_step, run_job
from couler_jobs.dsl.couler.leaves import get_step_output
from couler_jobs.dsl.couler.predicates import (
    bigger,
    bigger_equal,
    equal,
    not_equal,
    smaller,
    smaller_equal,
)
from couler_jobs.dsl.couler.secrets import Secret, create_secret, get_secret, obtain_secret
from couler_jobs.dsl.couler.states import _cleanup as _cleanup
from couler_jobs.dsl.couler.states import workflow
from couler_jobs.dsl.couler.volumes import (
    Volume,
    VolumeClaimTemplate,
    VolumeMount,
    add_volume,
    create_workflow_volume,
)
from couler_jobs.submitters import (
    ArgoSubmitter,
    DockerSubmitter,
    delete,
    run,
    set_default_submitter,
)

__all__ = [
    "ArgoSubmitter",
    "Artifact",
    "ArtifactType",
    "Cache",
    "DnsConfig",
    "DnsConfigOption",
    "DockerSubmitter",
    "ImagePullPolicy",
    "ImagePullSecret",
    "LocalArtifact",
    "OssArtifact",
    "S3Artifact",
    "Secret",
    "Toleration",
    "TypedArtifact",
    "Volume",
    "VolumeClaimTemplate",
    "VolumeMount",
    "WFStatus",
    "add_image_pull_secret",
    "add_toleration",
    "add_volume",
    "and_",
    "bigger",
    "bigger_equal",
    "concurrent",
    "config_defaults",
    "config_workflow",
    "create_artifact",
    "create_azure_artifact",
    "create_gcs_artifact",
    "create_git_artifact",
    "create_http_artifact",
    "create_local_artifact",
    "create_oss_artifact",
    "create_parameter_artifact",
    "create_raw_artifact",
    "create_s3_artifact",
    "create_secret",
    "create_workflow_volume",
    "dag",
    "delete",
    "equal",
    "exec_while",
    "get_secret",
    "get_step_output",
    "map",
    "not_",
    "not_equal",
    "obtain_secret",
    "or_",
    "otherwise",
    "run",
    "run_canned_step",
    "run_container",
    "run_job",
    "run_script",
    "sequence",
    "set_default_submitter",
    "set_dependencies",
    "set_dns",
    "set_exit_handler",
    "set_security_context",
    "smaller",
    "smaller_equal",
    "states",
    "validate_workflow_yaml",
    "when",
    "workflow",
    "workflow_yaml",
]


def workflow_yaml() -> dict[str, Any]:
    """The manifest of what has been recorded so far, a plain dict; nothing is forgotten."""
    return workflow.to_dict()


def validate_workflow_yaml(original_wf: Mapping[str, Any]) -> None:
    """Check a manifest. Raises LintError, with everything that is wrong, if Argo refused it."""
    from couler_jobs.submission import check

    check(original_wf, "4.1")
