"""`@step(cache=...)`: which calls of a step are the same, so that the second need not run.

Two calls are the same when the step's text, image and environment, the content of the files that
it declares and all arguments are. Argo keeps what it remembers in config maps, which hold 1 MiB; a
step that would make one larger fails. So each result has a config map of its own, however many
calls there are: outputs are at most 128 KiB each.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from couler_jobs.dsl.units import seconds
from couler_jobs.errors import DeclarationError
from couler_jobs.spec import model

_LONGEST_NAME = 100  #: characters of the step's name in the name of a config map, which has 253


def max_age(cache: Any) -> int | None:
    """`cache=` in seconds; 0 is for ever, None not at all. Raises `DeclarationError` for others."""
    if cache is None or cache is False:
        return None
    return 0 if cache is True else seconds(cache, "cache")


def memoize(name: str, age: int, inputs: Iterable[str], constant: Sequence[Any]) -> dict[str, Any]:
    """A template's `memoize`; what is `constant` in all calls is part of the key by its digest."""
    own = hashlib.sha256(json.dumps(constant, sort_keys=True).encode()).hexdigest()
    config_map = f"cache-{name[:_LONGEST_NAME].lower()}"  # Kubernetes allows no capitals in it
    values = ", ".join(f"inputs.parameters['{one}']" for one in inputs)
    key = f"{{{{=sprig.sha256sum('{own}' + toJson([{values}]))}}}}" if values else own
    return {
        "key": key,
        "maxAge": f"{age}s" if age else "",
        "cache": {"configMap": {"name": f"{config_map}-{key}", "key": "result"}},
    }


def with_memoize(extra: str, found: Mapping[str, Any]) -> str:
    """A template's further fields with this `memoize`, unless they have their own."""
    return json.dumps({"memoize": found} | json.loads(extra))


def digests(files: Sequence[str], folder: Path) -> list[list[str]]:
    """What the declared files hold now, by their names; `folder` is what they are relative to.

    Raises `DeclarationError` for one that cannot be read.
    """
    return [[file, _digest(folder / file)] for file in files]


def _digest(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DeclarationError(
            f"cache_files: {path} cannot be read ({error.strerror}), so nothing can tell whether "
            "it has changed."
        ) from None


def refuse_files(name: str, files: Iterable[str]) -> None:
    """Argo does not look into artifacts, so nothing could tell whether such an argument changed."""
    for file in files:
        raise DeclarationError(
            f"The step {name} takes a file, {file!r}, and Argo cannot tell whether its content is "
            "the same: leave out cache=, or pass a value that tells, such as a version, in its "
            "place."
        )


def env_of(env: Sequence[tuple[str, model.Text | model.EnvSource]]) -> list[list[str]]:
    """The environment as far as it is known; a secret counts by its name."""
    return [[name, str(value)] for name, value in env]
