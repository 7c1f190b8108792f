"""The last lines of a step's script: read the arguments, call the function, write its value."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from couler_jobs.dsl.producers import Form, Path
from couler_jobs.dsl.source import literal
from couler_jobs.spec.names import parameter_name

_FOOTER = r'''

def _run_step(function, parameters, outputs):
    """Read the arguments, call the function, write its value; couler_jobs wrote this."""
    import json, os, re

    def read(text):
        try:
            found = text.removeprefix("couler_jobs.json:")
            return json.loads(found, object_hook=told, parse_constant=int)
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

    def write(value):
        return re.sub(r'"(?:[^"\\]|\\.)*"', escape, json.dumps(literal(value), allow_nan=False))

    texts_of = {p: os.environ["COULER_JOBS_ARG_" + name] for p, name in parameters.items()}
    value = function(**{p: read(text) for p, text in texts_of.items()})
    for name, (path, form) in outputs.items():
        part = value
        for key in path:
            part = part[key]
        text = write([write(item) for item in part] if form == "items" else part)
        text = "couler_jobs.json:" + text if form == "round" else text
        if len(text) > 131000:
            raise ValueError(f"{name} is {len(text)} bytes; Argo carries 128 KiB: use a file")
        os.makedirs("/tmp/couler-jobs", exist_ok=True)
        with open("/tmp/couler-jobs/" + name, "w") as file:
            file.write(text)


'''


def step_script(
    function: str,
    text: str,
    parameters: Sequence[str],
    outputs: Mapping[tuple[Path, Form], str],
) -> str:
    """The whole script of a step: `text` defines `function`; `outputs` are the files to write."""
    names = {parameter: parameter_name(parameter) for parameter in parameters}
    files = {name: wanted for wanted, name in outputs.items()}
    call = f"_run_step({function}, {literal(names)}, {literal(files)})\n"
    return text.rstrip("\n") + "\n" + _FOOTER + call
