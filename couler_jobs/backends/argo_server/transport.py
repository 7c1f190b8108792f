"""The only module that talks to Argo Server: a `Request` goes out, a `Response` comes back.

Everything is bounded in time. Calls that do no harm when sent twice are sent again after a broken
connection or a busy answer, with growing random pauses; the others only where the server said that
it has not looked at them (429) or was never reached. The token goes to the configured server only:
never over plain http to another machine, never after a redirect, never into an error's text.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from ipaddress import ip_address
from random import SystemRandom
from socket import gaierror
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlencode, urljoin, urlsplit

from couler_jobs.backends.argo_server.answers import failure
from couler_jobs.backends.argo_server.api import Request, Response
from couler_jobs.errors import ConfigError, Rejected, Unavailable

if TYPE_CHECKING:
    import requests

BUSY = frozenset({429, 502, 503, 504})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
CHUNK = 65_536


class Transport(Protocol):
    """What the client needs of the network; a test hands in its own."""

    def send(self, request: Request) -> Response:
        """The answer, whatever its status. `Unavailable` if there is none in time."""

    def stream(self, request: Request) -> Generator[bytes, None, None]:
        """The lines of an answer as they come, without line feeds; ends when the server ends it.

        Raises the error that a bad status stands for, `Unavailable` when the connection breaks or
        is silent for too long.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long to wait, in seconds."""

    connect: float = 5.0
    read: float = 15.0  #: for the next byte of an answer
    total: float = 30.0  #: for one call with all its repetitions
    unreached: float = 8.0  #: the same for a server to which no connection could be made
    idle: float = 60.0  #: for the next line of a stream; servers say something every 15 s
    pause: float = 0.5  #: before the first repetition; doubles up to `longest_pause`
    longest_pause: float = 10.0


class HttpTransport:
    """Argo Server over HTTP/1.1, by `requests` with a pool of connections; safe for threads.

    `token` is asked for each call, so a token that is renewed in its file is used at once.
    """

    def __init__(
        self,
        url: str,
        *,
        token: Callable[[], str] = str,
        verify: bool = True,
        timeouts: Timeouts | None = None,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = url.rstrip("/")
        self.timeouts = timeouts or Timeouts()
        self._token, self._verify = token, verify
        self._sleep, self._clock = sleep, clock
        self._loopback = _is_loopback(self.url)
        # a proxy cannot reach this machine's own loopback
        self._proxies = {"no_proxy": urlsplit(self.url).hostname or ""} if self._loopback else None
        self._session: requests.Session | None = None

    def __repr__(self) -> str:
        return f"HttpTransport({self.url!r})"

    def close(self) -> None:
        """Close the pool's connections; the next call opens new ones."""
        if self._session is not None:
            self._session.close()

    def send(self, request: Request) -> Response:
        """The answer, whatever its status. `Unavailable` if there is none in time."""
        began = self._clock()
        deadline = began + self.timeouts.total
        attempt = 0
        while True:
            attempt += 1
            try:
                response = self._complete(request, deadline, attempt)
                pause = self._before_next(request, response, attempt)
                error = None
            except _Broken as broken:
                response, error = None, broken
                pause = self._pause(attempt) if broken.may_repeat(request) else None
                if broken.unreached:
                    deadline = min(deadline, began + self.timeouts.unreached)
            if pause is None or self._clock() + pause >= deadline:
                if error is not None and error.unreached:
                    raise self._away(error, attempt, self._clock() - began)
                return _outcome(request, response, error, attempt)
            self._sleep(pause)

    def stream(self, request: Request) -> Generator[bytes, None, None]:
        """The lines of an answer as they come, without line feeds; ends when the server ends it."""
        deadline = self._clock() + self.timeouts.total
        try:
            with closing(self._open(request, read=self.timeouts.idle)) as answer:
                if answer.status_code >= 300:
                    body = self._body(answer, deadline)
                    raise failure(request, Response(status=answer.status_code, body=body))
                for line in _lines(answer):
                    yield line if line[:1] == b"{" else self._without_token(line)
        except _Broken as broken:
            raise broken.error(request, 1) from None
        except _network_errors() as error:
            raise _Broken(error).error(request, 1) from None

    def _away(self, error: _Broken, attempts: int, seconds: float) -> Unavailable:
        times = f" after {attempts} attempts in {seconds:.0f} s" if attempts > 1 else ""
        return Unavailable(
            f"Argo Server at {urlsplit(self.url).netloc} did not answer ({error.unreached})"
            f"{times}. Is ARGO_SERVER right, and is it up?"
        )

    def _complete(self, request: Request, deadline: float, attempt: int) -> Response:
        read = max(min(self.timeouts.read, deadline - self._clock()), 0.1)
        with closing(self._open(request, read=read)) as answer:
            return Response(
                status=answer.status_code,
                headers={name.lower(): value for name, value in answer.headers.items()},
                body=self._body(answer, deadline),
                attempts=attempt,
            )

    def _open(self, request: Request, *, read: float) -> requests.Response:
        """One answer, its body not yet read; after a 401 once more, if the token has changed."""
        token = self._token()
        answer = self._http(request, token, read)
        if answer.status_code == 401 and (renewed := self._token()) != token:
            answer.close()
            answer = self._http(request, renewed, read)
        if answer.status_code in REDIRECTS:
            answer.close()
            raise _redirected(request, self.url, answer.headers.get("location", ""))
        return answer

    def _http(self, request: Request, token: str, read: float) -> requests.Response:
        """The one place where HTTP happens."""
        if token and not (self.url.startswith("https:") or self._loopback):
            raise ConfigError(
                f"The token would go to {self.url} unencrypted, so nothing was sent. "
                "Use TLS (ARGO_SECURE=true), or a tunnel to a port on localhost."
            )
        try:
            return self._pool().request(
                request.method,
                f"{self.url}{request.path}",
                params=urlencode(request.query),
                headers=dict(request.headers),
                data=request.body,
                auth=_Bearer(token),
                timeout=(self.timeouts.connect, read),
                verify=None if self._verify else False,
                proxies=self._proxies,
                allow_redirects=False,
                stream=True,
            )
        except _network_errors() as error:
            raise _Broken(error) from None

    def _pool(self) -> requests.Session:
        if self._session is None:
            self._session = _new_session(verify=self._verify)
        return self._session

    def _body(self, answer: requests.Response, deadline: float) -> bytes:
        parts: list[bytes] = []
        try:
            for part in answer.iter_content(CHUNK):
                if parts and self._clock() > deadline:
                    raise _Broken(TimeoutError())
                parts.append(part)
        except _network_errors() as error:
            raise _Broken(error) from None
        body = b"".join(parts)
        # what is no JSON is quoted in an error, and a proxy may have echoed the request
        is_json = body[:1] in (b"{", b"[", b"")
        return body if answer.ok and is_json else self._without_token(body)

    def _without_token(self, body: bytes) -> bytes:
        token = self._token().rpartition(" ")[2].encode()
        return body.replace(token, b"***") if token else body

    def _before_next(self, request: Request, response: Response, attempt: int) -> float | None:
        """Seconds until it is to be sent again; None if this answer is the answer."""
        repeatable = request.idempotent or response.status == 429
        if response.status not in BUSY or not repeatable:
            return None
        return max(self._pause(attempt), _retry_after(response.headers))

    def _pause(self, attempt: int) -> float:
        longest = min(self.timeouts.longest_pause, self.timeouts.pause * 2 ** (attempt - 1))
        return SystemRandom().uniform(0, longest)  # full jitter: spreads callers


