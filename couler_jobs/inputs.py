"""What may be handed to `submit`, read into a manifest.

A declared workflow, nothing (what Couler's names have recorded), a manifest, or a path:
`flow.py`, `flow.py:nightly`, `flow.yaml`, `flow.json`, `-` (a manifest on standard input),
`report.ipynb`.
"""

from __future__ import annotations

import contextvars
import copy
import os
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from importlib.abc import Loader
from pathlib import Path
from types import CodeType, ModuleType
from typing import TYPE_CHECKING, Any

from couler_jobs import templates
from couler_jobs.errors import CoulerJobsError, DeclarationError
from couler_jobs.manifests import Manifest, filled, is_manifest_file, read_manifest
from couler_jobs.notebooks import NotebookOptions, notebook_manifest
from couler_jobs.runs.values import Said, decoded, decoded_values

if TYPE_CHECKING:
    from couler_jobs.compiler.origin import Origin
    from couler_jobs.dsl.workflows import Workflow

SUFFIXES = (".py", ".yaml", ".yml", ".json", ".ipynb")

_INSTALLED = (os.path.dirname(os.__file__), os.path.dirname(__file__))
"""Python's own modules, and this package."""
_PACKAGES = {"site-packages", "dist-packages"}

_read_now: contextvars.ContextVar[Path | None] = contextvars.ContextVar("read_now", default=None)


class SeveralWorkflows(DeclarationError):  # noqa: N818  a question, to which the names are answers
    """A program declares several workflows; `workflows` are what to say for each of them alone."""

    def __init__(self, path: Path, declared: Mapping[str, Any]) -> None:
        self.workflows = [
            f"{path}:{key}"
            for at, (key, value) in enumerate(declared.items())
            if not any(value is earlier for earlier in [*declared.values()][:at])
        ]
        names = ", ".join(self.workflows)
        super().__init__(f"{path} declares several workflows: choose one of {names}.")


def read(what: object, target: str, parameters: Mapping[str, Any] | None = None) -> Manifest:
    """The manifest of `what`, for an Argo version such as "4.1", with the parameters' values.

    It is the caller's own: changing it changes nothing else. Raises DeclarationError for what
    cannot be read and for a parameter that it does not have, CompileError for what cannot be
    compiled.
    """
    return read_placed(what, target, parameters)[0]


def read_placed(
    what: object, target: str, parameters: Mapping[str, Any] | None = None
) -> tuple[Manifest, Origin | None]:
    """The same, and what says where in the program a part of the manifest was declared."""
    values = parameters or {}
    if isinstance(what, str | os.PathLike):
        return _read_path(os.fspath(what), target, values)
    own = copy.deepcopy(dict(what)) if isinstance(what, Mapping) else what
    return _compiled(own, target, values)


def _read_path(text: str, target: str, values: Mapping[str, Any]) -> tuple[Manifest, Origin | None]:
    path, name = _split(text)
    if is_manifest_file(text):
        return filled(read_manifest(path), values), None
    if path.suffix == ".py":
        return _from_program(path, name, target, values)
    if path.suffix == ".ipynb":
        options = NotebookOptions(parameters=decoded_values(values))
        return notebook_manifest(path, options), None
    raise DeclarationError(
        f"{text!r} cannot be read as a workflow: give a file that ends in "
        f"{', '.join(SUFFIXES)}, or - for a manifest on standard input."
    )


def _split(text: str) -> tuple[Path, str]:
    """`flow.py:nightly` is the name `nightly` in `flow.py`; any other text is a path."""
    before, colon, name = text.rpartition(":")
    if colon and before.endswith(".py") and name.isidentifier():
        return Path(before), name
    return Path(text), ""


# --- programs


