"""`withItems`, `withParam`, `withSequence`: one step becomes many, and their outputs one list."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from couler_jobs.backends.local.engine.records import Node
from couler_jobs.backends.local.engine.tags import TagError, Unresolved, parsed, replace_tags
from couler_jobs.backends.local.engine.templates import value_text
from couler_jobs.backends.local.engine.variables import Variables
from couler_jobs.spec.expressions import ExpressionError, gotext, should_run
from couler_jobs.spec.status import Phase

LOOPS = ("withItems", "withParam", "withSequence")
Step = dict[str, Any]


def loops(step: Mapping[str, Any]) -> bool:
    """Whether a step is expanded; an empty `withItems` counts as none."""
    return any(step.get(key) for key in LOOPS) or step.get("withSequence") is not None


def expanded(step: Step, variables: Variables) -> list[Step]:
    """The steps it becomes, each with its own name and its item in place of `{{item}}`."""
    items = _items(step)
    when = str(step.get("when", ""))
    one = {key: value for key, value in step.items() if key not in LOOPS}
    text = json.dumps(one, ensure_ascii=False)
    unresolved = Unresolved.LEFT if _surely_skipped(when) else Unresolved.FAIL
    return [
        _step(text, step, index, item, variables, unresolved) for index, item in enumerate(items)
    ]


def _surely_skipped(when: str) -> bool:
    try:
        return not should_run(when)
    except ExpressionError:
        return False


def _items(step: Step) -> Sequence[Any]:
    if step.get("withItems"):
        items: Sequence[Any] = step["withItems"]
        return items
    try:
        if step.get("withParam"):
            return _from_text(str(step["withParam"]))
        return _counted(step["withSequence"])
    except TagError:
        if _surely_skipped(str(step.get("when", ""))):
            return ()
        raise


def _from_text(text: str) -> Sequence[Any]:
    try:
        items = json.loads(text, parse_float=gotext.Written)
        if items is None:
            return ()
        if not isinstance(items, list):
            raise ValueError(
                f"json: cannot unmarshal {_json_kind(items)} into Go value of type []v1alpha1.Item"
            )
    except (ValueError, RecursionError) as error:
        reason = gotext.json_error(text) if isinstance(error, json.JSONDecodeError) else error
        raise TagError(
            f"withParam value could not be parsed as a JSON list: {text.strip()}: {reason}"
        ) from None
    return items


def _json_kind(value: Any) -> str:
    kinds = {bool: "bool", str: "string", dict: "object"}
    return kinds.get(type(value), "number")


def _counted(sequence: Mapping[str, Any]) -> list[str]:
    start = _number(sequence.get("start"), 0)
    if sequence.get("end") is not None:
        end = _number(sequence["end"], 0)
    elif sequence.get("count") is not None:
        count = _number(sequence["count"], 0)
        if count == 0:
            return []
        end = start + count - 1
    else:
        raise TagError("neither end nor count was specified in withSequence")
    step = 1 if start <= end else -1
    pattern = sequence.get("format") or "%d"
    return [_formatted(pattern, number) for number in range(start, end + step, step)]


def _number(value: Any, default: int) -> int:
    text = value_text(default if value is None else value)
    if not re.fullmatch(r"[+-]?\d+", text):
        quoted = gotext.json_string(text)
        raise TagError(f"strconv.Atoi: parsing {quoted}: invalid syntax")
    return int(text)


def _formatted(pattern: str, number: int) -> str:
    """The number as `fmt.Sprintf` of Go writes it, and what that says of a wrong format."""
    numbers = [number]

    def one(verb: re.Match[str]) -> str:
        if verb[2] == "%":
            return "%"
        if not numbers:
            return f"%!{verb[2]}(MISSING)"
        value = numbers.pop()
        known = verb[2] in "vdxXo"
        kind = verb[2].replace("v", "d")
        return f"%{verb[1]}{kind}" % value if known else f"%!{verb[2]}(int={value})"

    text = _VERB.sub(one, pattern)
    return f"{text}%!(EXTRA int={number})" if numbers else text


_VERB = re.compile(r"%([-+# 0]*\d*)([a-zA-Z%])")


def item_text(item: Any) -> str:
    """What `{{item}}` becomes."""
    return item if isinstance(item, str) else gotext.to_json(item)


def _float_text(number: float) -> str:
    text = json.dumps(number)
    return gotext.to_json(number) if "e" in text or isinstance(number, gotext.Written) else text


def _part(item: Any) -> str:
    """A part of an item as Argo prints it: a text keeps the escapes that it has in JSON."""
    if isinstance(item, float):
        return _float_text(item)
    text = json.dumps(item, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return text[1:-1] if isinstance(item, str) else text


def _printed(item: Any) -> str:
    """An item as it stands in a node's name."""
    if isinstance(item, Mapping):
        return ",".join(sorted(f"{key}:{_part(value)}" for key, value in item.items()))
    if isinstance(item, list):
        return "[" + " ".join(_part(one) for one in item) + "]"
    return "[]" if item is None else _part(item)


def _step(
    text: str,
    step: Step,
    index: int,
    item: Any,
    variables: Variables,
    unresolved: Unresolved,
) -> Step:
    values = {"item": item_text(item)}
    if isinstance(item, Mapping):
        values |= {f"item.{key}": _part(value) for key, value in item.items()}
    new: Step = parsed(replace_tags(text, Variables(variables, values), unresolved))
    shown = _printed(item).replace("(", "").replace(")", "")
    new["name"] = f"{step['name']}({index}:{shown})"
    return new


def loop_index(name: str) -> int:
    """The index in a node's name: 3 of `a(3:x)`."""
    return int(name.rpartition("(")[2].partition(":")[0])


def aggregated(root: str, name: str, nodes: Iterable[Node]) -> dict[str, str]:
    """The variables of a loop: results and output parameters of all its steps, as JSON lists."""
    done = [n for n in nodes if not (n.hooked or n.retried)]
    if not done:
        return {}
    ended = [
        n for n in sorted(done, key=lambda n: loop_index(n.name)) if n.phase is Phase.SUCCEEDED
    ]
    rows = [n.outputs["parameters"] for n in ended if n.outputs.get("parameters")]
    columns: dict[str, list[str]] = {}
    for row in rows:
        for key, value in row.items():
            columns.setdefault(key, []).append(value)
    results = [_result(n.outputs["result"]) for n in ended if n.outputs.get("result") is not None]
    values = {
        f"{root}.{name}.outputs.result": gotext.to_json(results),
        f"{root}.{name}.outputs.parameters": gotext.to_json(rows),
    }
    for key, column in columns.items():
        values[f"{root}.{name}.outputs.parameters.{key}"] = _column(column)
    return values


def _result(text: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise TagError(gotext.json_error(text)) from None


def _column(values: list[str]) -> str:
    """Lists and objects stay what they are if every value is one; else all are texts."""
    try:
        read = [json.loads(value) for value in values]
    except (ValueError, RecursionError):
        return gotext.to_json(values)
    compound = all(isinstance(value, list | dict) for value in read)
    return gotext.to_json(read if compound else values)
