"""Steps that run no program of yours: a pause."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from couler_jobs.dsl import recorder, words
from couler_jobs.dsl.leaves import Inputs, record
from couler_jobs.dsl.options import PodOptions, pod_words
from couler_jobs.dsl.units import seconds
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model
from couler_jobs.spec.names import parameter_name, template_name

if TYPE_CHECKING:
    from typing import Unpack

Fields = dict[str, Any]


def suspend(
    duration: float | str | None = None,
    *,
    answers: Mapping[str, str | None] | None = None,
    after: Any = None,
    **options: Unpack[words.LeafWords],
) -> Any:
    """Wait: `cj.suspend("10m")`, or without a time until somebody resumes the run.

    What comes after it says so: `deploy(after=cj.suspend(name="approve"))`. answers: texts that
    whoever resumes it may give (in Argo's UI, or with `argo node set`), by name, each with what it
    is if nobody did, or None if somebody has to; `waited["name"]` is the answer. after, and further
    options (name, on_exit, hooks ...): as of a step. Raises `DeclarationError` for a wrong one.
    """
    fields = {} if duration is None else {"duration": str(seconds(duration, "duration"))}
    outputs = tuple(_answer(name, default) for name, default in (answers or {}).items())
    return _recorded("suspend", fields, Inputs(), outputs, after, options)


def _answer(name: str, default: Any) -> model.OutputFile:
    if default is not None and not isinstance(default, str):
        raise DeclarationError(f"answers={{{name!r}: {default!r}}}: it is a text, or None.")
    source: Fields = {"supplied": {}} | ({} if default is None else {"default": default})
    return model.OutputFile(name=parameter_name(name), path=None, extra=json.dumps(source))


def _recorded(
    kind: Any,
    fields: Fields,
    inputs: Inputs,
    outputs: tuple[model.OutputFile, ...],
    after: Any,
    options: Mapping[str, Any],
) -> Any:
    """A call of a template of this kind, and the template."""
    what = f"cj.{kind}"
    scope = recorder.needed(what)
    words.check(what, options, words.LeafWords)
    own = PodOptions(**pod_words(options))
    leaf = model.Plain(
        name=template_name(options.get("name") or kind),
        kind=kind,
        fields=json.dumps(fields),
        outputs=outputs,
        retry=own.retry,
        timeout=own.timeout,
        extra=own.extra,
    )
    return record(scope, leaf, inputs, after, own.hooks)
