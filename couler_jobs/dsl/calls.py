"""Calls of steps: their arguments, and the templates that they are calls of."""

from __future__ import annotations

import inspect
import json
import pathlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from couler_jobs.dsl import memo, recorder, typed, values
from couler_jobs.dsl.fits import Check, refuse_defaults, refuse_unfit
from couler_jobs.dsl.footer import Typed, step_script
from couler_jobs.dsl.locations import Location
from couler_jobs.dsl.place import placed
from couler_jobs.dsl.producers import CallValue, Form, Outputs, Path
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import parameter_name
from couler_jobs.spec.place import Place

if TYPE_CHECKING:
    from couler_jobs.dsl.hooks import Hook
    from couler_jobs.dsl.steps import Step

OUTPUT_FOLDER = "/tmp/couler-jobs"  # noqa: S108  a folder in the step's own container
FILE_FOLDER = "/tmp/couler-jobs-files"  # noqa: S108  likewise
ARGUMENT_VARIABLE = "COULER_JOBS_ARG_"
LONGEST_ARGUMENT = 131_000
"""Bytes: Linux takes 128 KiB for a variable with its name."""


def record_call(
    scope: recorder.Scope,
    target: Step[..., Any],
    bound: Mapping[str, Any],
    after: Any = None,
    place: Place | None = None,
) -> values.Handle:
    """Add a call of the step to the graph; the answer is its value's handle."""
    template = template_of(scope.recording, target)
    artifacts: Sources = ()
    sources: list[values.Handle] = []
    if files := target.annotations.files:
        bound, artifacts, sources = file_arguments(files, bound)
    arguments, handles = argument_texts(bound)
    refuse_unfit(target.function.__name__, target.checks, bound)
    depends = depends_on(scope, [*handles, *sources] if sources else handles, after)
    task = scope.record(
        target.name, template.name, arguments, depends, artifacts=artifacts, place=place
    )
    if target.options.hooks:
        add_hooks(scope, task, target.options.hooks)
    return values.Handle(CallValue(scope, task, template))


def depends_on(
    scope: recorder.Scope, handles: Sequence[values.Handle], after: Any = None
) -> dict[str, None]:
    """The calls that one with these values follows: theirs, those after which, and conditions'."""
    depends = scope.tasks_of(handles)
    if after is not None:
        depends |= scope.tasks_of(followed(after))
    if scope.conditions:
        depends.update(dict.fromkeys(scope.condition_tasks()))
    return depends


def add_hooks(scope: recorder.Scope, task: str, hooks: Sequence[Hook]) -> None:
    """Let the last call, which is called `task`, have these hooks."""
    from couler_jobs.dsl.graphs import hook_fields

    found = hook_fields(scope.recording, hooks, f"tasks['{task}']", task)
    scope.extend(extra=json.dumps({"hooks": found}))


def argument_texts(bound: Mapping[str, Any]) -> tuple[recorder.Arguments, list[values.Handle]]:
    """The arguments as JSON texts by parameter name, and the handles in them."""
    arguments: list[tuple[str, model.Text]] = []
    handles: list[values.Handle] = []
    for name, value in bound.items():
        if type(value) is int:
            arguments.append((parameter_name(name), str(value)))
            continue
        try:
            if type(value) is values.Handle:
                handles.append(here := values.inside(value))
                text = values.text_of(here)
                values.refuse_files_inside(here)
            else:
                text, found = values.text(value)
                for one in found:
                    values.refuse_files_inside(one)
                handles += found
        except DeclarationError as error:
            raise DeclarationError(f"The argument {name!r}: {error}") from None
        if type(text) is str and len(text) > LONGEST_ARGUMENT:
            raise DeclarationError(
                f"The argument {name!r} has {len(text) // 1024} KiB as JSON, and a step takes 128 "
                "KiB: let the step read it from a file."
            )
        arguments.append((parameter_name(name), text))
    return tuple(arguments), handles


Sources = tuple[model.Artifact, ...]


