"""Names of runs: Kubernetes' rules, and the suffix of a generated one."""

from __future__ import annotations

import re
from random import SystemRandom

from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Manifest

LONGEST = 63
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"  # no vowels: no words
_SUFFIX = 5
_LEGAL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")


def choose(manifest: Manifest) -> str:
    """The manifest's `metadata.name`, or its `generateName` and five letters by chance.

    `Rejected` if it has neither, or one that is not a lower-case RFC 1123 name of at most 63.
    """
    metadata = manifest.get("metadata") or {}
    if metadata.get("name"):
        return _checked(metadata["name"])
    if metadata.get("generateName"):
        return generate(metadata["generateName"])
    raise Rejected("The manifest has no name: set metadata.name or metadata.generateName.")


def generate(prefix: object) -> str:
    """A new name that begins with the prefix, cut where it would be too long."""
    suffix = "".join(SystemRandom().choices(_LETTERS, k=_SUFFIX))
    return _checked(f"{str(prefix)[: LONGEST - _SUFFIX]}{suffix}")


def again(manifest: Manifest, name: str) -> str:
    """The name for another run of a manifest that ran as `name`."""
    return generate((manifest.get("metadata") or {}).get("generateName") or f"{name}-")


def _checked(name: object) -> str:
    if not isinstance(name, str) or len(name) > LONGEST or not _LEGAL.fullmatch(name):
        raise Rejected(
            f"{name!r} cannot be the name of a workflow: it must be lower-case letters, digits, "
            f"'-' and '.', begin and end with a letter or digit, and be at most {LONGEST} long."
        )
    return name
