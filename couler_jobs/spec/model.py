"""A workflow as it was declared: what `dsl` makes and `compiler` reads. Everything is frozen.

A `Workflow` holds templates; a `Graph` template holds calls of other templates; a call's arguments
are texts in which references stand where a value comes from elsewhere. Names are already Argo's.
`place` is where in the user's program something was declared: no part of what it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import field
from typing import Any, Literal

from couler_jobs.spec.frozen import checked
from couler_jobs.spec.place import Place
from couler_jobs.spec.secret import Secret

# --- where a value comes from


@checked(frozen=True, slots=True, kw_only=True)
class Output:
    """An output of another call of the same graph."""

    task: str
    name: str = "value"  #: an output parameter's name; "result" with `kind` says standard output
    kind: Literal["parameter", "result", "artifact", "ip"] = "parameter"  #: "ip": where a daemon is
    missing: str = "null"  #: the text where the call did not run


@checked(frozen=True, slots=True, kw_only=True)
class Either:
    """The first of several outputs whose call ran."""

    outputs: tuple[Output, ...]
    missing: str = "null"  #: the text where none of them did


@checked(frozen=True, slots=True, kw_only=True)
class Input:
    """An input of the template that makes the reference."""

    name: str
    kind: Literal["parameter", "artifact"] = "parameter"
    plain: bool = False  #: where it holds the JSON of a text, that text


@checked(frozen=True, slots=True, kw_only=True)
class Less:
    """An input that is a number, less one: what is left of it in a template that calls itself."""

    name: str


@checked(frozen=True, slots=True, kw_only=True)
class Item:
    """The item of the loop that the call is part of, or one field of it."""

    key: str | None = None


@checked(frozen=True, slots=True, kw_only=True)
class Nth:
    """One text of the loop's item, where that is a JSON list of texts."""

    at: int


@checked(frozen=True, slots=True, kw_only=True)
class Variable:
    """One of Argo's own variables, such as `workflow.status`."""

    name: str


Reference = Output | Either | Input | Less | Item | Nth | Variable


@checked(frozen=True, slots=True, kw_only=True)
class Joined:
    """Text with references in it."""

    parts: tuple[str | Reference, ...]


Text = str | Joined

# --- conditions


@checked(frozen=True, slots=True, kw_only=True)
class Constant:
    """A value known at declaration: JSON text where the other side is JSON, else plain text."""

    text: str
    number: bool = False


@checked(frozen=True, slots=True, kw_only=True)
class Compare:
    """`left operator right`; `json` says that the references hold JSON text."""

    left: Reference | Constant
    operator: Literal["==", "!=", "<", "<=", ">", ">="]
    right: Reference | Constant
    json: bool = True


@checked(frozen=True, slots=True, kw_only=True)
class Truth:
    """Whether the JSON value is true in Python's sense."""

    of: Reference


@checked(frozen=True, slots=True, kw_only=True)
class Every:
    """All of the terms hold."""

    terms: tuple[Condition, ...]


@checked(frozen=True, slots=True, kw_only=True)
class Some:
    """At least one of the terms holds."""

    terms: tuple[Condition, ...]


@checked(frozen=True, slots=True, kw_only=True)
class Not:
    """The term does not hold."""

    term: Condition


Condition = Compare | Truth | Every | Some | Not

# --- templates


@checked(frozen=True, slots=True, kw_only=True)
class Parameter:
    """An input parameter; `value` is its default."""

    name: str
    value: str | None = None
    description: str = ""
    enum: tuple[str, ...] = ()  #: the values that it may have, as texts


@checked(frozen=True, slots=True, kw_only=True)
class OutputFile:
    """An output of a step: mostly the file at `path`, else what `extra` says.

    `extra` are further fields of Argo's, a JSON object: of an artifact (`s3`, `archive` ...), or of
    a parameter's `valueFrom` (`default`, `jsonPath` ...).
    """

    name: str
    path: str | None
    kind: Literal["parameter", "artifact"] = "parameter"
    global_name: str | None = None
    extra: str = "{}"


@checked(frozen=True, slots=True, kw_only=True)
class Artifact:
    """A file or folder that a template takes (`path`), or that a call gives it (`source`).

    `extra` are further fields of Argo's artifact, a JSON object: where it lies (`s3`, `raw`,
    `http` ...), `archive`, `mode`, `optional`.
    """

    name: str
    path: str | None = None
    source: Output | Either | Input | None = None
    extra: str = "{}"


@checked(frozen=True, slots=True, kw_only=True)
class Retry:
    """How often a failed step is tried again, and how long to wait in between (seconds)."""

    limit: int
    policy: Literal["Always", "OnFailure", "OnError", "OnTransientError"] = "Always"
    delay: float | None = None
    factor: float | None = None
    longest: float | None = None  #: all waiting together
    cap: float | None = None  #: one waiting; since Argo 3.7


@checked(frozen=True, slots=True, kw_only=True)
class EnvSource:
    """Where an environment variable's value comes from: `fields` is its `valueFrom`, JSON."""

    fields: str


@checked(frozen=True, slots=True, kw_only=True)
class Container:
    """What runs in a pod: a command, or a script's source that follows the command."""

    image: str
    command: tuple[Text, ...] = ()
    args: tuple[Text, ...] = ()
    source: str | None = None
    env: tuple[tuple[str, Text | EnvSource], ...] = ()
    memory: str | None = None
    cpu: str | None = None
    resources: tuple[tuple[str, str], ...] = ()  #: further ones, such as `nvidia.com/gpu`
    working_dir: str | None = None
    pull_policy: str | None = None
    extra: str = "{}"  #: further fields of the container, a JSON object


