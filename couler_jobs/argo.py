"""Couler's own spelling: `import couler_jobs.argo as couler`."""

from __future__ import annotations

from typing import Any

from couler_jobs.dsl.couler import (
    WFStatus,
    bigger,
    bigger_equal,
    concurrent,
    config_workflow,
    create_parameter_artifact,
    dag,
    equal,
    map,
    not_equal,
    run_container,
    run_script,
    set_dependencies,
    set_exit_handler,
    smaller,
    smaller_equal,
    when,
)

__all__ = [
    "WFStatus",
    "bigger",
    "bigger_equal",
    "concurrent",
    "config_workflow",
    "create_parameter_artifact",
    "dag",
    "equal",
    "map",
    "not_equal",
    "run",
    "run_container",
    "run_script",
    "set_dependencies",
    "set_exit_handler",
    "smaller",
    "smaller_equal",
    "when",
]


def run(submitter: Any = None) -> Any:
    """Send what was recorded, which is then forgotten, also after an error.

    Without a submitter it goes where `couler_jobs.submit` sends it, and the answer is a `Run`;
    else the answer is that of `submitter.submit(manifest)`.
    """
    import couler_jobs

    if submitter is None:
        return couler_jobs.submit()
    return submitter.submit(couler_jobs.compile())