def _from_program(
    path: Path, name: str, target: str, values: Mapping[str, Any]
) -> tuple[Manifest, Origin | None]:
    """What the program declares, compiled. Its recording leaves the caller's own untouched."""
    from couler_jobs.dsl.recorder import take_recorded

    def inside() -> tuple[Manifest, Origin | None]:
        _read_now.set(path)  # this and what follows: in this copy of the context alone
        with suppress(DeclarationError):
            take_recorded()
        with program(path) as module, _blamed(path):
            return _compiled(_declared_in(module, name, path), target, values)

    return contextvars.copy_context().run(inside)


def refuse_while_reading() -> None:
    """What reads a program, `lint` or `diff`, must not start what is in it.

    Raises DeclarationError inside of a program that is read for what it declares.
    """
    if (path := _read_now.get()) is not None:
        raise DeclarationError(
            f"{path} starts a workflow as soon as it is read: put what starts it below "
            '`if __name__ == "__main__":`, which holds for `python FILE` alone.'
        )


@contextmanager
def program(path: Path, name: str = "") -> Iterator[ModuleType]:
    """A Python file, run as a module; `if __name__ == "__main__"` holds if that is its `name`.

    Inside the block it is in `sys.modules`, and files beside it can be imported.
    Raises DeclarationError, with the line, for an error in it.
    """
    from importlib.util import module_from_spec, spec_from_file_location

    if not path.is_file():
        why = "it is a folder" if path.is_dir() else "there is no such file"
        raise DeclarationError(f"{path} cannot be read: {why}.")
    # A module of that name that is there already is somebody else's.
    name = name or (path.stem if path.stem not in sys.modules else f"_program_{path.stem}")
    spec = spec_from_file_location(name, path.resolve())
    assert spec is not None  # noqa: S101  holds for every .py file
    assert spec.loader is not None  # noqa: S101
    module = module_from_spec(spec)
    with _importable(module, str(path.resolve().parent)):
        _execute(path, spec.loader, module)
        yield module


@contextmanager
def _importable(module: ModuleType, folder: str) -> Iterator[None]:
    before = sys.modules.get(module.__name__)
    sys.modules[module.__name__] = module
    sys.path.insert(0, folder)
    try:
        yield
    finally:
        sys.modules.pop(module.__name__, None)
        if before is not None:
            sys.modules[module.__name__] = before
        if folder in sys.path:
            sys.path.remove(folder)


def _execute(path: Path, loader: Loader, module: ModuleType) -> None:
    from couler_jobs.dsl.place import placed

    try:
        with placed():
            loader.exec_module(module)
    except CoulerJobsError:
        raise
    except (Exception, SystemExit) as error:
        if module.__name__ == "__main__" and isinstance(error, SystemExit) and not error.code:
            return  # a program may end itself
        raise _blame(path, error) from error


@contextmanager
def _blamed(path: Path) -> Iterator[None]:
    """An error that the program's own functions raise is told with its line; ours stay ours."""
    try:
        yield
    except CoulerJobsError:
        raise
    except Exception as error:
        if _is_ours(error):
            raise
        raise _blame(path, error) from error


def _is_ours(error: Exception) -> bool:
    """Whether it was raised by this package, and not by what the package has called."""
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    if isinstance(error, AttributeError) and frame.f_code.co_name == "__getattr__":
        return False  # `cj.maap`: a name that this package does not have
    return str(frame.f_globals.get("__name__")).partition(".")[0] == __name__.partition(".")[0]


def _blame(path: Path, error: BaseException) -> DeclarationError:
    """The error of a program, at the last of the lines that it came up in: its own, or those of a
    file beside it."""
    lines = [(f.filename, f.lineno) for f in traceback.extract_tb(error.__traceback__)]
    is_own = isinstance(error, SyntaxError) and _is_beside(path, error.filename or "")
    if isinstance(error, SyntaxError) and is_own:
        lines.append((error.filename or "", error.lineno))
    # The text of a syntax error ends in its place, which is said already.
    said = getattr(error, "msg", error) if is_own else _words_of(error)
    sentence = f"{type(error).__name__}: {said}".rstrip(": ")
    sentence += "" if sentence.endswith("?") else "."
    sentence = " ".join([sentence, *getattr(error, "__notes__", ())])
    missing = error.name or "" if isinstance(error, ModuleNotFoundError) else ""
    if missing.partition(".")[0] == "couler":
        sentence += (
            " A program for Couler is read with --couler: couler-jobs compile --couler FILE."
        )
    told = DeclarationError(sentence)
    told.place = str(path)
    for file, line in lines:
        if _is_beside(path, file):
            told.place = f"{path if file == str(path.resolve()) else file}, line {line}"
    return told


