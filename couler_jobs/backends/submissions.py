"""Creating a workflow once, whatever happens on the way: shared by the backends of a cluster.

The name of a run is always chosen here, before anything is sent, and an annotation with a random id
says that the run is ours. So when a create ends unclear (no answer, half an answer), asking for the
name tells what became of it, and sending it again never runs anything twice.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from couler_jobs.errors import AlreadyExists, NotFound, Rejected, Unavailable
from couler_jobs.spec.status import Manifest

SUBMISSION = "argo-workflows-executor/submission"
"""The annotation that tells our own submission from a stranger's workflow of the same name."""

SETTLE = 30.0
"""Seconds in which a create that ended unclear is settled."""

_LONGEST_PREFIX = 57  # 63 of a workflow's name, less our suffix
_ALPHABET = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words come of it

Object = dict[str, Any]


def in_namespace(manifest: Manifest, namespace: str, where: str) -> Object:
    """The manifest with its namespace set; `Rejected` if it is for another one than `where`'s."""
    metadata = dict(manifest.get("metadata") or {})
    theirs = metadata.setdefault("namespace", namespace)
    if theirs != namespace:
        raise Rejected(
            f"The manifest is for namespace {theirs} and this {where} is used for {namespace}: "
            "leave it out of the manifest, or set ARGO_NAMESPACE."
        )
    return {**manifest, "metadata": metadata}


def named(manifest: Manifest, namespace: str, where: str) -> Object:
    """The manifest with a name and our annotation; those of a caller stay.

    A `generateName` stays too: it tells which workflow this is a run of.
    """
    ours = in_namespace(manifest, namespace, where)
    metadata = ours["metadata"]
    prefix = metadata.get("generateName")
    if not metadata.get("name"):
        if not prefix:
            raise Rejected("The manifest has neither metadata.name nor metadata.generateName.")
        metadata["name"] = f"{str(prefix)[:_LONGEST_PREFIX]}{suffix()}"
    annotations = metadata.get("annotations") or {}
    metadata["annotations"] = {SUBMISSION: secrets.token_hex(16), **annotations}
    return ours


def suffix() -> str:
    """What makes a generated name one of its own."""
    return "".join(secrets.choice(_ALPHABET) for _ in range(5))


def merged(there: Mapping[str, Any], manifest: Mapping[str, Any]) -> Object:
    """What is there with the manifest's spec, labels and annotations.

    Its status, its version and what Argo itself wrote on it (its creator, the schedule it used
    last) stay: without them it would forget the runs that are under way.
    """
    metadata = {key: value for key, value in there["metadata"].items() if key != "managedFields"}
    for key in ("labels", "annotations"):
        kept = {k: v for k, v in (metadata.get(key) or {}).items() if "argoproj.io/" in k}
        metadata[key] = {**kept, **(manifest["metadata"].get(key) or {})}
    return {**there, "metadata": metadata, "spec": manifest["spec"]}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One create of the workflow `name`, marked with the id `mark`, at `where` ("Argo Server").

    `create` sends it, `get` asks for the name; `sleep` and `clock` (seconds) are the only time.
    """

    where: str
    name: str
    mark: str
    create: Callable[[], Object]
    get: Callable[[], Object]
    sleep: Callable[[float], None]
    clock: Callable[[], float]

    def settle(self) -> Object:
        """Send it until it is known what became of it: ours, somebody else's, or refused."""
        deadline = self.clock() + SETTLE
        pause = 1.0
        while True:
            try:
                return self.create()
            except AlreadyExists as error:
                return self._adopt(error)
            except Unavailable as error:
                found = self._found()
                if found is not None:
                    return found
                if self.clock() + pause >= deadline:
                    raise Unavailable(
                        f"{error} There is no workflow {self.name} so far; if one appears later, "
                        "it is this one."
                    ) from None
            self.sleep(pause)
            pause *= 2

    def _found(self) -> Object | None:
        words = f"{self.where} could not create workflow {self.name}: the name is taken."
        try:
            return self._adopt(AlreadyExists(words))
        except (NotFound, Unavailable):
            return None

    def _adopt(self, error: AlreadyExists) -> Object:
        there = self.get()
        annotations = (there.get("metadata") or {}).get("annotations") or {}
        if annotations.get(SUBMISSION) != self.mark:
            raise error
        return there