class _Broken(Exception):  # noqa: N818  carries an end without an answer to where it is decided
    """There is no answer."""

    def __init__(self, cause: Exception) -> None:
        self.cause = cause
        super().__init__()

    @property
    def unreached(self) -> str:
        """Why no connection could be made; "" if there was one, or a proxy in between."""
        import requests
        from urllib3.exceptions import NewConnectionError

        if isinstance(self.cause, requests.exceptions.ProxyError):
            return ""
        if isinstance(self.cause, requests.ConnectTimeout):
            return "no connection in time"
        causes = list(_causes(self.cause))
        if not any(isinstance(one, NewConnectionError) for one in causes):
            return ""
        if any(isinstance(one, ConnectionRefusedError) for one in causes):
            return "connection refused"
        unknown = any(isinstance(one, gaierror) for one in causes)
        return "the host name is not known" if unknown else "no connection could be made"

    def may_repeat(self, request: Request) -> bool:
        """Whether sending it again does no harm and may help."""
        import requests

        if isinstance(self.cause, requests.exceptions.SSLError):
            return False
        unsent = isinstance(self.cause, requests.ConnectTimeout)
        return request.idempotent or unsent

    def error(self, request: Request, attempts: int) -> Unavailable:
        """The sentence for the caller; never the URL's query or a header."""
        times = f" after {attempts} attempts" if attempts > 1 else ""
        return Unavailable(f"Argo Server could not {request.what}{times}: {_cause(self.cause)}")


