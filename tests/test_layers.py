"""Imports run downward only: reads every module's imports and fails where an arrow runs up."""

from __future__ import annotations

import ast
import builtins
from collections.abc import Iterator
from itertools import permutations
from pathlib import Path

import pytest

import couler_jobs.errors
import scheduler_plugin.errors
from couler_jobs import _HOMES

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "couler_jobs"
LAYERS = [
    {"demo", "cli", "__main__"},
    {"scheduler_plugin"},
    {"argo", "couler_programs", "steps", "submitters"},
    {"submission", "scheduling", "inputs", "notebooks"},
    {"build", "findings", "manifests", "importer"},
    {"runs", "dsl", "compiler"},
    {"backends", "spec", "in_pod", "templates"},
    {"config"},
    {"errors", "nearest", "once", "_version"},
]
LEVEL = {part: level for level, parts in enumerate(LAYERS) for part in parts}
STRANGERS = {  # who does not import whom, where the layers would allow it
    *permutations(("dsl", "compiler", "runs"), 2),
    *(("dsl", "backends"), ("compiler", "backends")),
    *(("backends", "in_pod"), ("spec", "backends"), ("spec", "in_pod")),
}
MODELS = ("couler_jobs.spec.model", "couler_jobs.spec.graph")
# `nightly.compile()`: what a user declares has the method, and `build` declares in turn
UP = {("dsl", "build")}
IMPURE = {
    *("os", "io", "pathlib", "shutil", "tempfile", "subprocess", "socket", "http", "requests"),
    *("time", "random", "secrets", "uuid", "threading", "sqlite3"),
}
HEAVY = {"requests", "yaml", "sqlalchemy", "lark", "papermill", "nbconvert", "jupyter_client"}
ERRORS = {
    name
    for module in (builtins, couler_jobs.errors, scheduler_plugin.errors)
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, Exception)
}
LIGHT = (
    "__init__.py",
    "argo.py",
    "build.py",
    "templates.py",
    "importer/",
    "dsl/",
    "spec/",
    "compiler/",
)


def modules() -> list[Path]:
    return sorted(p for d in ("couler_jobs", "scheduler_plugin") for p in (ROOT / d).rglob("*.py"))


def part_of(module: str) -> str:
    """`couler_jobs.dsl.steps` is of `dsl`; everything of the plug-in is of `scheduler_plugin`."""
    first, _, rest = module.partition(".")
    return first if first != "couler_jobs" else rest.partition(".")[0]


def nodes(tree: ast.AST) -> Iterator[ast.AST]:
    """All nodes, but those under `if TYPE_CHECKING`."""
    for node in ast.iter_child_nodes(tree):
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield node
            yield from nodes(node)


def imports(tree: ast.AST) -> Iterator[str]:
    for node in (tree, *nodes(tree)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module == "couler_jobs":
            yield from (f"couler_jobs.{_HOMES.get(one.name, one.name)}" for one in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def at_import_time(tree: ast.Module) -> Iterator[str]:
    """What is imported when the module is: neither in functions nor for types only."""
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            yield from imports(node)


def read(path: Path) -> tuple[str, ast.Module]:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    return name, ast.parse(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_no_import_runs_up(path: Path) -> None:
    name, tree = read(path)
    own = part_of(name)
    found = {
        part_of(i) for i in imports(tree) if i.startswith(("couler_jobs.", "scheduler_plugin"))
    }
    up = {other for other in found if own and other in LEVEL and LEVEL[other] < LEVEL[own]}
    assert not {other for other in up if (own, other) not in UP}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_neighbours_do_not_know_each_other(path: Path) -> None:
    name, tree = read(path)
    own = part_of(name)
    found = {part_of(i) for i in imports(tree) if i.startswith("couler_jobs.")}
    assert not {(own, other) for other in found} & STRANGERS


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_name_the_whole_path(path: Path) -> None:
    _, tree = read(path)
    found = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    assert not [node.module for node in found if node.level]


@pytest.mark.parametrize("path", sorted((PACKAGE / "backends").rglob("*.py")), ids=str)
def test_a_backend_never_sees_the_model(path: Path) -> None:
    _, tree = read(path)
    assert not set(MODELS) & set(imports(tree))


@pytest.mark.parametrize(
    "path",
    sorted(path for part in ("spec", "compiler") for path in (PACKAGE / part).rglob("*.py")),
    ids=str,
)
def test_what_is_pure_imports_nothing_that_is_not(path: Path) -> None:
    _, tree = read(path)
    assert not {name.partition(".")[0] for name in imports(tree)} & IMPURE


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_part_has_its_layer(path: Path) -> None:
    name, _ = read(path)
    assert part_of(name) in {*LEVEL, ""}


@pytest.mark.parametrize("path", sorted((PACKAGE / "in_pod").rglob("*.py")), ids=str)
def test_programs_in_a_pod_import_nothing_else_of_the_package(path: Path) -> None:
    _, tree = read(path)
    found = {i for i in imports(tree) if i.startswith(("couler_jobs", "scheduler_plugin"))}
    assert all(name.startswith("couler_jobs.in_pod") for name in found)


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_what_a_declaration_imports_is_light(path: Path) -> None:
    name, tree = read(path)
    inside = str(path.relative_to(ROOT / name.partition(".")[0]))
    if name.startswith("couler_jobs") and inside.startswith(LIGHT):
        assert not {i.partition(".")[0] for i in at_import_time(tree)} & HEAVY


def test_no_error_is_built_and_then_forgotten() -> None:
    def forgotten(node: ast.AST) -> bool:
        return (
            isinstance(node, ast.Expr)
            and isinstance(node.value, ast.Call)
            and ast.unparse(node.value.func).rpartition(".")[2] in ERRORS
        )

    found = {path.name for path in modules() if any(map(forgotten, ast.walk(read(path)[1])))}
    assert found == set()