def _is_beside(path: Path, file: str) -> bool:
    """Whether a file is the program, or below its folder and no part of what is installed."""
    own, parts = path.resolve(), Path(file).parts
    if file == str(own):
        return True
    if not _PACKAGES.isdisjoint(parts) or any(map(Path(file).is_relative_to, _INSTALLED)):
        return False
    return Path(file).is_relative_to(own.parent)


def _words_of(error: BaseException) -> object:
    """What an error says: of a KeyError that is the key alone."""
    if type(error) is not KeyError or not error.args:
        return error
    *_, (frame, _line) = traceback.walk_tb(error.__traceback__)
    if frame.f_globals.get("__name__") == "os":
        return f"the environment variable {error.args[0]} is not set"
    return f"there is no {error.args[0]!r}"


def _declared_in(module: ModuleType, name: str, path: Path) -> object:
    """The workflow of that name, the only one, or None: what the program has recorded.

    The only one is also the one of several that calls the others.
    """
    from couler_jobs.dsl.recorder import recorded

    declared = {key: value for key, value in vars(module).items() if _is_declared_in(module, value)}
    if name:
        if not hasattr(module, name):
            known = f": it has {', '.join(declared)}" if declared else ""
            raise DeclarationError(f"There is nothing called {name} in {path}{known}.")
        return getattr(module, name)
    outer = _uncalled(declared)
    if len({id(value) for value in outer.values()}) > 1:
        raise SeveralWorkflows(path, outer)
    if not declared and recorded() is None:
        raise DeclarationError(
            f"{path} declares no workflow: put @cj.workflow above what calls its steps."
        )
    return next(iter(outer.values()), None)


def _uncalled(declared: Mapping[str, Any]) -> Mapping[str, Any]:
    """The workflows that no other one names in its function; all of them if each is named."""
    named = {
        key: set(_names_in(value.function.__code__))
        for key, value in declared.items()
        if is_workflow(value)
    }
    called = {key for key in declared if any(key in n for by, n in named.items() if by != key)}
    return {key: value for key, value in declared.items() if key not in called} or declared


def _names_in(code: CodeType) -> Iterator[str]:
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _names_in(constant)


def _is_declared_in(module: ModuleType, value: object) -> bool:
    """Whether it is a workflow of the module's own, or a manifest of `templates`."""
    if isinstance(value, templates.Manifest):
        return True
    return is_workflow(value) and getattr(value, "__module__", "") == module.__name__


def is_workflow(value: object) -> bool:
    """Whether it was declared with `@workflow`."""
    from couler_jobs.dsl.workflows import Workflow

    return isinstance(value, Workflow)


def _compiled(
    what: object, target: str, values: Mapping[str, Any]
) -> tuple[Manifest, Origin | None]:
    from couler_jobs.build import placed
    from couler_jobs.dsl.workflows import Workflow

    if isinstance(what, Workflow):
        return placed(what, target, {n: _taken(what, n, value) for n, value in values.items()})
    manifest, origin = placed(what, target, {})
    return filled(manifest, values), origin


def _taken(workflow: Workflow[..., Any], name: str, value: Any) -> Any:
    """A parameter's value; one of a command line stays text where the annotation says so.

    `-p version=3.10` would be the number 3.1. `null` is a text too, unless None is allowed.
    """
    from couler_jobs.dsl.fits import fits

    if not isinstance(value, Said):
        return value
    found, said = decoded(value), workflow.annotations
    if name not in said.texts or isinstance(found, str):
        return found
    return None if found is None and fits(said.parameters[name].hint, None) else str(value)