class _Bearer:
    """Sets the Authorization header; also keeps `requests` from taking one out of ~/.netrc."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, prepared: requests.PreparedRequest) -> requests.PreparedRequest:
        if self._token:
            # as the argo command line takes it: a bare token, or one with its scheme before it
            bare = " " not in self._token
            prepared.headers["Authorization"] = f"Bearer {self._token}" if bare else self._token
        return prepared


def _new_session(*, verify: bool) -> requests.Session:
    from http.cookiejar import DefaultCookiePolicy

    import requests
    import urllib3
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = HTTPAdapter(pool_connections=2, pool_maxsize=16)
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    if not verify:
        urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
    return session


def _lines(answer: requests.Response) -> Iterator[bytes]:
    """Whole lines as soon as they are there; a last one without a line feed too."""
    rest = b""
    # each piece of a chunked answer is handed on as it comes
    for chunk in answer.iter_content(CHUNK):
        *lines, rest = (rest + chunk).split(b"\n")
        yield from lines
    if rest:
        yield rest


def _network_errors() -> tuple[type[Exception], ...]:
    import requests
    import urllib3

    return (requests.RequestException, urllib3.exceptions.HTTPError, OSError)


def _outcome(
    request: Request, response: Response | None, error: _Broken | None, attempts: int
) -> Response:
    if response is not None:
        return response
    assert error is not None  # noqa: S101  one of the two is there
    raise error.error(request, attempts) from None


def _redirected(request: Request, url: str, location: str) -> Rejected:
    target = urlsplit(urljoin(f"{url}/", location))
    return Rejected(
        f"Argo Server could not {request.what}: it sent us on to "
        f"{target.scheme}://{target.hostname}, where no token is sent. That is a login page or the "
        "wrong address: check ARGO_SERVER, ARGO_SECURE, ARGO_BASE_HREF and the token."
    )


_CAUSES: Mapping[str, str] = {
    "SSLError": "its certificate could not be verified ({detail}). Have its authority installed "
    "(REQUESTS_CA_BUNDLE), or check the host name in ARGO_SERVER.",
    "ProxyError": "the proxy could not be used. Check HTTPS_PROXY and NO_PROXY.",
    "ConnectTimeout": "it could not be reached in time. Check ARGO_SERVER and the network.",
    "ReadTimeout": "it accepted the connection and did not answer in time.",
    "ReadTimeoutError": "it did not go on answering in time.",
    "TimeoutError": "it answered too slowly.",
    "ConnectionError": "the connection could not be made, or broke. Check that it runs, and "
    "ARGO_SERVER.",
}


def _cause(error: Exception) -> str:
    """What happened in words of our own: those of the library below may quote the whole URL."""
    # what broke while a body was read is inside an error of another kind
    kinds = [kind for one in (error, *error.args) for kind in type(one).__mro__]
    names = {kind.__name__ for kind in kinds}
    words = next((words for name, words in _CAUSES.items() if name in names), "the network failed.")
    return words.format(detail=_certificate_problem(error))


def _certificate_problem(error: BaseException | None) -> str:
    """What OpenSSL says of the certificate."""
    found = (getattr(one, "verify_message", "") for one in _causes(error))
    return next((str(message) for message in found if message), "TLS failed")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and all that it came from, down the chain of causes."""
    seen: set[int] = set()
    queue: list[Any] = [error]
    while queue:
        one = queue.pop()
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        queue += [*one.args, getattr(one, "reason", None), one.__cause__, one.__context__]


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait: a number or a date (RFC 9110, 10.2.3); 0 if neither."""
    value = headers.get("retry-after", "").strip()
    if value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except (TypeError, ValueError):
        return 0.0
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def _is_loopback(url: str) -> bool:
    host = urlsplit(url).hostname or ""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
