"""What you declared -> manifest -> checked -> backend -> `Run`, or `Schedule`.

The module is not called `submit`, because `couler_jobs.submit` is the function.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from couler_jobs.backends.base import Backend
from couler_jobs.backends.choose import choose
from couler_jobs.compiler.cron import cron_name
from couler_jobs.errors import ConfigError, DeclarationError, LintError, NotFound
from couler_jobs.findings import findings_in
from couler_jobs.inputs import read_placed, refuse_while_reading
from couler_jobs.manifests import Manifest
from couler_jobs.runs.run import Run
from couler_jobs.runs.schedule import Schedule
from couler_jobs.spec import model
from couler_jobs.spec.finding import Finding, Severity
from couler_jobs.spec.names import is_subdomain
from couler_jobs.spec.secret import Secret

if TYPE_CHECKING:
    from couler_jobs.compiler.origin import Origin


def submit(
    what: object = None,
    *,
    backend: Backend | str | None = None,
    name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    wait: bool = False,
    timeout: float | None = None,
    **more_parameters: Any,
) -> Run | Any:
    """Run a workflow, and give its handle back.

    What has a schedule (a CronWorkflow manifest, `@workflow(schedule=...)`) is not run now: it is
    made or changed as `schedule()` does it, and the answer is its `Schedule`. That depends on what
    the manifest says, so the type is `Run | Any`: whoever means a schedule calls `schedule()`.
    A template runs only where a workflow refers to it: `apply_template()` stores it, and here it is
    a DeclarationError.

    `what` is a declared workflow, nothing (what Couler's names have recorded since the last
    submit), a manifest, or a path: `.py`, `flow.py:nightly`, `.yaml`, `.json`, `.ipynb`.
    `backend` is a name or an instance; `backends.choose` says what happens without one. `name` is
    the run's. Parameters are JSON values, by `parameters=` or as further keywords.
    With `wait`, the call returns at the run's end, and raises WorkflowFailed when it ended badly or
    WaitTimeout after `timeout` seconds.

    Nothing is sent when anything is wrong before: DeclarationError, CompileError, LintError,
    ConfigError. The backend's own answers are BackendError's children.
    """
    what = taken(what)
    place = choose(backend)
    target = target_of(place)
    values = {**(parameters or {}), **more_parameters}
    manifest, origin = prepare(what, target=target, name=name, parameters=values)
    sent = deliver(manifest, place, target, wait=wait, secrets=secrets_of(what), origin=origin)
    return sent.wait(timeout) if wait else sent


def deliver(
    manifest: Manifest,
    place: Backend,
    target: str,
    *,
    wait: bool = False,
    secrets: Sequence[Secret] = (),
    origin: Origin | None = None,
) -> Any:
    """Check a manifest, make the secrets that it needs, and start it, or apply its schedule.

    `origin` says where in the program a part of the manifest was declared.
    """
    refuse_template(manifest)
    _ready(manifest, place, target, secrets, origin)
    if has_schedule(manifest):
        return apply(manifest, place, target, wait=wait, origin=origin)
    return send(manifest, place)


def _ready(
    manifest: Manifest,
    place: Backend,
    target: str,
    secrets: Sequence[Secret],
    origin: Origin | None,
) -> None:
    """Check a manifest, and make the secrets that it needs."""
    check(manifest, target, origin)
    for secret in secrets:
        place.make_secret(secret)


def apply_template(
    what: object = None,
    *,
    backend: Backend | str | None = None,
    name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    **more_parameters: Any,
) -> str:
    """Store a WorkflowTemplate, or make the one of that name like it; answers its name.

    `what` is anything that `submit` takes, of the kind WorkflowTemplate: a manifest, or
    `@workflow(kind="WorkflowTemplate")`. `name` is the template's; parameters become its defaults.
    Nothing is sent when anything is wrong before (DeclarationError, CompileError, LintError).
    """
    what = taken(what)
    place = choose(backend)
    target = target_of(place)
    values = {**(parameters or {}), **more_parameters}
    manifest, origin = prepare(what, target=target, name=name, parameters=values)
    return store_template(manifest, place, target, secrets=secrets_of(what), origin=origin)


def store_template(
    manifest: Manifest,
    place: Backend,
    target: str,
    *,
    secrets: Sequence[Secret] = (),
    origin: Origin | None = None,
) -> str:
    """Check a WorkflowTemplate, make the secrets that it needs, store it; answers its name.

    Raises DeclarationError for another kind, and for a template without a name.
    """
    name = _template_name(manifest)
    _ready(manifest, place, target, secrets, origin)
    place.apply_template(manifest)
    return name


def _template_name(manifest: Mapping[str, Any]) -> str:
    kind, name = manifest.get("kind"), (manifest.get("metadata") or {}).get("name")
    if kind == "ClusterWorkflowTemplate":
        raise DeclarationError(
            f"{name or 'This'} is a ClusterWorkflowTemplate, which belongs to a whole cluster and "
            "is for its operator to store, by `kubectl apply`: make it a WorkflowTemplate."
        )
    if kind != "WorkflowTemplate":
        raise DeclarationError(f"{name or 'This'} is a {kind}, not a WorkflowTemplate.")
    if not name:
        raise DeclarationError(
            "A WorkflowTemplate needs a name, by which others refer to it: set metadata.name."
        )
    return str(name)


def secrets_of(what: object) -> tuple[Secret, ...]:
    """What has to be in the cluster before it runs, and is no part of its manifest."""
    return what.secrets if isinstance(what, model.Workflow) else ()


def taken(what: object) -> object:
    """`what`, or what has been recorded, which is forgotten at once: also if an error follows.

    Raises DeclarationError in a program that is only read.
    """
    refuse_while_reading()
    if what is not None:
        return what
    from couler_jobs.dsl.recorder import take_recorded

    return take_recorded()


def prepare(
    what: object,
    *,
    target: str,
    name: str | None = None,
    parameters: Mapping[str, Any] | None = None,
) -> tuple[Manifest, Origin | None]:
    """The manifest of `what`, with its name and its parameters' values, ready to be sent.

    Beside it is what says where in the program a part of it was declared.
    """
    if name is not None:
        _check_name(name)
    manifest, origin = read_placed(what, target, parameters)
    metadata = manifest.setdefault("metadata", {})
    if name is not None:
        metadata.pop("generateName", None)
        metadata["name"] = name
    elif not metadata.get("name") and not (has_schedule(manifest) or is_template(manifest)):
        metadata.setdefault("generateName", "workflow-")
    return manifest, origin


def _check_name(name: str) -> None:
    """Raises DeclarationError for what is no program's fault, so that none is blamed for it."""
    if not is_subdomain(name):
        raise DeclarationError(
            f"{name!r} was given as the name, by name= or --name: it holds small letters, digits, "
            "'-' and '.' only, from a letter or digit to another."
        )


