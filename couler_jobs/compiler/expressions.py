"""References, texts and conditions as Argo's tags and expressions."""

from __future__ import annotations

from collections.abc import Collection
from functools import lru_cache
from typing import Any, assert_never

from couler_jobs.errors import CompileError
from couler_jobs.spec import model
from couler_jobs.spec.tags import plain_text

_FALSE = ("null", "false", "0", "0.0", "-0.0", '""', "[]", "{}")


class Writer:
    """Writes what one template's calls refer to."""

    def __init__(self, prefix: str, maybe: Collection[str]) -> None:
        self.prefix = prefix  #: `tasks` in a DAG, `steps` in groups
        self._maybe = maybe  #: calls that may not run, so that their outputs may not exist
        self._arguments: dict[int, str] = {}  #: by the identity of the text

    def argument(self, text: model.Joined) -> str:
        """Text of a call's argument, written once: many calls of a graph are given the same."""
        found = self._arguments.get(id(text))
        if found is None:
            found = self._arguments[id(text)] = self.text(text)
        return found

    def text(self, text: model.Text) -> str:
        """Text with a tag for each reference."""
        if isinstance(text, str):
            return text
        if len(text.parts) == 1:  # nearly all of a big workflow's
            (part,) = text.parts
            return part if isinstance(part, str) else self.tag(part)
        return "".join([p if isinstance(p, str) else self.tag(p) for p in text.parts])

    def tag(self, reference: model.Reference) -> str:
        """`{{...}}` for a reference."""
        match reference:
            case model.Output(task=task):
                if task not in self._maybe:
                    return "{{" + self._tagged(reference) + "}}"
                return "{{=" + self.value(reference) + "}}"
            case model.Either():
                return "{{=" + self.value(reference) + "}}"
            case model.Input(plain=True):
                return "{{=" + plain_text(self.value(reference)) + "}}"
            case model.Input(name=name, kind=kind):
                return "{{inputs." + kind + "s." + name + "}}"
            case model.Less() | model.Nth():
                return "{{=" + self.value(reference) + "}}"
            case model.Item(key=key):
                return "{{item}}" if key is None else "{{item." + key + "}}"
            case model.Variable(name=name):
                return "{{" + name + "}}"
            case _:
                assert_never(reference)

    def value(self, reference: model.Reference) -> str:
        """A reference inside an expression; the fallback's text where its call did not run.

        Only this form with the status is right on every version of Argo.
        """
        match reference:
            case model.Output(task=task):
                if task not in self._maybe:
                    return self._in_expression(reference)
                return f"({self._ran(reference)} : {quoted(reference.missing)})"
            case model.Either(outputs=outputs, missing=missing):
                return f"({' : '.join(map(self._ran, outputs))} : {quoted(missing)})"
            case model.Input(name=name, kind=kind):
                return f"inputs.{kind}s" + _member(name)
            case model.Less(name=name):
                return f"string(asInt(inputs.parameters{_member(name)}) - 1)"
            case model.Nth(at=at):
                return f"jsonpath(item, '$[{at}]')"
            case model.Item(key=key):
                return "item" if key is None else "item" + _member(key)
            case model.Variable(name=name):
                return name
            case _:
                assert_never(reference)

    def _ran(self, output: model.Output) -> str:
        status = f"{self.prefix}{_member(output.task)}.status"
        return f"{status} == 'Succeeded' ? {self._in_expression(output)}"

    def value_from(self, text: model.Text) -> dict[str, str]:
        """A template's output parameter: `parameter` for a plain reference, else an expression."""
        if isinstance(text, str):
            return {"expression": quoted(text)}
        if len(text.parts) == 1 and not isinstance(text.parts[0], str):
            reference = text.parts[0]
            if not isinstance(reference, model.Either | model.Output):
                return {"parameter": self.tag(reference)}
            if isinstance(reference, model.Output) and reference.task not in self._maybe:
                return {"parameter": self.tag(reference)}
        parts = [quoted(p) if isinstance(p, str) else self.value(p) for p in text.parts]
        return {"expression": " + ".join(parts)}

    def artifact_from(self, reference: model.Output | model.Either | model.Input) -> dict[str, str]:
        """Where a template's output artifact comes from."""
        if isinstance(reference, model.Either):
            *first, last = reference.outputs
            chosen = [*map(self._ran, first), self._in_expression(last)]
            return {"fromExpression": " : ".join(chosen)}
        return {"from": self._plain_tag(reference)}

    def given_artifact(self, source: model.Output | model.Either | model.Input) -> dict[str, Any]:
        """What a call gives: optional if it may not be there. Raises CompileError for `Either`.

        Argo refuses an argument that has only `fromExpression`.
        """
        if isinstance(source, model.Either):
            raise CompileError(
                "Argo passes no artifact of one of several steps: give the steps a workflow of "
                "their own, and return cj.either(...) from it."
            )
        maybe = isinstance(source, model.Output) and source.task in self._maybe
        return {"from": self._plain_tag(source)} | ({"optional": True} if maybe else {})

    def _plain_tag(self, reference: model.Output | model.Input) -> str:
        if isinstance(reference, model.Output):
            return "{{" + self._tagged(reference) + "}}"
        return self.tag(reference)

    def _tagged(self, output: model.Output) -> str:
        return self._output(output, f".{output.task}", f".{output.name}")

    def _in_expression(self, output: model.Output) -> str:
        return self._output(output, _member(output.task), _member(output.name))

    def _output(self, output: model.Output, task: str, name: str) -> str:
        match output.kind:
            case "parameter":
                return f"{self.prefix}{task}.outputs.parameters{name}"
            case "artifact":
                return f"{self.prefix}{task}.outputs.artifacts{name}"
            case "result":
                return f"{self.prefix}{task}.outputs.result"
            case "ip":
                return f"{self.prefix}{task}.ip"

    def when(self, condition: model.Condition) -> str:
        """A call's `when`: an expression that gives true or false."""
        return "{{=" + self.condition(condition) + "}}"

    def condition(self, condition: model.Condition) -> str:
        """A condition inside an expression."""
        match condition:
            case model.Compare():
                return self._compare(condition)
            case model.Truth(of=reference):
                value = self.value(reference)
                return "(" + " && ".join(f"{value} != {quoted(f)}" for f in _FALSE) + ")"
            case model.Every(terms=terms):
                return self._joined(terms, " && ", "true")
            case model.Some(terms=terms):
                return self._joined(terms, " || ", "false")
            case model.Not(term=term):
                return f"!({self.condition(term)})"
            case _:
                assert_never(condition)

    def _joined(self, terms: tuple[model.Condition, ...], operator: str, empty: str) -> str:
        if not terms:
            return empty
        return "(" + operator.join(self.condition(term) for term in terms) + ")"

    def _compare(self, found: model.Compare) -> str:
        left, right = self._side(found.left), self._side(found.right)
        sides = [side for side in (found.left, found.right) if not isinstance(side, model.Constant)]
        guards = [f"{self.value(side)} matches '^-?[0-9]'" for side in sides]
        if found.operator in ("==", "!=") and not _numeric(found):
            same = f"{left} {found.operator} {right}"
            if len(sides) == 1 or not found.json:
                return same
            # 1 and 1.0 are equal; two whole numbers are compared in all their digits
            numbers = " && ".join([*guards, f"({left} + {right}) matches '[.eE]'"])
            return f"({numbers} ? asFloat({left}) {found.operator} asFloat({right}) : {same})"
        operator = "==" if found.operator == "!=" else found.operator
        compared = " && ".join(
            [*guards, f"{self._number(found.left)} {operator} {self._number(found.right)}"]
        )
        return f"!({compared})" if found.operator == "!=" else f"({compared})"

    def _side(self, side: model.Reference | model.Constant) -> str:
        return quoted(side.text) if isinstance(side, model.Constant) else self.value(side)

    def _number(self, side: model.Reference | model.Constant) -> str:
        return side.text if isinstance(side, model.Constant) else f"asFloat({self.value(side)})"


def _numeric(found: model.Compare) -> bool:
    return any(
        isinstance(side, model.Constant) and side.number for side in (found.left, found.right)
    )


def artifact_of(text: model.Text) -> model.Output | model.Either | model.Input:
    """The reference that an artifact's text is. Raises CompileError for any other text."""
    match text:
        case model.Joined(parts=(model.Output() | model.Either() | model.Input() as found,)):
            return found
    raise CompileError(f"{text!r} is no artifact of a step: return one, not text made of it.")


@lru_cache(maxsize=256)
def quoted(text: str) -> str:
    """Text as a literal of an expression; braces as escapes, so that no tag ends in it."""
    text = text.replace("\\", "\\\\").replace("'", "\\'").replace("\n", "\\n")
    return "'" + text.replace("{", "\\u007b").replace("}", "\\u007d") + "'"


def _member(name: str) -> str:
    return f".{name}" if name.isascii() and name.isidentifier() else f"['{name}']"
