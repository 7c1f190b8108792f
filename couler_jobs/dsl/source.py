"""A function's source, and that of all it uses, as the text of a script that runs anywhere.

Nothing is pickled: the script is read by people in Argo's UI. What travels is what the text can
say: functions, classes and literal constants of the function's own module, and imports of others.
"""

from __future__ import annotations

import ast
import builtins
import inspect
import linecache
import symtable
import sys
import textwrap
import types
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from typing import Any

from couler_jobs.dsl.braces import without_tags
from couler_jobs.errors import DeclarationError
from couler_jobs.spec.place import shown


def script(function: Callable[..., Any]) -> str:
    """The text that defines `function` and everything it needs, imports first.

    Raises `DeclarationError` naming the variable and its line for what would not survive.
    """
    if not isinstance(function, types.FunctionType):
        raise DeclarationError(f"{function!r} is no function whose text could travel.")
    if hasattr(function, "__wrapped__"):
        raise DeclarationError(
            f"A decorator wraps {function.__name__}, and would not travel with the step: use it "
            "on a function that the step calls."
        )
    shipment = _Shipment(function)
    shipment.add_root()
    return without_tags(shipment.text(), function.__name__)


def import_script(function: Callable[..., Any]) -> str:
    """The text that imports `function` where it is installed."""
    if function.__module__ == "__main__" or function.__qualname__ != function.__name__:
        raise DeclarationError(
            f"{function.__qualname__} of {function.__module__} cannot be imported where the step "
            "runs: move it to the top of an installed module, or use ship='source'."
        )
    name = function.__name__
    there = getattr(sys.modules.get(function.__module__), name, None)
    is_step = hasattr(there, "__couler_jobs_function__")
    bare = f"\n{name} = {name}.__couler_jobs_function__\n" if is_step else ""
    return f"from {function.__module__} import {name}\n{bare}"


class _Shipment:
    """What travels with one function, in the order in which a module would define it."""

    def __init__(self, function: types.FunctionType) -> None:
        self._root = function
        self._globals = function.__globals__
        self._seen: set[str] = set()
        self._imports: set[str] = set()
        self._constants: dict[str, str] = {}
        self._definitions: list[str] = []

    def text(self) -> str:
        """The script: future, imports, constants, definitions."""
        constants = [f"{name} = {text}" for name, text in sorted(self._constants.items())]
        head = ["from __future__ import annotations"]
        blocks = [
            "\n".join(block)
            for block in (
                head,
                sorted(self._imports, key=lambda line: (line[0] == "f", line)),
                constants,
            )
            if block
        ]
        return "\n\n".join(blocks) + "\n\n\n" + "\n\n\n".join(self._definitions) + "\n"

    def add_root(self) -> None:
        """The function itself, without the decorators that made it a step, and what it uses."""
        found = _function_definition(self._root)
        found.refuse_decorators(self._globals)
        self._add_function(self._root, found, bare=True)

    def _add_function(
        self, function: types.FunctionType, found: _Definition, *, bare: bool
    ) -> None:
        self._seen.add(function.__name__)
        self._refuse_closure(function, found)
        self._add_definition(found, bare=bare)

    def _add_definition(self, found: _Definition, *, bare: bool) -> None:
        evaluated = found.evaluated(bare=bare)
        for name in found.names(bare=bare):
            if name not in self._seen and not (name.startswith("__") and name.endswith("__")):
                self._seen.add(name)
                self._add_name(name, found, needed=name in evaluated)
        self._definitions.append(found.text(bare=bare))

    def _refuse_closure(self, function: types.FunctionType, found: _Definition) -> None:
        cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
        for name, cell in cells:
            value = _content(cell)
            if isinstance(value, types.ModuleType):
                self._seen.add(name)
                self._imports.update(_module_imports(name, value, found.tree))
            elif name != function.__name__:
                raise DeclarationError(
                    f"{function.__name__} uses the variable {name!r} of the function around it "
                    f"({found.where(name)}), which would not travel: pass it as an argument."
                )

    def _add_name(self, name: str, found: _Definition, *, needed: bool) -> None:
        if name in self._globals:
            if not needed and _is_ours(self._globals[name]):
                return  # `cj.file(...)` in an annotation says how it travels, and stays here
            if not self._add_value(name, self._globals[name], found) and needed:
                kind = type(self._globals[name]).__name__
                raise DeclarationError(
                    f"{self._root.__name__} uses {name!r} ({found.where(name)}), a {kind} object, "
                    "which would not travel: create it inside the function, or pass it as an "
                    "argument."
                )
        elif needed and not hasattr(builtins, name):
            raise DeclarationError(
                f"{self._root.__name__} uses {name!r} ({found.where(name)}), which is not defined."
            )

    def _add_value(self, name: str, value: Any, found: _Definition) -> bool:
        """Let the value travel as what it is; whether that is possible."""
        if isinstance(value, types.ModuleType):
            self._imports.update(_module_imports(name, value, found.tree))
        elif self._is_own(name, value):
            self._add_own(name, value)
        elif (line := _import_line(name, value)) is not None:
            self._imports.add(line)
        elif (text := literal(value)) is not None:
            self._constants[name] = text
        elif (line := _import_statement(name, found)) is not None:
            self._imports.add(line)
        else:
            return False
        return True

    def _is_own(self, name: str, value: Any) -> bool:
        """Whether the value is a function or class that this module defines under this name."""
        plain = inspect.unwrap(getattr(value, "__couler_jobs_function__", value))
        return (
            isinstance(plain, types.FunctionType | type)
            and plain.__module__ == self._root.__module__
            and plain.__qualname__ == name
        )

    def _add_own(self, name: str, value: Any) -> None:
        step = getattr(value, "__couler_jobs_function__", None)
        plain = inspect.unwrap(step or value)
        if isinstance(plain, type):
            found = _definition(_file_of_class(plain), name, plain)
            self._add_definition(found, bare=False)
        else:
            self._add_function(plain, _function_definition(plain), bare=step is not None)


