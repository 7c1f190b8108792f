"""Manifests as YAML that people read: scripts as blocks, keys as they come."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any


def to_yaml(manifest: Mapping[str, Any]) -> str:
    """The manifest as YAML text; the same manifest gives the same bytes."""
    import yaml

    return str(
        yaml.dump(
            manifest,
            Dumper=_dumper(),
            sort_keys=False,
            allow_unicode=True,
            default_flow_style=False,
            width=4096,
        )
    )


@cache
def _dumper() -> Any:
    import yaml

    from couler_jobs.spec.manifest import plain

    base: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

    class Dumper(base):  # type: ignore[misc]
        """Writes no anchors, and texts of several lines as blocks."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    def text(dumper: Any, data: str) -> Any:
        # PyYAML would leave `y`, `08` and `1e3` bare, which Go's YAML reads as other things.
        bare = plain(data) == data
        style = "|" if "\n" in data else None if bare else "'"
        return dumper.represent_scalar("tag:yaml.org,2002:str", data, style=style)

    Dumper.add_representer(str, text)
    return Dumper
