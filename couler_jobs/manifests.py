"""Manifests in files, and the values of their parameters."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from couler_jobs.errors import CoulerJobsError, DeclarationError
from couler_jobs.nearest import no_parameter
from couler_jobs.runs.values import Said, decoded
from couler_jobs.spec import wire

Manifest = dict[str, Any]


def is_manifest_file(text: str) -> bool:
    """Whether the path is that of a manifest; `-` is standard input."""
    return text == "-" or text.endswith((".yaml", ".yml", ".json"))


def read_manifest(path: Path) -> Manifest:
    """The one manifest that a YAML or JSON file holds; `-` is standard input.

    Raises DeclarationError when it cannot be read, or is none.
    """
    documents = read_documents(path)
    where = _called(path)
    if len(documents) != 1:
        raise DeclarationError(f"{where} holds {len(documents)} manifests: give it exactly one.")
    manifest, _ = documents[0]
    if not manifest.get("kind"):
        raise DeclarationError(f"{where} is not a manifest: it has no kind.")
    return manifest


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML or JSON file holds, such as one of parameters."""
    documents = read_documents(path)
    if len(documents) != 1:
        raise DeclarationError(f"{path} holds {len(documents)} mappings: give it exactly one.")
    return documents[0][0]


def read_documents(path: Path) -> list[tuple[Manifest, Mapping[str, int]]]:
    """All mappings that a YAML or JSON file holds, each with the line of each path in it.

    Values are read as Argo reads them: dates stay text. Raises DeclarationError.
    """
    text = sys.stdin.read() if str(path) == "-" else _text_of(path)
    if path.suffix == ".json":
        return [(_from_json(text, path), {})]
    from couler_jobs.spec.manifest import load_with_lines

    try:
        documents, lines = load_with_lines(text)
    except CoulerJobsError as error:
        told = DeclarationError(f"{_called(path)}: {error}")
        told.line = error.line
        raise told from None
    return list(zip(documents, lines, strict=True))


def _called(path: Path) -> str:
    return "Standard input" if str(path) == "-" else str(path)


def _from_json(text: str, path: Path) -> Manifest:
    # JSON is not quite a part of YAML: it may be indented with tabs.
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DeclarationError(f"{path} is not JSON: {error}.") from None
    if not isinstance(value, dict):
        raise DeclarationError(f"{path} is not a mapping of names to values.")
    return value


def filled(manifest: Manifest, values: Mapping[str, Any]) -> Manifest:
    """The manifest with the values as its workflow parameters; it is changed itself.

    Texts go in as they are, unless the parameter's own value is a JSON text: then its steps read
    JSON. Everything else goes in as JSON, a number of a command line as it was typed: `3.10` may be
    a version. Raises DeclarationError for a parameter that the workflow does not have, and for a
    manifest whose parameters are no list of names.
    """
    if not values:
        return manifest
    spec = _inside(manifest, "spec")
    if manifest.get("kind") == "CronWorkflow":
        spec = _inside(spec, "workflowSpec")
    parameters = _parameters(_inside(spec, "arguments"))
    declared = {one["name"]: one for one in parameters}
    if "workflowTemplateRef" not in spec:
        _refuse_unknown(values, declared)
    for name, value in values.items():
        if name not in declared:
            declared[name] = {"name": name}
            parameters.append(declared[name])
        declared[name].pop("valueFrom", None)
        declared[name]["value"] = _as_text(value, declared[name].get("value"))
    return manifest


def _inside(part: dict[str, Any], key: str) -> dict[str, Any]:
    """The mapping under a key, made where there is none."""
    if part.get(key) is None:
        part[key] = {}
    found = part[key]
    if not isinstance(found, dict):
        raise DeclarationError(f"The manifest's {key} is not a mapping of names to values.")
    return found


def _parameters(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    if arguments.get("parameters") is None:
        arguments["parameters"] = []
    found = arguments["parameters"]
    if not isinstance(found, list) or not all(
        isinstance(one, dict) and "name" in one for one in found
    ):
        raise DeclarationError("The manifest's arguments.parameters is not a list of names.")
    return found


def _refuse_unknown(values: Mapping[str, Any], declared: Mapping[str, Any]) -> None:
    for name in values:
        if name not in declared:
            raise DeclarationError(no_parameter("The workflow", name, declared))


def _as_text(value: Any, before: Any) -> str:
    if isinstance(value, Said):
        found = decoded(value)
        if isinstance(found, int | float):
            return str(value)
        value = found
    if isinstance(value, str) and not str(before).startswith('"'):
        return value
    return wire.encode(value)


def _text_of(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise DeclarationError(f"{path} cannot be read: there is no such file.") from None
    except OSError as error:
        raise DeclarationError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise DeclarationError(f"{path} cannot be read: it is not UTF-8 text.") from None
