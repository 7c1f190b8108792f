"""What a user has in hand -> a manifest: the one place that knows both `dsl` and `compiler`."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from couler_jobs.errors import DeclarationError

if TYPE_CHECKING:
    from couler_jobs.compiler.origin import Origin
    from couler_jobs.spec.model import Workflow as Model


def compile(what: Any = None, /, target: str = "4.1", **parameters: Any) -> dict[str, Any]:
    """The manifest of `what`, a plain dict, for Argo `target`.

    It is a CronWorkflow where the workflow has a schedule, else a Workflow.
    `what` is a `@workflow` function, a `spec.model.Workflow`, a manifest (answered as a copy with
    the parameters set), or nothing: then what `couler_jobs.argo` recorded, which is forgotten.
    `parameters` are values of the workflow's parameters, anything that JSON can say. Raises
    `DeclarationError` or `CompileError`. The same program gives the same bytes everywhere.
    """
    with _uncollected():
        return placed(what, target, parameters)[0]


def placed(
    what: Any, target: str, parameters: Mapping[str, Any]
) -> tuple[dict[str, Any], Origin | None]:
    """The same, and what says where in the program a part of the manifest was declared."""
    from couler_jobs.dsl.recorder import take_recorded
    from couler_jobs.dsl.workflows import Workflow
    from couler_jobs.spec import model

    if what is None:
        what = take_recorded()
    if isinstance(what, Workflow):
        with _uncollected():
            return _manifest(what.declare(**parameters), target)
    if isinstance(what, model.Workflow):
        with _uncollected():
            found, origin = _manifest(what, target)
        return _with_parameters(found, parameters), origin
    if isinstance(what, Mapping):
        return _with_parameters(dict(what), parameters), None
    raise DeclarationError(
        f"{what!r} cannot be compiled: hand in a @cj.workflow function, a manifest (a dict), or "
        "nothing after recording with couler_jobs.argo."
    )


@contextmanager
def _uncollected() -> Iterator[None]:
    """Without the collector of cycles, which takes half of a big workflow's time.

    Nearly all that a compiler makes lives until it is done, and goes without a cycle: so there is
    nothing to find.
    """
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def _manifest(workflow: Model, target: str) -> tuple[dict[str, Any], Origin]:
    from couler_jobs.compiler.compile import placed_manifest
    from couler_jobs.compiler.cron import CronOptions, cron_manifest
    from couler_jobs.compiler.origin import blamed

    found, origin = placed_manifest(workflow, target)
    if (when := workflow.schedule) is not None:
        options = CronOptions(
            timezone=when.timezone,
            concurrency=when.concurrency,
            starting_deadline=when.starting_deadline,
            suspend=when.suspend,
            keep_succeeded=when.keep_succeeded,
            keep_failed=when.keep_failed,
        )
        with blamed(lambda: workflow.place):
            found = cron_manifest(found, when.lines, target=target, options=options)
    return (found if workflow.finish is None else workflow.finish(found)), origin


def _with_parameters(found: dict[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """The manifest with the values as its arguments; its own parts are not changed."""
    from copy import deepcopy

    from couler_jobs.manifests import filled

    return filled(deepcopy(found), values) if values else found
