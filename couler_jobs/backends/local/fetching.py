"""Remote input artifacts that need no service of a cluster: `http`, and `git` by its command."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from couler_jobs.backends.local.references import References

_TIMEOUT = 60.0  # seconds without an answer
_BLOCK = 1024 * 1024
_VERBS = ("clone", "fetch", "checkout", "submodule")

_ASKED = """#!/bin/sh
case "$1" in
Username*) printf %s "$GIT_USER" ;;
*) printf %s "$GIT_PASS" ;;
esac
"""
"""What git asks for a name and a password; both come from its environment."""


class Unfetched(Exception):  # noqa: N818  a sentence on its way to a node's message
    """Something remote could not be had; the text is a sentence."""


def fetch(remote: Mapping[str, Any], target: Path, references: References) -> None:
    """Bring what a manifest's `http` or `git` names to the path. `Unfetched`, `OSError`."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if "http" in remote:
        _download(remote["http"], target, references)
    else:
        _clone(remote["git"], target, references)


# --- http


def _download(http: Mapping[str, Any], target: Path, references: References) -> None:
    import requests

    url = str(http.get("url", ""))
    if not url.startswith(("http://", "https://")):
        raise Unfetched(f"{url!r} is not an http address.")
    headers = {str(h.get("name")): str(h.get("value", "")) for h in http.get("headers") or ()}
    try:
        with requests.get(
            url, headers=headers, auth=_auth(http, references), stream=True, timeout=_TIMEOUT
        ) as reply:
            if not reply.ok:
                raise Unfetched(f"{url} answered {reply.status_code} {reply.reason}.")
            with open(target, "wb") as file:
                for block in reply.iter_content(_BLOCK):
                    file.write(block)
    except requests.RequestException as error:
        raise Unfetched(f"{url} could not be read ({type(error).__name__}).") from error


def _auth(http: Mapping[str, Any], references: References) -> tuple[str, str] | None:
    basic = (http.get("auth") or {}).get("basicAuth")
    if not basic:
        return None
    return (
        _secret(basic.get("usernameSecret"), references),
        _secret(basic.get("passwordSecret"), references),
    )


def _secret(selector: Mapping[str, Any] | None, references: References) -> str:
    if not selector:
        return ""
    return references.secret(str(selector.get("name")), str(selector.get("key"))).strip("\n")


# --- git


def _clone(git: Mapping[str, Any], target: Path, references: References) -> None:
    if shutil.which("git") is None:
        raise Unfetched("There is no git command on this machine.")
    with _credentials(git, references) as environ:
        for command in _commands(git, target):
            _git(command, environ)


def _commands(git: Mapping[str, Any], target: Path) -> Iterator[list[str]]:
    repo, branch = _word(git, "repo"), _word(git, "branch")
    revision = _word(git, "revision")
    unsafe = ["-c", "http.sslVerify=false"] if git.get("insecureSkipTLS") else []
    clone = [*unsafe, "clone", "--quiet"]
    clone += ["--depth", str(int(git["depth"]))] if git.get("depth") else []
    clone += ["--branch", branch] if branch else []
    clone += ["--single-branch"] if git.get("singleBranch") else []
    yield [*clone, "--", repo, str(target)]
    inside = [*unsafe, "-C", str(target)]
    for refspec in git.get("fetch") or ():
        yield [*inside, "fetch", "--quiet", "origin", "--", _safe(str(refspec))]
    if revision:
        yield [*inside, "checkout", "--quiet", revision, "--"]
    if not git.get("disableSubmodules"):
        yield [*inside, "submodule", "--quiet", "update", "--init", "--recursive"]


def _word(git: Mapping[str, Any], key: str) -> str:
    return _safe(str(git.get(key) or ""))


def _safe(word: str) -> str:
    if word.startswith("-"):
        raise Unfetched(f"{word!r} cannot be a name in git.")
    return word


@contextmanager
def _credentials(git: Mapping[str, Any], references: References) -> Iterator[dict[str, str]]:
    """The environment in which git knows who it is, and asks nobody at a terminal."""
    environ = {**os.environ, "GIT_TERMINAL_PROMPT": "0"}
    with tempfile.TemporaryDirectory() as folder:
        if git.get("passwordSecret") or git.get("usernameSecret"):
            asks = Path(folder) / "ask"
            asks.write_text(_ASKED)
            asks.chmod(0o700)
            environ["GIT_ASKPASS"] = str(asks)
            environ["GIT_USER"] = _secret(git.get("usernameSecret"), references)
            environ["GIT_PASS"] = _secret(git.get("passwordSecret"), references)
        environ["GIT_SSH_COMMAND"] = shlex.join(_ssh(git, references))
        yield environ


def _ssh(git: Mapping[str, Any], references: References) -> list[str]:
    command = ["ssh", "-o", "BatchMode=yes"]
    selector = git.get("sshPrivateKeySecret")
    if selector:
        name, key = str(selector.get("name")), str(selector.get("key"))
        references.secret(name, key)  # checks that it is there, and closed to others
        command += ["-i", str(references.path("secret", name, key)), "-o", "IdentitiesOnly=yes"]
    if git.get("insecureIgnoreHostKey"):
        command += ["-o", "StrictHostKeyChecking=no"]
    return command


def _git(command: list[str], environ: Mapping[str, str]) -> None:
    done = subprocess.run(
        ["git", *command], env=dict(environ), stdin=subprocess.DEVNULL, capture_output=True
    )
    if done.returncode:
        lines = done.stderr.decode("utf-8", "replace").strip().splitlines() or ["no reason given"]
        verb = next(word for word in command if word in _VERBS)
        raise Unfetched(f"git {verb} failed: {lines[-1]}")