class _Definition:
    """A `def` or `class` statement, with the lines that it was read from."""

    def __init__(self, filename: str, lines: list[str], tree: ast.stmt) -> None:
        self.filename, self.lines, self.tree = filename, lines, tree

    def text(self, *, bare: bool) -> str:
        """The statement's own lines at the left edge; `bare` is without decorators."""
        first = self.tree.lineno if bare else _first_line(self.tree)
        lines = self.lines[first - 1 : self.tree.end_lineno]
        return textwrap.dedent("".join(lines)).rstrip()

    def names(self, *, bare: bool) -> list[str]:
        """The names that the statement takes from around it, in the order of the text."""
        table = symtable.symtable(self.text(bare=bare), self.filename, "exec")
        outer = set(_taken_from_outside(table))
        found = (node.id for node in ast.walk(self.tree) if isinstance(node, ast.Name))
        return [name for name in dict.fromkeys(found) if name in outer]

    def evaluated(self, *, bare: bool) -> set[str]:
        """Names that are read when it runs: all but those in annotations."""
        left_out = [*_annotations(self.tree), *(_decorators(self.tree) if bare else ())]
        unread = {id(node) for one in left_out for node in ast.walk(one)}
        names = (node for node in ast.walk(self.tree) if isinstance(node, ast.Name))
        return {name.id for name in names if id(name) not in unread}

    def refuse_decorators(self, names: Mapping[str, Any]) -> None:
        """Only `@step` may decorate a step: what another one made of it would not travel."""
        for decorator in _decorators(self.tree):
            if not _is_step(decorator, names):
                raise DeclarationError(
                    f"The decorator @{ast.unparse(decorator)} "
                    f"({shown(self.filename, decorator.lineno)}) would not travel with the step: "
                    "use it on a function that the step calls."
                )

    def where(self, name: str) -> str:
        """Where `name` is read: `file.py, line 3`."""
        lines = [
            node.lineno
            for node in ast.walk(self.tree)
            if isinstance(node, ast.Name) and node.id == name
        ]
        return shown(self.filename, min(lines)) if lines else self.filename


def _is_ours(value: Any) -> bool:
    """Whether it is this package, or a part of it."""
    name = value.__name__ if isinstance(value, types.ModuleType) else type(value).__module__
    return str(name).partition(".")[0] == __name__.partition(".")[0]


def _is_step(decorator: ast.expr, names: Mapping[str, Any]) -> bool:
    """Whether the decorator is ours; one that cannot be looked up is judged by its name."""
    function = decorator.func if isinstance(decorator, ast.Call) else decorator
    chain = _chain(function)
    if not chain:
        return False
    value = names.get(chain[0])
    for name in chain[1:]:
        value = getattr(value, name, None)
    if value is None:
        return chain[-1] == "step"
    return getattr(value, "__module__", "") == "couler_jobs.dsl.steps"


def literal(value: Any) -> str | None:
    """Python text that gives an equal value, or None for what is not made of literals."""
    if value is None or type(value) in (bool, int, str, bytes):
        return repr(value)
    if type(value) is float:
        return repr(value) if value - value == 0 else f'float("{value}")'
    if type(value) in (list, tuple, set, frozenset):
        return _literal_items(value)
    if type(value) is dict:
        items = [(literal(key), literal(item)) for key, item in value.items()]
        if any(key is None or item is None for key, item in items):
            return None
        return "{" + ", ".join(f"{key}: {item}" for key, item in items) + "}"
    return None


def _literal_items(value: Any) -> str | None:
    items = [literal(item) for item in value]
    if None in items:
        return None
    texts = [item for item in items if item is not None]
    if isinstance(value, set | frozenset):
        texts.sort()
    inner = ", ".join(texts)
    if isinstance(value, list):
        return f"[{inner}]"
    if isinstance(value, tuple):
        return f"({inner},)" if len(texts) == 1 else f"({inner})"
    written = f"{{{inner}}}" if texts else "set()"
    return f"frozenset({written})" if isinstance(value, frozenset) else written


