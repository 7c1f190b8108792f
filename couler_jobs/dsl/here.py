"""`run_here`: a declared workflow run as plain Python in this process, for unit tests.

What is interpreted is the recorded model, so conditions, loops and fallbacks are those of the
manifest; values make the same way through JSON. Retries, time-outs and images mean nothing here.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import Any

from couler_jobs.dsl import calls, graphs
from couler_jobs.dsl.calls import StepTemplate
from couler_jobs.dsl.rebuilt import plain, rebuilt
from couler_jobs.dsl.workflows import Workflow
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model, wire

FILE = "file:"
"""Before the names of inputs and outputs that are files; no parameter's name has a colon."""

_OPERATORS = {
    "==": lambda left, right: left == right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
}


def run_here(workflow: Workflow[..., Any], /, **parameters: Any) -> Any:
    """Run the steps' functions in this process, and return what the workflow returns.

    An exception of a step ends the run and is raised, after `on_exit` has run. Raises
    `DeclarationError` for what only a real run can do, such as a container step. A parameter that
    is a file takes the path of one, or `cj.raw(...)`.
    """
    if not isinstance(workflow, Workflow):
        raise DeclarationError(f"run_here runs a @cj.workflow function; {workflow!r} is none.")
    files = {n: path for n, path in parameters.items() if isinstance(path, PurePath)}
    given = {name: value for name, value in parameters.items() if name not in files}
    declared, recording = graphs.record(workflow, given)
    steps = [one for one in recording.templates if isinstance(one, StepTemplate)]
    found = {name: step.step for step in steps for name in step.by_name}
    wanted = {name: outputs for step in steps for name, outputs in step.by_name.items()}
    with tempfile.TemporaryDirectory() as folder:
        return _Run(declared, found, wanted, Path(folder)).whole(files)


