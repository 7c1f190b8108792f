from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from couler_jobs.backends.argo_server.api import Kind
from couler_jobs.backends.argo_server.probe import stated, target
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Manifest
from tests.backends.argo_server import recorded

KNOWN: dict[str, tuple[set[str], set[str]]] = {
    # fields of a spec and its templates, and of a cron's schedule, that each version knows
    "3.5": ({"podPriority"}, {"schedule"}),
    "3.6": ({"podPriority"}, {"schedule", "schedules"}),
    "3.7": (set(), {"schedule", "schedules"}),
    "4.0": (set(), {"schedules"}),
    "4.1": ({"pendingTimeout"}, {"schedules"}),
}


def server(version: str) -> Any:
    """What a server of that version makes of a manifest: fields that it does not know are gone."""
    known = KNOWN[version][0] | {"entrypoint", "templates", "name", "container"}
    schedules = KNOWN[version][1]

    def understand(kind: Kind, manifest: Manifest) -> Mapping[str, Any] | None:
        spec = manifest["spec"]
        if kind is Kind.CRON:
            kept = {key: value for key, value in spec.items() if key in schedules}
            return {"spec": kept} if kept or version == "3.7" else None
        templates = [{k: v for k, v in t.items() if k in known} for t in spec["templates"]]
        return {"spec": {k: v for k, v in spec.items() if k in known} | {"templates": templates}}

    return understand


def never(kind: Kind, manifest: Manifest) -> None:
    raise AssertionError(f"asked about {kind} {manifest}")


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("v3.5.15", "3.5"),
        ("v3.7.18", "3.7"),
        ("4.0.10", "4.0"),
        ("v4.1.2", "4.1"),
        ("v4.2.0", "4.1"),
        ("v5.0.0-rc1", "4.1"),
    ],
)
def test_a_stated_version_is_taken_down_to_the_newest_known_one(
    version: str, expected: str
) -> None:
    assert target(version, never) == expected


def test_a_server_that_is_too_old_is_refused() -> None:
    with pytest.raises(Rejected, match=r"3\.4\.2 is too old: 3\.5"):
        target("v3.4.2", never)


@pytest.mark.parametrize("version", KNOWN)
@pytest.mark.parametrize("said", ["v0.0.0+unknown", "latest", ""])
def test_a_server_that_does_not_know_its_version_is_found_out(said: str, version: str) -> None:
    assert target(said, server(version)) == version


@pytest.mark.parametrize(
    ("recording", "expected"), [("v4.1.2", "4.1.2"), ("v3.7.18", ""), ("v3.5.15", "")]
)
def test_recorded_servers_state_what_they_know(recording: str, expected: str) -> None:
    assert stated(recorded.body("version", recording)["version"]) == expected
