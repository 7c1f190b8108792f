"""Artifacts: where they lie and the paths they are put to."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

from couler_jobs.compiler.lint.report import Report, shown
from couler_jobs.compiler.lint.shapes import LOCATIONS
from couler_jobs.spec.manifest import Path

# What makes each kind of location complete.
_COMPLETE: Final[Mapping[str, tuple[str, ...]]] = {
    "artifactory": ("url", "usernameSecret"),
    "azure": ("endpoint", "container", "blob"),
    "git": ("repo",),
    "gcs": ("bucket", "key"),
    "hdfs": ("addresses",),
    "http": ("url",),
    "oss": ("bucket", "endpoint", "key"),
    "raw": (),
    "s3": ("endpoint", "bucket", "key"),
    "plugin": ("name", "configuration", "key"),
}
_KEYS: Final = {
    "azure": "blob",
    "gcs": "key",
    "hdfs": "path",
    "oss": "key",
    "s3": "key",
    "plugin": "key",
}


def has_location_or_key(artifact: dict[str, Any]) -> bool:
    """Whether an artifact says where it lies, or at least under which key."""
    for kind in LOCATIONS:
        location = artifact.get(kind)
        if location is not None:
            complete = all(_given(location, word) for word in _COMPLETE[kind])
            return complete or _has_key(kind, location)
    return False


def _given(location: dict[str, Any], word: str) -> bool:
    return word in location if word.endswith("Secret") else bool(location.get(word))


def _has_key(kind: str, location: dict[str, Any]) -> bool:
    if kind in ("artifactory", "http"):
        try:
            return bool(urlsplit(location.get("url", "")).path)
        except ValueError:
            return False
    return bool(location.get(_KEYS.get(kind, ""), ""))


def check_location(location: dict[str, Any], report: Report, path: Path) -> None:
    """A location is complete."""
    if "git" in location and not location["git"].get("repo"):
        report.error("required", ((path, "git"), "repo"), "A git artifact needs `repo`.")
    if "hdfs" in location:
        _hdfs(location["hdfs"], report, (path, "hdfs"))


def _hdfs(hdfs: dict[str, Any], report: Report, path: Path) -> None:
    if not hdfs.get("addresses"):
        report.error("required", (path, "addresses"), "An HDFS artifact needs `addresses`.")
    if not hdfs.get("path", "").startswith("/"):
        report.error("required", (path, "path"), "An HDFS artifact needs an absolute `path`.")
    cache, keytab = "krbCCacheSecret" in hdfs, "krbKeytabSecret" in hdfs
    if not (hdfs.get("hdfsUser") or cache or keytab):
        said = "An HDFS artifact needs `hdfsUser`, `krbCCacheSecret` or `krbKeytabSecret`."
        report.error("required", path, said)
    needed = ["krbServicePrincipalName", "krbConfigConfigMap"] if cache or keytab else []
    needed += ["krbUsername", "krbRealm"] if keytab else []
    for word in needed:
        if not hdfs.get(word) and not (word == "krbConfigConfigMap" and word in hdfs):
            report.error("required", (path, word), f"Kerberos needs `{word}`.")


def check_path(artifact: dict[str, Any], report: Report, path: Path) -> None:
    """The path inside the container: there, and not climbing out of its own folder."""
    given = artifact.get("path", "")
    name = shown(artifact.get("name", ""))
    if not given:
        report.error("required", (path, "path"), f"The artifact {name} needs a `path`.")
    elif _climbs_out(given):
        said = f"The path of the artifact {name} climbs out of its folder with '..'."
        report.error("artifact-path", (path, "path"), said)


def _climbs_out(path: str) -> bool:
    before, found, _ = path.partition("/../")
    safe = before if found else (path[:-3] if path.endswith("/..") else "")
    # Two leading slashes keep a meaning in POSIX and none in Argo.
    cleaned = posixpath.normpath("/" + path.lstrip("/") if path.startswith("/") else path)
    return bool(safe) and (not cleaned.startswith(safe + "/") or len(cleaned) <= len(safe) + 1)