def has_schedule(manifest: Mapping[str, Any]) -> bool:
    """Whether it is a CronWorkflow, to be applied, and not run once."""
    return manifest.get("kind") == "CronWorkflow"


def is_template(manifest: Mapping[str, Any]) -> bool:
    """Whether it is a template, to be stored, and run only where a workflow refers to it."""
    return manifest.get("kind") in ("WorkflowTemplate", "ClusterWorkflowTemplate")


def refuse_template(manifest: Mapping[str, Any]) -> None:
    """Raise DeclarationError, with what to do instead, for a template that is to be run."""
    if is_template(manifest):
        name = (manifest.get("metadata") or {}).get("name") or "This"
        raise DeclarationError(
            f"{name} is a {manifest['kind']}, which does not run by itself: store it, by "
            "couler_jobs.apply_template() or `couler-jobs apply`, and submit a Workflow whose "
            "workflowTemplateRef names it."
        )


def check(
    manifest: Mapping[str, Any],
    target: str,
    origin: Origin | None = None,
    *,
    unset: Severity = "error",
) -> list[Finding]:
    """The warnings about a manifest. Raises LintError, with everything found, for an error.

    They name the lines of the program where `origin` knows them. A parameter of a program that has
    no value is `unset`: what is sent needs one, what is printed does not yet.

    A field that `target` does not have is one too: Argo before 4.0 takes it and drops it in silence
    (which is why `lint`, that says what Argo says, only warns of it).
    """
    findings = findings_in(manifest, origin, target, unset=unset)
    if any(finding.severity == "error" or finding.code == "unknown-field" for finding in findings):
        raise LintError(findings)
    return findings


def send(manifest: Manifest, place: Backend) -> Run:
    """Start a checked manifest. Raises DeclarationError for one that is no run."""
    refuse_template(manifest)
    kind = manifest.get("kind")
    if kind != "Workflow":
        raise DeclarationError(f"This is a {kind}: only a Workflow is submitted to run once.")
    return Run(place.submit(manifest), place)


def apply(
    manifest: Manifest,
    place: Backend,
    target: str,
    *,
    wait: bool = False,
    origin: Origin | None = None,
) -> Schedule:
    """Check a CronWorkflow manifest and make the backend's one of that name like it.

    A manifest that does not say whether it is suspended leaves a paused schedule paused.
    Raises DeclarationError for `wait`: a schedule has no end.
    """
    if wait:
        raise DeclarationError("A schedule has no end to wait for: leave `wait` out.")
    metadata = {**(manifest.get("metadata") or {})}
    metadata["name"] = cron_name(metadata)
    metadata.pop("generateName", None)
    named = {**manifest, "metadata": metadata}
    check(named, target, origin)
    return Schedule(place.apply_cron(_still_paused(named, place)), place)


def _still_paused(manifest: Manifest, place: Backend) -> Manifest:
    spec = manifest.get("spec") or {}
    if spec.get("suspend") is not None:
        return manifest
    try:
        paused = place.get_cron(manifest["metadata"]["name"]).suspended
    except NotFound:
        paused = False
    return {**manifest, "spec": {**spec, "suspend": True}} if paused else manifest


def target_of(place: Backend) -> str:
    """The Argo version to compile and check for: of one that is newer than we know, our newest."""
    from couler_jobs.spec.versions import LATEST, parse_target

    try:
        return str(parse_target(place.version()))
    except ConfigError:
        return str(LATEST)
