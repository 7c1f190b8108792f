"""What real Argo Servers answered: `tests/samples/argo/<version>/<name>.json`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from couler_jobs.backends.argo_server.api import Request, Response

FOLDER = Path(__file__).parents[2] / "samples" / "argo"
NEWEST = "v4.1.2"
VERSIONS = (NEWEST, "v3.7.18", "v3.5.15")


def names(version: str = NEWEST) -> list[str]:
    """All recordings of a version."""
    return sorted(path.stem for path in (FOLDER / version).glob("*.json"))


def load(name: str, version: str = NEWEST) -> dict[str, Any]:
    """A recording: its request and its response, as they are in the file."""
    text = (FOLDER / version / f"{name}.json").read_text(encoding="utf-8")
    recording: dict[str, Any] = json.loads(text)
    return recording


def body(name: str, version: str = NEWEST) -> Any:
    """The body that was answered, read."""
    return load(name, version)["response"]["body"]


def response(name: str, version: str = NEWEST) -> Response:
    """The answer as a transport hands it on."""
    answer = load(name, version)["response"]
    text = answer["body"] if isinstance(answer["body"], str) else json.dumps(answer["body"])
    return Response(status=answer["status"], headers=answer["headers"], body=text.encode())


def request(name: str, version: str = NEWEST) -> Request:
    """The request that was answered."""
    asked = load(name, version)["request"]
    return Request(method=asked["method"], path=asked["path"], what=name, query=asked["query"])
