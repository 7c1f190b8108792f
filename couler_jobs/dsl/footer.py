"""The last lines of a step's script: read the arguments, call the function, write its value."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from couler_jobs.dsl import rebuilt
from couler_jobs.dsl.producers import Form, Path
from couler_jobs.dsl.source import literal
from couler_jobs.spec.names import parameter_name

_FOOTER = r'''

def _run_step(function, parameters, outputs, texts=()):
    """Read the arguments, call the function, write its value; couler_jobs wrote this."""
    import json, os, re, sys

    def explain(*error):  # lines count from their `def`; those that couler_jobs wrote are left out
        import ast, linecache, traceback

        every, here = [traceback.TracebackException(*error)], _run_step.__code__.co_filename
        body = ast.parse("".join(linecache.getlines(here))).body
        end = globals().get("_typed", _run_step).__code__.co_firstlineno
        for one in every:
            one.stack[:] = [f for f in one.stack if f.filename != here or f.lineno < end]
            for frame in [f for f in one.stack if f.filename == here]:
                node = next(node for node in body if node.end_lineno >= frame.lineno)
                frame.filename = f"<{getattr(node, 'name', 'script')}>"
                for word in ("lineno", "end_lineno"):  # the second: since Python 3.11
                    if getattr(frame, word, None):
                        setattr(frame, word, getattr(frame, word) - node.lineno + 1)
            more = [one.__cause__, one.__context__, *(getattr(one, "exceptions", None) or ())]
            every += [error for error in more if error]
        sys.stderr.writelines(every[0].format())

    def read(text):
        text = text.removeprefix("couler_jobs.json:")
        try:
            return json.loads(text, object_hook=told, parse_constant=int)
        except ValueError:
            return text

    def told(found):
        name, value = next(iter(found.items())) if len(found) == 1 else ("", None)
        if name == "couler_jobs.literal":
            return dict(value)
        if name != "couler_jobs.texts":
            return found
        return read(value) if isinstance(value, str) else [read(text) for text in value]

    def literal(value):
        if isinstance(value, dict):
            value = {key: literal(item) for key, item in value.items()}
            alike = [*value] in (["couler_jobs.texts"], ["couler_jobs.literal"])
            return {"couler_jobs.literal": [*value.items()]} if alike else value
        return [literal(item) for item in value] if isinstance(value, (list, tuple)) else value

    def escape(string):
        return string[0].replace("{", "\\u007b").replace("$", "\\u0024")

    def write(value, at):
        try:
            text = json.dumps(literal(value), allow_nan=False)
        except (TypeError, ValueError) as error:
            listed = isinstance(value, (list, tuple)) and enumerate(value)
            for key, item in value.items() if isinstance(value, dict) else listed or ():
                write(item, f"{at}[{key!r}]")
            sys.exit(f"The step's value{at} cannot travel: {error}")
        return re.sub(r'"(?:[^"\\]|\\.)*"', escape, text)

    def argument(name, text):
        value = read(text)
        is_text = name in texts and not text.startswith("couler_jobs.json:")
        return text if is_text and not isinstance(value, (str, type(None))) else value

    sys.excepthook = explain
    given = {p: os.environ["COULER_JOBS_ARG_" + name] for p, name in parameters.items()}
    value = function(**{p: argument(p, text) for p, text in given.items()})
    for name, (path, form) in outputs.items():
        part, at = value, ""
        try:
            for key in path:
                part, at = part[key], f"{at}[{key!r}]"
            if form == "items":
                part = [write(item, f"{at}[{number}]") for number, item in enumerate(part)]
        except (LookupError, TypeError) as error:
            sys.exit(f"The step's value{at} is of type {type(part).__name__}: {error!r}")
        text = write(part, at)
        text = "couler_jobs.json:" + text if form == "round" else text
        if len(text) > 131000:
            sys.exit(f"{name} is {len(text)} bytes; Argo carries 128 KiB: return a Path")
        os.makedirs("/tmp/couler-jobs", exist_ok=True)
        with open("/tmp/couler-jobs/" + name, "w") as file:
            file.write(text)


'''


@dataclass(frozen=True, slots=True, kw_only=True)
class Typed:
    """What a step has that is more than JSON: what `rebuilt.call_typed` is told."""

    names: Sequence[str]  #: parameters to rebuild
    files: Mapping[str, str]  #: where each file is, by parameter
    kept: Mapping[Path, str]  #: where the parts of the value that are files have to be


def step_script(
    function: str,
    text: str,
    parameters: Sequence[str],
    outputs: Mapping[tuple[Path, Form], str],
    typed: Typed | None = None,
    texts: Sequence[str] = (),
) -> str:
    """The whole script of a step: `text` defines `function`; `outputs` are the files to write.

    `texts` are the parameters that take nothing but texts: see `wire.decode_argument`.
    """
    names = {parameter: parameter_name(parameter) for parameter in parameters}
    files = {name: wanted for wanted, name in outputs.items()}
    called, more = function, ""
    if typed is not None:
        told = f"{literal([*typed.names])}, {literal({**typed.files})}, {literal({**typed.kept})}"
        called, more = f"lambda **values: _typed()({function}, {told}, values)", _typed()
    last = f", {literal([*texts])}" if texts else ""
    call = f"_run_step({called}, {literal(names)}, {literal(files)}{last})\n"
    return text.rstrip("\n") + "\n" + more + _FOOTER + call


@lru_cache(maxsize=1)
def _typed() -> str:
    """A function whose value is `rebuilt.call_typed`: its names are not the script's own."""
    source = inspect.getsource(rebuilt)
    body = textwrap.indent(source[source.index("from typing import") :], "    ")
    said = "\n\ndef _typed():\n    # couler_jobs wrote this: values that are more than JSON\n"
    return f"{said}{body.rstrip()}\n\n    return call_typed\n"