def file_arguments(
    files: Collection[str], bound: Mapping[str, Any]
) -> tuple[dict[str, Any], Sources, list[values.Handle]]:
    """The arguments that are no files; those that are; and the handles of these."""
    found: list[model.Artifact] = []
    handles: list[values.Handle] = []
    for name in files:
        value = values.inside(bound.get(name))
        if value is None:
            continue  # its default: a file that need not be there
        if isinstance(value, values.Handle) and (source := values.file_of(value)) is not None:
            found.append(model.Artifact(name=parameter_name(name), source=source))
            handles.append(value)
        elif isinstance(value, Location):
            found.append(model.Artifact(name=parameter_name(name), extra=value.fields))
        else:
            raise DeclarationError(
                f"The argument {name!r} is a file, and {value!r} is none: give what a step returns "
                "that is annotated with Path, or where a file lies, such as cj.s3(...)."
            )
    return {n: value for n, value in bound.items() if n not in files}, tuple(found), handles


def file_name(path: Path) -> str:
    """The name of the output artifact that is this part of a value."""
    return "-".join(["file", *(parameter_name(str(part)) for part in path)])


def followed(after: Any) -> list[values.Handle]:
    """The handles of calls that `after=` holds, one or a list."""
    several = after if isinstance(after, list | tuple) else [after]
    for one in several:
        if not isinstance(one, values.Handle) or not values.producer_of(one).tasks:
            raise DeclarationError(
                f"after={one!r}: a step can only follow a call of the same workflow; "
                "pass what that call returned."
            )
    return list(several)


Wanted = Mapping[tuple[Path, Form], str]
WHOLE: Wanted = {((), "value"): "value"}


class StepTemplate:
    """One step's templates: equal but for the outputs that their scripts write."""

    def __init__(self, recording: recorder.Recording, target: Step[..., Any]) -> None:
        self.step, self.text = target, target.shipped()
        self.name = recording.names.take(target.name)
        recording.claims.update(dict.fromkeys(target.options.claims))
        self.may_hold_files = typed.holds_file(target.annotations.value.hint)
        self.by_name: dict[str, Wanted] = {}
        self._names: dict[frozenset[Any], str] = {}
        self._recording = recording

    def is_json(self, path: Path) -> bool:
        """What a step returns is."""
        return True

    def hint(self, path: Path) -> Any:
        """What the step's annotation of its value says of the part at `path`."""
        return typed.part_of(self.step.annotations.value.hint, path)

    def written(self, path: Path) -> Any:
        """The same as far as it tells what JSON has there."""
        hint = self.step.annotations.value.hint
        return typed.written_part_of(hint, path) if path else hint

    def file(self, path: Path) -> str | None:
        """The output artifact that is the part at `path`."""
        kept = self.step.annotations.kept
        return file_name(path) if kept and path in kept else None

    def output(self, scope: recorder.Scope, task: str, path: Path, form: Form) -> str:
        """The output's name; all but the whole value make a template of their own."""
        if not path and form == "value":
            return form
        asked = scope.outputs.setdefault(task, Outputs())
        self._recording.varying[self.name] = self
        return asked.name(path, form)

    def having(self, wanted: Wanted) -> str:
        """The name of the template with these outputs and the whole value."""
        key = frozenset(wanted)
        if key not in self._names:
            name = self._recording.names.take(self.step.name) if self._names else self.name
            self._names[key] = name
            self.by_name[name] = {**WHOLE, **wanted}
        return self._names[key]

    def settle(self) -> bool:
        """Nothing is open: what is asked for is known by the calls."""
        return False

    def templates(self) -> Iterator[model.Pod]:
        """The templates that are called."""
        if not self.by_name:
            self.having({})
        for name, wanted in self.by_name.items():
            with placed(self.step.function):
                pod = self._pod(name, wanted)
            yield pod

    def _pod(self, name: str, wanted: Wanted) -> model.Pod:
        step, options = self.step, self.step.options
        annotations = step.annotations
        names = [name for name in step.parameters if name not in annotations.files]
        more = _typed(annotations)
        texts = annotations.texts
        script = step_script(step.function.__name__, self.text, names, wanted, more, texts)
        return model.Pod(
            name=name,
            container=model.Container(
                image=options.image,
                command=("python",),
                source=script,
                env=(*options.env, *map(_argument_variable, map(parameter_name, names))),
                memory=options.memory,
                cpu=options.cpu,
                resources=options.resources,
                working_dir=options.working_dir,
                pull_policy=options.pull_policy,
                extra=with_mounts(options.container_extra, self._recording.mounts),
            ),
            inputs=tuple(input_parameters(step.signature, annotations, step.checks)),
            artifacts=tuple(input_files(step.signature, annotations.files, "in")),
            outputs=(
                *(
                    model.OutputFile(name=output, path=f"{OUTPUT_FOLDER}/{output}")
                    for output in wanted.values()
                ),
                *map(_output_file, annotations.kept.items()),
            ),
            retry=options.retry,
            timeout=options.timeout,
            extra=self._extra(script, names),
            place=Place(step.function.__code__),
        )

    def _extra(self, script: str, names: Sequence[str]) -> str:
        step, options = self.step, self.step.options
        if options.cache is None:
            return options.extra
        memo.refuse_files(step.name, step.annotations.files)
        folder = pathlib.Path(step.function.__code__.co_filename).parent
        found = memo.memoize(
            step.name,
            options.cache,
            map(parameter_name, names),
            [
                script,
                options.image,
                memo.env_of(options.env),
                memo.digests(options.cache_files, folder),
            ],
        )
        return memo.with_memoize(options.extra, found)