def _function_definition(function: types.FunctionType) -> _Definition:
    return _definition(function.__code__.co_filename, function.__name__, function)


def _definition(filename: str, name: str, value: Any) -> _Definition:
    """The statement that defines `value`; `DeclarationError` where no source text is kept."""
    code = getattr(value, "__code__", None)
    for lines in _texts(filename, value):
        for node in _statements("".join(lines)):
            if (
                isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef)
                and node.name == name
                and (code is None or _first_line(node) == code.co_firstlineno)
            ):
                return _Definition(filename, lines, node)
    raise DeclarationError(
        f"The source text of {name!r} cannot be found (it says {filename}): define it with `def` "
        "or `class` in a file, a notebook or IPython. Python's own prompt keeps none before 3.13."
    )


def _texts(filename: str, value: Any) -> Iterator[list[str]]:
    """The texts that may define `value`: its file's, else a notebook's cells, newest first."""
    names = getattr(sys.modules.get(value.__module__ or ""), "__dict__", {})
    yield linecache.getlines(filename, names)
    cells = names.get("In", ())
    if isinstance(value, type) and isinstance(cells, list):
        for cell in reversed(cells):
            yield str(cell).splitlines(keepends=True)


@lru_cache(maxsize=64)
def _statements(text: str) -> tuple[ast.AST, ...]:
    try:
        return tuple(ast.walk(ast.parse(text)))
    except SyntaxError:
        return ()


def _first_line(node: ast.stmt) -> int:
    return min([node.lineno, *(decorator.lineno for decorator in _decorators(node))])


def _file_of_class(value: type) -> str:
    """The file of a class: its module's, or that of its methods in a notebook cell."""
    for member in vars(value).values():
        method: Any = inspect.unwrap(getattr(member, "__func__", member))
        code = getattr(method, "__code__", None)
        if code is None or method.__module__ != value.__module__:
            continue  # such as what `enum` puts into its classes
        if not code.co_filename.startswith("<string"):
            return str(code.co_filename)
    return getattr(sys.modules.get(value.__module__), "__file__", None) or value.__module__


def _decorators(node: ast.AST) -> list[ast.expr]:
    return list(getattr(node, "decorator_list", ()))


def _annotations(tree: ast.AST) -> Iterator[ast.expr]:
    for node in ast.walk(tree):
        for field in ("annotation", "returns"):
            annotation = getattr(node, field, None)
            if annotation is not None:
                yield annotation


def _taken_from_outside(table: symtable.SymbolTable) -> Iterator[str]:
    """Names that a scope reads and neither it nor a scope around it (but the module) binds."""
    top = table.get_type() == "module"
    for symbol in table.get_symbols():
        if symbol.is_referenced() and (symbol.is_global() or (top and not symbol.is_assigned())):
            yield symbol.get_name()
    for child in table.get_children():
        yield from _taken_from_outside(child)


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _import_of(name: str, module: types.ModuleType) -> str:
    package, _, last = module.__name__.rpartition(".")
    if name == module.__name__:
        return f"import {name}"
    return (
        f"import {module.__name__} as {name}" if last != name else f"from {package} import {name}"
    )


def _module_imports(name: str, module: types.ModuleType, tree: ast.AST) -> set[str]:
    """The import of a module, and of those of its submodules that the text reaches through it."""
    found = {_import_of(name, module)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and (chain := _chain(node)) and chain[0] == name:
            for length in range(2, len(chain) + 1):
                dotted = ".".join([module.__name__, *chain[1:length]])
                if isinstance(sys.modules.get(dotted), types.ModuleType):
                    found.add(f"import {dotted}")
    return found


def _chain(node: ast.expr) -> list[str]:
    """`a.b.c` as its names; empty for anything else."""
    names: list[str] = []
    while isinstance(node, ast.Attribute):
        names.append(node.attr)
        node = node.value
    return [node.id, *reversed(names)] if isinstance(node, ast.Name) else []


def _import_line(name: str, value: Any) -> str | None:
    """`from module import name` for what another module defines under a name of its own."""
    module, own = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    if not isinstance(module, str) or not isinstance(own, str) or module == "__main__":
        return None
    if getattr(sys.modules.get(module), own, None) is not value:
        return None
    return f"from {module} import {own}" + (f" as {name}" if own != name else "")


def _import_statement(name: str, found: _Definition) -> str | None:
    """The module's own statement that imports `name`, where its text has one."""
    for node in _statements("".join(found.lines)):
        if isinstance(node, ast.ImportFrom) and node.level == 0:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    alone = ast.ImportFrom(module=node.module, names=[alias], level=0)
                    return ast.unparse(alone)
    return None
