"""`python -m couler_jobs.backends.local.listing PLAN`: the keys that a `data` template is about.

What is listed is what steps of the same run have stored in the repository below a key: on this
machine each run has a repository of its own. A folder that was stored packed is one object there,
as it is on a cluster. The rules are those of Argo's `workflow/data/data.go`.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.files import is_packed
from couler_jobs.backends.local.told import tell
from couler_jobs.backends.local.values import NOT_RUNNABLE
from couler_jobs.spec.expressions import ExpressionError, gotext, read


class Unlisted(Exception):  # noqa: N818  becomes the node's message
    """There is nothing to list; the text says why."""


def main(arguments: Sequence[str]) -> int:
    """Carry out that plan, and leave the result beside it."""
    path = Path(arguments[0])
    plan = json.loads(path.read_text(encoding="utf-8"))
    try:
        result = _result(plan["data"], Path(plan["artifacts"]))
    except (Unlisted, OSError) as error:
        why = "unable to process data source: unable to source artifact paths"
        return _failed(path.parent, f"{why}: {error}")
    except ExpressionError as error:
        return _failed(path.parent, f"unable to process data transformation: {error}")
    tell(path.parent, 0, result=result)
    return 0


def _failed(folder: Path, why: str) -> int:
    tell(folder, NOT_RUNNABLE, f"unable to process data template: {why}")
    return NOT_RUNNABLE


def _result(data: Mapping[str, Any], artifacts: Path) -> str:
    found = keys(artifacts, data["repository"], data["key"])
    return gotext.to_json(transformed(found, data["expressions"]))


def transformed(data: Any, expressions: Iterable[str]) -> Any:
    """What comes of the data after each expression in turn; `ExpressionError`."""
    for number, expression in enumerate(expressions):
        try:
            data = read(expression).evaluate({"data": data})
        except ExpressionError as error:
            raise ExpressionError(f"error processing data step {number}: {error}") from None
    return data


def keys(artifacts: Path, repository: str, key: str) -> list[str]:
    """The keys below one, in order; `Unlisted` if there is nothing at all."""
    root = artifacts / repository
    place = Path(os.path.normpath(root / key.strip("/")))
    if not place.is_relative_to(root) or (key and not place.exists()):
        raise Unlisted(f"no key found of name {key}")
    is_folder = place.is_dir() and not is_packed(artifacts, str(place.relative_to(artifacts)))
    found = _objects(artifacts, place) if is_folder else ()
    return sorted(str(path.relative_to(root)) for path in found)


def _objects(artifacts: Path, folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        whole = is_packed(artifacts, str(path.relative_to(artifacts)))
        if path.is_dir() and not path.is_symlink() and not whole:
            yield from _objects(artifacts, path)
        else:
            yield path


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
