"""One Argo Server, asked: a call in, what it answers or the error it stands for out."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from couler_jobs.backends.argo_server import answers, api, probe
from couler_jobs.backends.argo_server.api import Kind, Request, Response
from couler_jobs.backends.argo_server.transport import Transport
from couler_jobs.errors import Forbidden, NotFound, Rejected
from couler_jobs.once import once
from couler_jobs.spec.status import Manifest

PAGE = 500
OVERLAP = 20


@dataclass(kw_only=True)
class Server:
    """Argo Server as it answers.

    `given` is the namespace that was configured; "" means the server's own managed one, else
    "default". `advice` is added to every `Forbidden`: what a user of this site can do about it.
    `sleep` and `clock` (seconds, monotonic) are the only time that there is.
    """

    transport: Transport
    given: str
    advice: str
    sleep: Callable[[float], None] = field(repr=False)
    clock: Callable[[], float] = field(repr=False)

    @once
    def namespace(self) -> str:
        """The Kubernetes namespace that runs go to."""
        return self.given or str(self.ask(api.info()).get("managedNamespace") or "default")

    @once
    def version(self) -> str:
        """What the server says that it is: "v4.1.2"."""
        return str(self.ask(api.version()).get("version", ""))

    @once
    def target(self) -> str:
        """The Argo version to compile for, found out where the server does not say its own."""
        return probe.target(self.version, self._understood)

    def ask(self, request: Request) -> Any:
        """What is answered, read as JSON."""
        return self.check(request, self.transport.send(request))

    def check(self, request: Request, response: Response) -> Any:
        """The body of a good answer; else the error, with the site's advice."""
        try:
            return answers.check(request, response)
        except Forbidden as error:
            raise self.advised(error) from None

    def advised(self, error: Forbidden) -> Forbidden:
        """The error with the site's advice behind it."""
        return Forbidden(f"{error} {self.advice}") if self.advice else error

    def get(self, kind: Kind, name: str) -> dict[str, Any]:
        """One object as it is now."""
        found: dict[str, Any] = self.ask(api.get(kind, self.namespace, name))
        return found

    def delete(self, kind: Kind, name: str) -> None:
        """Remove an object; `NotFound` if it is not there."""
        request = api.delete(kind, self.namespace, name)
        response = self.transport.send(request)
        if response.status == 404 and response.attempts > 1:
            return  # the answer to an earlier attempt was lost
        self.check(request, response)

    def pages(
        self, kind: Kind, labels: Mapping[str, str] | None, fields: str
    ) -> Iterator[list[dict[str, Any]]]:
        """The items page by page, none twice.

        A page begins after a count of newer items, so what is created or deleted meanwhile shifts
        it: pages overlap, and what has been seen is left out.
        """
        token, seen = "", set[str]()
        while True:
            request = api.page(
                kind, self.namespace, labels=labels, limit=PAGE, token=token, fields=fields
            )
            body = self._page(request)
            items = [item for item in body.get("items") or [] if uid_of(item) not in seen]
            seen.update(uid_of(item) for item in items)
            token = _earlier((body.get("metadata") or {}).get("continue") or "")
            if items:
                yield items
            if not token or not items:
                return

    def _page(self, request: Request) -> dict[str, Any]:
        response = self.transport.send(request)
        if response.status >= 300 and response.body.strip() == b"{}":
            # `fields` has cut Argo's sentence too: ask for it without
            query = {k: v for k, v in request.query.items() if k != "fields"}
            query["listOptions.limit"] = "1"
            request = dataclasses.replace(request, query=query)
            response = self.transport.send(request)
        body: dict[str, Any] = self.check(request, response)
        return body

    def _understood(self, kind: Kind, manifest: Manifest) -> Mapping[str, Any] | None:
        try:
            found: Mapping[str, Any] = self.ask(api.lint(kind, self.namespace, manifest))
        except (Rejected, NotFound):
            return None
        return found


def uid_of(item: Mapping[str, Any]) -> str:
    """An object's uid; "" if it has none."""
    return str((item.get("metadata") or {}).get("uid", ""))


def version_of(item: Mapping[str, Any]) -> str:
    """An object's resource version; "" if it has none."""
    return str((item.get("metadata") or {}).get("resourceVersion", ""))


def _earlier(token: str) -> str:
    # Argo's token is a count; one of another kind is taken as it is
    return str(max(int(token) - OVERLAP, 0)) if token.isdigit() else token