@checked(frozen=True, slots=True, kw_only=True)
class Leaf:
    """A template that calls no others."""

    name: str
    inputs: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    outputs: tuple[OutputFile, ...] = ()
    retry: Retry | None = None
    timeout: int | None = None  #: seconds
    extra: str = "{}"  #: further fields of the template, a JSON object
    place: Place | None = field(default=None, compare=False, repr=False)


@checked(frozen=True, slots=True, kw_only=True)
class Pod(Leaf):
    """A template that runs one container."""

    container: Container


@checked(frozen=True, slots=True, kw_only=True)
class ContainerSet(Pod):
    """A template that runs several containers in one pod; `container` is the one called `main`."""

    members: tuple[tuple[str, Container, tuple[str, ...]], ...]  #: name, and whom it follows
    set_extra: str = "{}"  #: further fields of the set, a JSON object


@checked(frozen=True, slots=True, kw_only=True)
class Plain(Leaf):
    """A template of another kind, in Argo's own words: `kind` is the field's name."""

    kind: Literal["resource", "http", "suspend", "containerSet", "plugin", "data"]
    fields: str = "{}"  #: what stands below it, a JSON object


@checked(frozen=True, slots=True, kw_only=True)
class TemplateRef:
    """A template of a WorkflowTemplate, or (`cluster`) of a ClusterWorkflowTemplate."""

    name: str
    template: str
    cluster: bool = False


@checked(frozen=True, slots=True, kw_only=True)
class Loop:
    """Run a call once for each item: of a list known now, of a reference's JSON list, of numbers.

    `sequence` has the fields of Argo's `withSequence`: count, or start and end, and format.
    """

    items: tuple[str | tuple[tuple[str, str], ...], ...] = ()  #: texts, or fields of texts
    over: Reference | None = None
    sequence: tuple[tuple[str, Text], ...] = ()


@checked(frozen=True, slots=True, kw_only=True)
class Call:
    """One task of a graph: a template, with arguments, after others.

    `depends` are terms that all must hold: a task's name, or `name.Failed` and the like;
    `depends_on` is a whole expression of Argo's instead.
    """

    name: str
    template: str | TemplateRef | Pod | Plain  #: by name, or one that stands in the call
    arguments: tuple[tuple[str, Text], ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    depends: tuple[str, ...] = ()
    depends_on: str | None = None
    when: Condition | None = None
    loop: Loop | None = None
    extra: str = "{}"  #: further fields of the task, a JSON object
    place: Place | None = field(default=None, compare=False, repr=False)

    def having(self, arguments: tuple[tuple[str, Text], ...]) -> Call:
        """The call with other arguments; `replace` takes three times as long."""
        return Call(
            name=self.name,
            template=self.template,
            arguments=arguments,
            artifacts=self.artifacts,
            depends=self.depends,
            depends_on=self.depends_on,
            when=self.when,
            loop=self.loop,
            extra=self.extra,
            place=self.place,
        )


@checked(frozen=True, slots=True, kw_only=True)
class Result:
    """An output of a graph; `value` is made of its calls' outputs, an artifact's of one alone."""

    name: str
    value: Text
    kind: Literal["parameter", "artifact"] = "parameter"
    global_name: str | None = None


@checked(frozen=True, slots=True, kw_only=True)
class Graph:
    """A template that calls others: in groups one after another (`steps`), or by dependencies."""

    name: str
    calls: tuple[Call, ...]
    groups: tuple[int, ...] | None = None  #: how many calls each group has; None makes a DAG
    inputs: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    results: tuple[Result, ...] = ()
    parallelism: int | None = None
    extra: str = "{}"  #: further fields of the template, a JSON object
    place: Place | None = field(default=None, compare=False, repr=False)


Template = Pod | Plain | Graph


@checked(frozen=True, slots=True, kw_only=True)
class Schedule:
    """When a workflow runs by itself: cron lines, read in a time zone ("" is UTC)."""

    lines: tuple[str, ...]
    timezone: str = ""
    concurrency: Literal["Allow", "Forbid", "Replace"] | None = None
    starting_deadline: int | None = None  #: seconds
    suspend: bool | None = None
    keep_succeeded: int | None = None
    keep_failed: int | None = None


@checked(frozen=True, slots=True, kw_only=True)
class Workflow:
    """A whole workflow; `entrypoint` and `on_exit` name templates.

    A template of workflows, which others refer to, has `name` as its name; a run's name starts so.
    """

    kind: Literal["Workflow", "WorkflowTemplate", "ClusterWorkflowTemplate"] = "Workflow"
    name: str
    entrypoint: str
    templates: tuple[Template, ...]
    parameters: tuple[Parameter, ...] = ()
    artifacts: tuple[Artifact, ...] = ()
    on_exit: str | None = None
    parallelism: int | None = None
    timeout: int | None = None  #: seconds
    labels: tuple[tuple[str, str], ...] = ()
    annotations: tuple[tuple[str, str], ...] = ()
    schedule: Schedule | None = None
    extra: str = "{}"  #: further fields of the spec, a JSON object
    secrets: tuple[Secret, ...] = ()
    finish: Callable[[dict[str, Any]], dict[str, Any]] | None = None  #: a last change, by the site
    place: Place | None = field(default=None, compare=False, repr=False)