def with_mounts(extra: str, mounts: Sequence[Mapping[str, Any]]) -> str:
    """A container's further fields with the mounts of the whole workflow; its own go first."""
    if not mounts:
        return extra
    found = json.loads(extra)
    own = found.get("volumeMounts", [])
    paths = {mount["mountPath"] for mount in own}
    more = [mount for mount in mounts if mount["mountPath"] not in paths]
    return json.dumps(found | {"volumeMounts": [*own, *more]})


def _typed(annotations: typed.Annotations) -> Typed | None:
    """What the script has to know beside JSON; None where there is nothing."""
    if not (annotations.rebuilt or annotations.files) and annotations.is_plain:
        return None
    return Typed(
        names=annotations.rebuilt,
        files={name: _path(name, one) for name, one in annotations.files.items()},
        kept={path: _kept_path(path, one) for path, one in annotations.kept.items()},
    )


def _path(name: str, location: Location) -> str:
    return location.path or f"{FILE_FOLDER}/in/{parameter_name(name)}"


def _kept_path(path: Path, location: Location) -> str:
    return location.path or f"{FILE_FOLDER}/out/{file_name(path)}"


def _output_file(kept: tuple[Path, Location]) -> model.OutputFile:
    path, location = kept
    return model.OutputFile(
        name=file_name(path),
        path=_kept_path(path, location),
        kind="artifact",
        extra=location.fields,
    )


def input_files(
    signature: inspect.Signature, files: Mapping[str, Location], folder: str = ""
) -> Iterator[model.Artifact]:
    """A template's input artifacts; with `folder` it has them in its container."""
    for name, location in files.items():
        fields = location.mapping() if folder else {}
        if signature.parameters[name].default is None:
            fields["optional"] = True
        path = _path(name, location) if folder else None
        yield model.Artifact(name=parameter_name(name), path=path, extra=json.dumps(fields))


def _argument_variable(name: str) -> tuple[str, model.Text]:
    return ARGUMENT_VARIABLE + name, model.Joined(parts=(model.Input(name=name),))


def template_of(recording: recorder.Recording, target: Step[..., Any]) -> StepTemplate:
    """The step's template in this recording, made at its first call."""
    found: StepTemplate | None = recording.made.get(target)
    if found is None:
        found = StepTemplate(recording, target)
        recording.made[target] = found
        recording.templates.append(found)
    return found


def input_parameters(
    signature: inspect.Signature, annotations: typed.Annotations, checks: tuple[Check, ...]
) -> Iterator[model.Parameter]:
    """A template's inputs that are no files, with their defaults."""
    refuse_defaults(checks)
    for parameter in signature.parameters.values():
        if parameter.name in annotations.files:
            continue
        name = parameter_name(parameter.name)
        said = annotations.parameters.get(parameter.name, typed.NOTHING).description
        if parameter.default is parameter.empty:
            yield model.Parameter(name=name, description=said)
            continue
        try:
            value = typed.encode(parameter.default)
            yield model.Parameter(name=name, value=value, description=said)
        except DeclarationError as error:
            raise DeclarationError(f"The default of {parameter.name!r}: {error}") from None