class _Run:
    """One run: templates by name, and what Argo's variables say."""

    def __init__(
        self,
        workflow: model.Workflow,
        steps: Mapping[str, Any],
        wanted: Mapping[str, Any],
        folder: Path,
    ) -> None:
        self._workflow, self._steps, self._wanted = workflow, steps, wanted
        self._folder = folder
        self._templates = {template.name: template for template in workflow.templates}
        self._variables = {"workflow.name": workflow.name, "workflow.uid": "here"}
        for parameter in workflow.parameters:
            if parameter.value is None:
                raise DeclarationError(f"The parameter {parameter.name!r} has no value.")
            self._variables[f"workflow.parameters.{parameter.name}"] = parameter.value

    def whole(self, files: Mapping[str, PurePath]) -> Any:
        """Run the entrypoint, then the exit handler; answer what the entrypoint returned."""
        inputs = {p.name: p.value or "" for p in self._workflow.parameters}
        for artifact in self._workflow.artifacts:
            path = files.get(artifact.name) or _written(artifact, self._folder)
            inputs |= {FILE + artifact.name: str(path)} if path else {}
        try:
            outputs = self._graph(self._workflow.entrypoint, inputs)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            self._at_end("Failed", json.dumps([{"message": message}]))
            raise
        self._at_end("Succeeded", wire.NULL)
        results = {
            name.removeprefix(FILE): Path(text) if name.startswith(FILE) else wire.decode(text)
            for name, text in outputs.items()
            if self._is_result(name.removeprefix(FILE))
        }
        return results.get("value") if set(results) <= {"value"} else results

    def _is_result(self, name: str) -> bool:
        entry = self._templates[self._workflow.entrypoint]
        assert isinstance(entry, model.Graph)  # noqa: S101  a workflow function is a graph
        return any(result.name == name and result.global_name for result in entry.results)

    def _at_end(self, status: str, failures: str) -> None:
        self._variables |= {
            "workflow.status": status,
            "workflow.failures": wire.encode(failures),
        }
        if self._workflow.on_exit:
            self._graph(self._workflow.on_exit, {})

    def _template(self, name: str, inputs: Mapping[str, str]) -> dict[str, str]:
        if isinstance(self._templates[name], model.Graph):
            return self._graph(name, inputs)
        return self._step(name, inputs)

    def _step(self, name: str, inputs: Mapping[str, str]) -> dict[str, str]:
        """Call the function of a step; its outputs as texts by name. A pause takes no time."""
        if _is_pause(self._templates[name]):
            return {}
        if name not in self._steps:
            raise DeclarationError(f"{name} runs a container, which run_here cannot.")
        template, step = self._templates[name], self._steps[name]
        given = {p.name: p.value for p in template.inputs if p.value is not None} | dict(inputs)
        value = step.function(**self._arguments(step, given))
        returned = json.loads(wire.encode(value if step.annotations.is_plain else plain(value)))
        texts = {
            output: _output_text(returned, path, form)
            for (path, form), output in self._wanted[name].items()
        }
        return texts | {
            FILE + calls.file_name(path): _part(returned, path) for path in step.annotations.kept
        }

    def _arguments(self, step: Any, given: Mapping[str, str]) -> dict[str, Any]:
        """The arguments as the function's annotations say; a file that is not there is left out."""
        said, found = step.annotations, {}
        for parameter, name in zip(step.parameters, step.parameter_names, strict=True):
            if parameter not in said.files:
                value = wire.decode_argument(given[name], is_text=parameter in said.texts)
                is_typed = parameter in said.rebuilt
                hint = said.parameters[parameter].hint if is_typed else None
                found[parameter] = rebuilt(hint, value) if is_typed else value
            elif given.get(FILE + name):
                found[parameter] = Path(given[FILE + name])
        return found

    def _graph(self, name: str, inputs: Mapping[str, str]) -> dict[str, str]:
        graph = self._templates[name]
        assert isinstance(graph, model.Graph)  # noqa: S101  asked by the caller
        given = {p.name: p.value for p in graph.inputs if p.value is not None} | dict(inputs)
        frame = _Frame(given, self._variables, self._folder)
        for call in graph.calls:
            if call.when is None or frame.holds(call.when):
                frame.outputs[call.name] = self._call(call, frame)
        return dict(map(frame.result, graph.results))

    def _call(self, call: model.Call, frame: _Frame) -> dict[str, str]:
        template = call.template
        if not isinstance(template, str):
            raise DeclarationError(f"{call.name} calls a stored template, which run_here cannot.")
        files = frame.files(call)
        if call.loop is None:
            return self._template(template, frame.arguments(call) | files)
        rounds = [
            self._template(template, frame.arguments(call, item) | files)
            for item in frame.items(call.loop)
        ]
        names = [name for name in (rounds[0] if rounds else ()) if not name.startswith(FILE)]
        return {name: wire.encode([one[name] for one in rounds]) for name in names}


def _is_pause(template: model.Template) -> bool:
    """Whether it only waits for a time."""
    if not isinstance(template, model.Plain) or template.kind != "suspend":
        return False
    return not template.outputs and "duration" in json.loads(template.fields)


def _output_text(value: Any, path: tuple[str | int, ...], form: str) -> str:
    value = _part(value, path)
    if form == "items":
        return wire.encode([wire.encode(item) for item in value])
    return (wire.ROUND if form == "round" else "") + wire.encode(value)


def _written(artifact: model.Artifact, folder: Path) -> str | None:
    """The path of a file whose text the program says; None for one that need not be there."""
    fields = json.loads(artifact.extra)
    if "raw" in fields:
        found = folder / f"{len(list(folder.iterdir()))}-{artifact.name}"
        found.write_text(fields["raw"]["data"], encoding="utf-8")
        return str(found)
    if fields.get("optional"):
        return None
    raise DeclarationError(
        f"The file {artifact.name!r} lies where run_here cannot fetch it: give cj.raw(...), or a "
        "parameter of the workflow its path here."
    )


