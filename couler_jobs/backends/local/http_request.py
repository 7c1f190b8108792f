"""`python -m couler_jobs.backends.local.http_request PLAN`: the request of an `http` template.

The rules are those of Argo's agent (`workflow/executor/agent.go`): any status of 200 to 299 is a
success, unless `successCondition` says otherwise, and the reply's body is the result either way.
What the plan names of a secret is read here.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import signal
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from couler_jobs.backends.local.references import References
from couler_jobs.backends.local.told import tell
from couler_jobs.errors import CoulerJobsError
from couler_jobs.spec.expressions import ExpressionError, read

if TYPE_CHECKING:
    import requests

LONGEST = 1024 * 1024
"""Bytes of a body that can be a result: a workflow on a cluster may have 1.5 MiB in all."""

_REDIRECTS = 10  # as many as Go follows
_BLOCK = 64 * 1024
_NAME = re.compile(r"[-!#$%&'*+.^_`|~0-9A-Za-z]+")
_PASSWORD = re.compile(r"(://[^/@\s:]*):[^/@\s]*@")
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

Http = Mapping[str, Any]


class Unanswered(Exception):  # noqa: N818  becomes the node's message
    """There is no reply; the text says why."""


class _Late(Exception):  # noqa: N818  a signal on its way out of a library that knows it not
    """The time of the request is over."""


def main(arguments: Sequence[str]) -> int:
    """Send the request of that plan, and leave what came of it beside the plan."""
    path = Path(arguments[0])
    plan = json.loads(path.read_text(encoding="utf-8"))
    http, references = plan["http"], References(Path(plan["home"]))
    try:
        message, result = _sent(http, references)
        code = 1 if message else 0
    except (Unanswered, _Late, ExpressionError, CoulerJobsError, OSError) as error:
        code, message, result = 1, str(error), None
    tell(path.parent, code, message, result=result)
    return code


def _sent(http: Http, references: References) -> tuple[str, str]:
    """Why the reply is no success ("" if it is one), and its body."""
    with _time_limit(http.get("timeoutSeconds")), _reply(http, references) as reply:
        body = b"".join(_blocks(reply)).decode("utf-8", "replace")
    return _complaint(http, reply, body), body


@contextmanager
def _reply(http: Http, references: References) -> Iterator[requests.Response]:
    import requests

    method, url = str(http.get("method") or "GET"), str(http.get("url", ""))
    with requests.Session() as session:
        session.max_redirects = _REDIRECTS
        session.trust_env = False  # a login of `~/.netrc` would take the place of the manifest's
        try:
            yield session.request(
                method,
                url,
                data=_body(http),
                headers=_headers(http, references),
                verify=not http.get("insecureSkipVerify"),
                stream=True,
            )
        except (requests.RequestException, _Late, ValueError) as error:
            said = f'{method.capitalize()} "{url}": {_reason(error)}'
            raise Unanswered(_PASSWORD.sub(r"\1:***@", said)) from error


def _reason(error: Exception) -> str:
    """The cause of it all, without the names of the libraries that it came through."""
    cause: BaseException = error
    while (inner := getattr(cause, "reason", None) or cause.__context__) is not None:
        if not isinstance(inner, BaseException):
            break
        cause = inner
    return getattr(cause, "strerror", None) or str(cause) or type(cause).__name__


def _body(http: Http) -> bytes:
    source = http.get("bodyFrom")
    if not source:
        return str(http.get("body") or "").encode()
    try:
        return base64.b64decode(source.get("bytes") or "")
    except binascii.Error as error:
        raise Unanswered(f"The body in bodyFrom.bytes is not base64: {error}.") from None


def _headers(http: Http, references: References) -> dict[str, bytes]:
    """By name; one that is given several times is one line, which means the same (RFC 9110, 5.3).

    A value may be a secret, so what is wrong with one is said without it.
    """
    found: dict[str, tuple[str, bytes]] = {}
    for header in http.get("headers") or ():
        name, value = str(header.get("name", "")), _value(header, references).strip(" \t")
        if not _NAME.fullmatch(name):
            raise Unanswered(f"invalid header field name {json.dumps(name)}")
        if _CONTROL.search(value):
            raise Unanswered(
                f'invalid header field value for "{name}": it holds a line break, often the one at '
                "the end of a file, or another control character"
            )
        line = value.encode()
        if name.lower() in found:
            name, before = found[name.lower()]
            line = before + (b"; " if name.lower() == "cookie" else b", ") + line
        found[name.lower()] = (name, line)
    return dict(found.values())


def _value(header: Mapping[str, Any], references: References) -> str:
    selector = (header.get("valueFrom") or {}).get("secretKeyRef")
    if not selector:
        return str(header.get("value") or "")
    return references.secret(str(selector.get("name")), str(selector.get("key")))


def _blocks(reply: requests.Response) -> Iterator[bytes]:
    size = 0
    for block in reply.iter_content(_BLOCK):
        size += len(block)
        if size > LONGEST:
            raise Unanswered(
                f"The body of the reply has more than {LONGEST} bytes, which cannot be a result: "
                "let a step fetch it into a file."
            )
        yield block


def _complaint(http: Http, reply: requests.Response, body: str) -> str:
    condition = http.get("successCondition")
    if not condition:
        good = 200 <= reply.status_code < 300
        return "" if good else f"received non-2xx response code: {reply.status_code}"
    values = {"request": _request(http), "response": _response(reply, body)}
    holds = read(str(condition)).holds(values)
    return "" if holds else f"successCondition '{condition}' evaluated false"


def _request(http: Http) -> dict[str, Any]:
    plain = [header for header in http.get("headers") or () if not header.get("valueFrom")]
    return {
        "method": str(http.get("method") or ""),
        "url": str(http.get("url", "")),
        "body": str(http.get("body") or ""),
        "bodyBytes": list(_body(http)) if http.get("bodyFrom") else [],
        "headers": {str(h.get("name", "")): [str(h.get("value") or "")] for h in plain},
    }


def _response(reply: requests.Response, body: str) -> dict[str, Any]:
    """Headers by their names as Go spells them, each with all its values."""
    lines = reply.raw.headers
    headers = {name.title(): list(lines.getlist(name)) for name in lines}
    return {"statusCode": reply.status_code, "body": body, "headers": headers}


@contextmanager
def _time_limit(seconds: Any) -> Iterator[None]:
    """`_Late` inside, once that time is over; no limit if it is None, as in Argo."""

    def end(_number: int, _frame: Any) -> None:
        raise _Late("context deadline exceeded")

    if seconds is not None:
        signal.signal(signal.SIGALRM, end)
        signal.setitimer(signal.ITIMER_REAL, max(float(seconds), 1e-6))
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
