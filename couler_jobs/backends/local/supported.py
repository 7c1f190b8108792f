"""What the local engine can run: a manifest with a field that is not known here is refused.

`runnable` has the fields that are known; anything else is refused by its path, so that nothing is
ever half-run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from couler_jobs.backends.local.runnable import ANY, COMMANDED, PROBE, RUNS, TEMPLATE, Kind, Named
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Manifest


def refuse_unsupported(manifest: Manifest) -> None:
    """Raise `Rejected` with one sentence that lists every path that cannot run on this machine."""
    kind = manifest.get("kind", "Workflow")
    if kind != "Workflow":
        raise Rejected(f"The local engine runs Workflows; this manifest is a {kind}.")
    wrong = list(dict.fromkeys(_problems(dict(manifest), RUNS, "")))
    if wrong:
        raise Rejected(
            f"The local engine cannot run this manifest because of {', '.join(wrong)}. "
            "Leave that out, or run it on Argo."
        )


def _problems(value: Any, known: Any, path: str) -> Iterator[str]:
    if value is None:
        return
    if isinstance(known, Kind):
        if not known.fits(value):
            yield f"{path} (it has to be {known.words})"
    elif isinstance(known, list):
        yield from _list_problems(value, known[0], path)
    elif not isinstance(value, Mapping):
        yield f"{path} (it has to be a map)"
    elif isinstance(known, Named):
        for name in value:
            yield from _problems(value[name], known["any"], f"{path}.{name}")
    else:
        yield from _map_problems(value, known, path)


def _list_problems(value: Any, known: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield f"{path} (it has to be a list)"
        return
    for place, item in enumerate(value):
        if item is None and known is not ANY:
            yield f"{path}[{place}] (it is empty)"
        yield from _problems(item, known, f"{path}[{place}]")


def _map_problems(value: Mapping[str, Any], known: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, part in value.items():
        where = f"{path}.{name}" if path else str(name)
        if name in known:
            yield from _problems(part, known[name], where)
        elif part not in (None, False, [], {}, ""):
            yield where
    if known is TEMPLATE and value.get("daemon"):
        yield from _probe_problems(value, path)
    if any(known is one for one in COMMANDED) and _no_command(value, path):
        yield f"{path}.command (it is missing, and no image is run here that could bring one)"


def _probe_problems(template: Mapping[str, Any], path: str) -> Iterator[str]:
    for kind in ("container", "script"):
        yield from _probes_of(template.get(kind), f"{path}.{kind}")
    for place, sidecar in enumerate(template.get("sidecars") or ()):
        yield from _probes_of(sidecar, f"{path}.sidecars[{place}]")


def _probes_of(container: Any, path: str) -> Iterator[str]:
    if isinstance(container, Mapping):
        for field in ("startupProbe", "readinessProbe"):
            yield from _problems(container.get(field), PROBE, f"{path}.{field}")


def _no_command(container: Mapping[str, Any], path: str) -> bool:
    return not container.get("command") and not path.startswith("spec.templateDefaults")
