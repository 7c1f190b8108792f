"""The environments that conda-store offers to a user, where Nebari says that there is one.

What goes wrong is a sentence beside what was listed: the picker shows what there is all the same,
and whoever asks for an environment that is not there is told why it may be missing.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FOLDER = Path("/home/conda")
"""Below it lies `<namespace>/envs/<namespace>-<name>` in every pod of Nebari's."""

SECONDS = (3.05, 10.0)
"""How long conda-store is waited for: to connect, and to answer."""

PAGE = 100
PAGES = 100

VARIABLES = ("CONDA_STORE_SERVICE", "CONDA_STORE_SERVICE_NAMESPACE", "CONDA_STORE_TOKEN")
"""What Nebari sets in a JupyterLab pod: `name:port`, its Kubernetes namespace, a bearer token."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """The folders of the environments that were listed; `trouble`: a sentence, "" if none."""

    prefixes: tuple[Path, ...] = ()
    trouble: str = ""


class _Trouble(Exception):  # noqa: N818  carries a sentence to where it is kept
    pass


def listing(environ: Mapping[str, str]) -> Listing:
    """What conda-store lists for this user; nothing where there is no conda-store. Never raises."""
    if not environ.get(VARIABLES[0]):
        return Listing()
    try:
        found = tuple(dict.fromkeys(_prefixes(environ)))
    except _Trouble as trouble:
        return Listing(trouble=str(trouble))
    if not found:
        return Listing(
            trouble="conda-store lists no environment for you: make one there, or ask an "
            "administrator for access to a namespace that has some."
        )
    return Listing(prefixes=found)


def _prefixes(environ: Mapping[str, str]) -> Iterator[Path]:
    import requests

    url, token = _address(environ), environ["CONDA_STORE_TOKEN"].removeprefix("Bearer ")
    with requests.Session() as session:
        session.trust_env = False  # neither a proxy nor a login of ~/.netrc is for this service
        session.headers["Authorization"] = f"Bearer {token}"
        for page in range(1, PAGES + 1):
            items = _page(session, url, page)
            yield from filter(None, map(_prefix, items))
            if len(items) < PAGE:
                return


def _address(environ: Mapping[str, str]) -> str:
    missing = [name for name in VARIABLES if not environ.get(name)]
    if missing:
        raise _Trouble(
            f"conda-store cannot be asked for its environments: {', '.join(missing)} is not set. "
            "Restart this JupyterLab server."
        )
    service, _, port = environ["CONDA_STORE_SERVICE"].partition(":")
    host = f"{service}.{environ['CONDA_STORE_SERVICE_NAMESPACE']}.svc"
    return f"http://{host}:{port or 80}/conda-store/api/v1/environment"


def _page(session: Any, url: str, page: int) -> list[Any]:
    import requests

    query = {"page": str(page), "size": str(PAGE)}
    try:
        reply = session.get(url, params=query, timeout=SECONDS, allow_redirects=False)
        if reply.status_code == 200:
            found: list[Any] = reply.json()["data"]
            return found
    except (requests.RequestException, ValueError, KeyError, TypeError) as error:
        raise _Trouble(
            f"conda-store did not list its environments ({type(error).__name__} from {url}): try "
            "again in a while, or ask an administrator whether it runs."
        ) from None
    if reply.status_code in (401, 403):
        raise _Trouble(
            "conda-store did not accept the token in CONDA_STORE_TOKEN, which has expired: restart "
            "this JupyterLab server to get another one."
        )
    raise _Trouble(
        f"conda-store answered {reply.status_code} when asked for its environments: try again in a "
        "while, or ask an administrator."
    )


def _prefix(item: Any) -> Path | None:
    """Where an environment lies; None for an entry whose names could lead elsewhere."""
    try:
        namespace, name = item["namespace"]["name"], item["name"]
    except (KeyError, TypeError):
        return None
    if not all(_is_plain(part) for part in (namespace, name)):
        return None
    found: Path = FOLDER / namespace / "envs" / f"{namespace}-{name}"
    return found


def _is_plain(name: Any) -> bool:
    return isinstance(name, str) and re.fullmatch(r"[^/\0.][^/\0]*", name) is not None
