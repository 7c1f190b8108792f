"""What Argo Server's answers mean: the JSON of a good one, else the error it stands for. Pure.

What no documentation states was seen on real servers (`tests/samples/argo/*/README.md`).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, TypeGuard

from couler_jobs.backends.argo_server.api import Request, Response
from couler_jobs.errors import (
    AlreadyExists,
    BackendError,
    Forbidden,
    NotFound,
    Rejected,
    Unauthorized,
    Unavailable,
)


class Conflict(Rejected):
    """The object was changed by somebody else since it was read."""


Codes = Mapping[int, type[BackendError]]

GRPC: Codes = {
    1: Unavailable,  # cancelled
    2: Rejected,  # unknown: what Argo's validation says outside of create
    3: Rejected,  # invalid argument
    4: Unavailable,  # deadline exceeded
    5: NotFound,
    6: AlreadyExists,  # or `Conflict`: the words tell
    7: Forbidden,
    8: Unavailable,  # resource exhausted; also the end of a watch
    9: Rejected,  # failed precondition
    10: Conflict,  # aborted
    11: Rejected,  # out of range
    12: Rejected,  # unimplemented: path or method
    13: BackendError,  # internal; `MISTAKES` are not the server's
    14: Unavailable,
    15: BackendError,  # data loss
    16: Unauthorized,
}
"""What each gRPC code of an error body stands for."""

HTTP: Codes = {
    400: Rejected,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    405: Rejected,
    408: Unavailable,
    409: AlreadyExists,
    413: Rejected,
    422: Rejected,
    429: Unavailable,
    501: Rejected,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
}
"""What the status stands for where the body has no code: a proxy answered, or `fields=` cut it."""

MISTAKES: Mapping[str, type[BackendError]] = {
    "Operation cannot be fulfilled": Conflict,
    "cannot shutdown a completed workflow": Rejected,
    "cannot suspend completed workflows": Rejected,
    "set only targets suspend nodes": Rejected,
    "request is too large": Rejected,
    "trying to send message larger than max": Rejected,
    "Too many: ": Rejected,
    "strconv.ParseUint": Rejected,
    "create request failed due to timeout": Unavailable,  # without a code in Argo 3.5 and 3.6
    "nil pointer dereference": NotFound,  # get of a workflow with another uid
}
"""Sentences that mean something else than the code they come with."""


def check(request: Request, response: Response) -> Any:
    """The body of a good answer, read as JSON; else the error that it stands for, raised."""
    if response.status >= 300:
        raise failure(request, response)
    try:
        return json.loads(response.body or b"{}")
    except ValueError:
        raise Unavailable(
            f"What answers in Argo Server's place could not {request.what}: it sent no JSON but "
            f"{_excerpt(response.body)!r}. Check ARGO_SERVER and ARGO_BASE_HREF."
        ) from None


def failure(request: Request, response: Response) -> BackendError:
    """The error that an answer with a status of 300 or more stands for."""
    body = _error_body(response.body)
    code = body.get("code", body.get("grpc_code"))
    sentence = str(body.get("message") or "")
    kind = HTTP.get(response.status, BackendError)
    if isinstance(code, int):
        kind = GRPC.get(code, kind)
    kind = next((kind for words, kind in MISTAKES.items() if words in sentence), kind)
    sentence = (sentence or _without_sentence(response)) + _WHAT_TO_DO.get(kind, "")
    return kind(f"Argo Server could not {request.what}: {sentence}")


def stream_error(request: Request, item: Mapping[str, Any]) -> BackendError:
    """The error that a line of a stream stands for."""
    status = item.get("http_code")
    body = json.dumps(dict(item)).encode()
    return failure(request, Response(status=status if isinstance(status, int) else 500, body=body))


def stream_line(line: bytes) -> Mapping[str, Any]:
    """A line of a stream as a dict: of JSON, or of an event stream; {} for its keep-alives."""
    text = (line[6:] if line.startswith(b"data: ") else line).decode(errors="replace")
    if not text.startswith("{"):
        return {}
    # a third quicker than `json.loads`, which counts with a million lines
    item, end = _read_json(text)
    if text[end:].strip():
        raise ValueError("more than one object in a line")
    found: Mapping[str, Any] = item
    return found


_read_json = json.JSONDecoder().raw_decode


def _error_body(body: bytes) -> Mapping[str, Any]:
    try:
        found = json.loads(body)
    except ValueError:
        return {}
    if isinstance(found, dict) and isinstance(found.get("error"), dict):
        found = found["error"]  # a stream's
    return found if isinstance(found, dict) else {}


_STATUS_WORDS: Mapping[int, str] = {
    401: "the token was not accepted.",
    403: "you are not allowed to.",
    404: "there is no such thing.",
    409: "the name is taken.",
    429: "it is asked too much at the moment; try again later.",
}


_WHAT_TO_DO: Mapping[type[BackendError], str] = {
    Unauthorized: " Renew the token: ARGO_TOKEN, or the file that ARGO_TOKEN_FILE names.",
}


def _without_sentence(response: Response) -> str:
    words = _STATUS_WORDS.get(response.status, f"it answered with status {response.status}.")
    excerpt = _excerpt(response.body)
    return f"{words} ({excerpt})" if excerpt not in ("", "{}") else words


def _excerpt(body: bytes, length: int = 120) -> str:
    return " ".join(body[: 4 * length].decode(errors="replace").split())[:length]


def dropped(sent: Any, got: Any, path: str = "") -> Sequence[str]:
    """The paths of what was sent and did not come back: fields that the server does not know.

    What is empty (`false`, 0, "", [], {}, null) counts as come back, since servers leave it out.
    Lists are compared in order; a server may have added to them. Field names match in any case, as
    servers read them.
    """
    if _empty(sent):
        return []
    if got in (None, ""):
        return [path]
    if isinstance(sent, Mapping):
        its = {str(key).lower(): value for key, value in got.items()} if _is_map(got) else {}
        pairs = (
            (f"{path}.{key}".lstrip("."), ours, its.get(str(key).lower()))
            for key, ours in sent.items()
        )
    elif isinstance(sent, list):
        theirs = got if isinstance(got, list) else []
        pairs = ((f"{path}[{i}]", ours, _at(theirs, i)) for i, ours in enumerate(sent))
    else:
        return []
    return [lost for here, ours, their in pairs for lost in dropped(ours, their, here)]


def _empty(value: Any) -> bool:
    if isinstance(value, Mapping):
        return all(_empty(item) for item in value.values())
    if isinstance(value, list):
        return all(_empty(item) for item in value)
    return not value


def _is_map(value: object) -> TypeGuard[Mapping[str, Any]]:
    return isinstance(value, Mapping)


def _at(items: Sequence[Any], index: int) -> Any:
    return items[index] if index < len(items) else None
