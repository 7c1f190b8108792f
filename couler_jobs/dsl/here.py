"""`run_here`: a declared workflow run as plain Python in this process, for unit tests.

What is interpreted is the recorded model, so conditions, loops and fallbacks are those of the
manifest; values make the same way through JSON. Retries, time-outs and images mean nothing here.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from couler_jobs.dsl import graphs
from couler_jobs.dsl.calls import StepTemplate
from couler_jobs.dsl.workflows import Workflow
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model, wire

Values = dict[str, Any]

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
    `DeclarationError` for what only a real run can do, such as a container step.
    """
    if not isinstance(workflow, Workflow):
        raise DeclarationError(f"run_here runs a @cj.workflow function; {workflow!r} is none.")
    declared, recording = graphs.record(workflow, parameters)
    steps = [one for one in recording.templates if isinstance(one, StepTemplate)]
    found = {name: step.step for step in steps for name in step.by_name}
    wanted = {name: outputs for step in steps for name, outputs in step.by_name.items()}
    return _Run(declared, found, wanted).whole()


class _Run:
    """One run: templates by name, and what Argo's variables say."""

    def __init__(
        self, workflow: model.Workflow, steps: Mapping[str, Any], wanted: Mapping[str, Any]
    ) -> None:
        self._workflow, self._steps, self._wanted = workflow, steps, wanted
        self._templates = {template.name: template for template in workflow.templates}
        self._variables = {"workflow.name": workflow.name, "workflow.uid": "here"}
        for parameter in workflow.parameters:
            if parameter.value is None:
                raise DeclarationError(f"The parameter {parameter.name!r} has no value.")
            self._variables[f"workflow.parameters.{parameter.name}"] = parameter.value

    def whole(self) -> Any:
        """Run the entrypoint, then the exit handler; answer what the entrypoint returned."""
        inputs = {p.name: p.value or "" for p in self._workflow.parameters}
        try:
            outputs = self._graph(self._workflow.entrypoint, inputs)
        except Exception as error:
            message = f"{type(error).__name__}: {error}"
            self._at_end("Failed", json.dumps([{"message": message}]))
            raise
        self._at_end("Succeeded", wire.NULL)
        results = {r: wire.decode(text) for r, text in outputs.items() if self._is_result(r)}
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
        """Call the function of a step; its outputs as texts by name."""
        if name not in self._steps:
            raise DeclarationError(f"{name} runs a container, which run_here cannot.")
        template, step = self._templates[name], self._steps[name]
        given = {p.name: p.value for p in template.inputs if p.value is not None} | dict(inputs)
        names = zip(step.parameters, step.parameter_names, strict=True)
        arguments = {p: wire.decode(given[n]) for p, n in names}
        returned = json.loads(wire.encode(step.function(**arguments)))
        return {
            output: _output_text(returned, path, form)
            for (path, form), output in self._wanted[name].items()
        }

    def _graph(self, name: str, inputs: Mapping[str, str]) -> dict[str, str]:
        graph = self._templates[name]
        assert isinstance(graph, model.Graph)  # noqa: S101  asked by the caller
        given = {p.name: p.value for p in graph.inputs if p.value is not None} | dict(inputs)
        frame = _Frame(given, self._variables)
        for call in graph.calls:
            if call.when is None or frame.holds(call.when):
                frame.outputs[call.name] = self._call(call, frame)
        return {result.name: frame.text(result.value) for result in graph.results}

    def _call(self, call: model.Call, frame: _Frame) -> dict[str, str]:
        template = call.template
        if not isinstance(template, str):
            raise DeclarationError(f"{call.name} calls a stored template, which run_here cannot.")
        if call.loop is None:
            return self._template(template, frame.arguments(call))
        rounds = [
            self._template(template, frame.arguments(call, item)) for item in frame.items(call.loop)
        ]
        names = rounds[0] if rounds else ()
        return {name: wire.encode([one[name] for one in rounds]) for name in names}


def _output_text(value: Any, path: tuple[str | int, ...], form: str) -> str:
    for key in path:
        value = value[key]
    if form == "items":
        return wire.encode([wire.encode(item) for item in value])
    return (wire.ROUND if form == "round" else "") + wire.encode(value)


class _Frame:
    """One graph while it runs: its inputs, and the outputs of the calls that ran."""

    def __init__(self, inputs: Mapping[str, str], variables: Mapping[str, str]) -> None:
        self._inputs, self._variables = inputs, variables
        self.outputs: dict[str, dict[str, str]] = {}

    def arguments(self, call: model.Call, item: Any = None) -> dict[str, str]:
        """The call's arguments as texts."""
        return {name: self.text(text, item) for name, text in call.arguments}

    def items(self, loop: model.Loop) -> list[Any]:
        """The loop's items: texts, or fields of texts."""
        if loop.over is not None:
            found: list[Any] = json.loads(self._value(loop.over, None))
            return found
        return [one if isinstance(one, str) else dict(one) for one in loop.items]

    def text(self, text: model.Text, item: Any = None) -> str:
        """Text with all references replaced."""
        if isinstance(text, str):
            return text
        return "".join(p if isinstance(p, str) else self._value(p, item) for p in text.parts)

    def _value(self, reference: model.Reference, item: Any) -> str:
        match reference:
            case model.Output(task=task, name=name, missing=missing):
                return self.outputs[task][name] if task in self.outputs else missing
            case model.Either(outputs=outputs):
                ran = [output for output in outputs if output.task in self.outputs]
                return self._value(ran[0], item) if ran else wire.NULL
            case model.Input(name=name):
                return self._inputs[name]
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
    """Texts that are both numbers as numbers; others are only equal or not."""
    if _number(left) and _number(right):
        return bool(_OPERATORS[operator](float(left), float(right)))
    return operator == "==" and left == right


def _number(text: str) -> bool:
    return text.lstrip("-")[:1].isdigit()