def _part(value: Any, path: tuple[str | int, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


class _Frame:
    """One graph while it runs: its inputs, and the outputs of the calls that ran.

    Files are among them by their paths, under names that begin with `FILE`; `folder` is for those
    whose text the program says.
    """

    def __init__(
        self, inputs: Mapping[str, str], variables: Mapping[str, str], folder: Path
    ) -> None:
        self._inputs, self._variables, self._folder = inputs, variables, folder
        self.outputs: dict[str, dict[str, str]] = {}

    def arguments(self, call: model.Call, item: Any = None) -> dict[str, str]:
        """The call's arguments as texts."""
        return {name: self.text(text, item) for name, text in call.arguments}

    def files(self, call: model.Call) -> dict[str, str]:
        """The paths of the files that the call is given."""
        return {FILE + a.name: path for a in call.artifacts if (path := self._path(a)) is not None}

    def _path(self, artifact: model.Artifact) -> str | None:
        if artifact.source is None:
            return _written(artifact, self._folder)
        return self._file(artifact.source)

    def _file(self, source: model.Reference) -> str | None:
        match source:
            case model.Output(task=task, name=name):
                return self.outputs.get(task, {}).get(FILE + name)
            case model.Either(outputs=outputs):
                ran = [output for output in outputs if output.task in self.outputs]
                return self._file(ran[0]) if ran else None
            case model.Input(name=name):
                return self._inputs.get(FILE + name)
        raise AssertionError(source)  # nothing else is a file

    def result(self, result: model.Result) -> tuple[str, str]:
        """An output of the graph by its name."""
        if result.kind == "parameter":
            return result.name, self.text(result.value)
        assert isinstance(result.value, model.Joined)  # noqa: S101  a reference to a file
        (source,) = result.value.parts
        assert not isinstance(source, str)  # noqa: S101
        return FILE + result.name, self._file(source) or ""

    def items(self, loop: model.Loop) -> list[Any]:
        """The loop's items: texts, or fields of texts."""
        if loop.over is not None:
            found: list[Any] = json.loads(self._value(loop.over, None))
            return found
        if loop.sequence:
            numbers = {name: int(self.text(text)) for name, text in loop.sequence}
            return [str(numbers["start"] + one) for one in range(numbers["count"])]
        return [one if isinstance(one, str) else dict(one) for one in loop.items]

    def text(self, text: model.Text, item: Any = None) -> str:
        """Text with all references replaced."""
        if isinstance(text, str):
            return text
        return "".join(p if isinstance(p, str) else self._value(p, item) for p in text.parts)

    def _value(self, reference: model.Reference, item: Any) -> str:
        match reference:
            case model.Output(task=task, kind="ip"):
                raise DeclarationError(f"{task} has an address only as a daemon, not in run_here.")
            case model.Output(task=task, name=name, missing=missing):
                return self.outputs[task][name] if task in self.outputs else missing
            case model.Either(outputs=outputs, missing=missing):
                ran = [output for output in outputs if output.task in self.outputs]
                return self._value(ran[0], item) if ran else missing
            case model.Input(name=name):
                return self._inputs[name]
            case model.Less(name=name):
                return str(int(self._inputs[name]) - 1)
            case model.Nth(at=at):
                return str(json.loads(item)[at])
            case model.Item(key=key):
                return str(item if key is None else item[key])
            case model.Variable(name=name):
                return self._variables[name]

    def holds(self, condition: model.Condition) -> bool:
        """Whether a condition is true now."""
        match condition:
            case model.Truth(of=reference):
                return bool(wire.decode(self._value(reference, None)))
            case model.Every(terms=terms):
                return all(self.holds(term) for term in terms)
            case model.Some(terms=terms):
                return any(self.holds(term) for term in terms)
            case model.Not(term=term):
                return not self.holds(term)
            case model.Compare():
                return self._compare(condition)

    def _compare(self, found: model.Compare) -> bool:
        left, right = self._side(found.left), self._side(found.right)
        if found.operator == "!=":
            return not _compared(left, "==", right)
        return _compared(left, found.operator, right)

    def _side(self, side: model.Reference | model.Constant) -> str:
        return side.text if isinstance(side, model.Constant) else self._value(side, None)


def _compared(left: str, operator: str, right: str) -> bool:
    """Texts that are both numbers as numbers; others are only equal or not.

    Whole numbers are equal in all their digits, which a float does not have.
    """
    whole = operator == "==" and not any(sign in left + right for sign in ".eE")
    if _number(left) and _number(right) and not whole:
        return bool(_OPERATORS[operator](float(left), float(right)))
    return operator == "==" and left == right


def _number(text: str) -> bool:
    return text.lstrip("-")[:1].isdigit()
