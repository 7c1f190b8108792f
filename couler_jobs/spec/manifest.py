"""Walking a manifest: paths to its parts, and reading YAML with the line of each part."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from couler_jobs.errors import DeclarationError

if TYPE_CHECKING:
    import yaml

Manifest: TypeAlias = dict[str, Any]
# A path is a chain from the part back to the root, so extending one is a tuple and nothing else;
# it becomes text only where something is reported.
Path: TypeAlias = "tuple[Path, str | int] | None"
ROOT: Path = None

MAX_DEPTH: Final = 100
"""How deep a manifest may be nested; Argo's own types need about 20."""
MAX_PARTS: Final = 5_000_000
"""How many parts a file may have once its aliases are put in: more is an attack, not a workflow."""


class ManifestError(DeclarationError):
    """A file that is not a manifest, or not one that can be read safely; names the line."""

    def __init__(self, line: int | None, said: str) -> None:
        self.line = line
        super().__init__(f"{'The text' if line is None else f'Line {line}'} {said}")


def path_text(path: Path) -> str:
    """The path as people write it: `spec.templates[0].dag.tasks[2].depends`."""
    words: list[str] = []
    while path is not None:
        path, key = path
        words.append(f"[{key}]" if isinstance(key, int) else f".{key}")
    return "".join(reversed(words)).removeprefix(".") or "(the manifest)"


def path_of(*keys: str | int) -> Path:
    """A path from the root, key by key."""
    path = ROOT
    for key in keys:
        path = (path, key)
    return path


class Lines(Mapping[str, int]):
    """The line of each path of one document, counted from 1; the root is the empty path."""

    def __init__(self, found: Iterable[tuple[Path, int]]) -> None:
        self._found = list(found)
        self._by_text: dict[str, int] | None = None

    def _lines(self) -> dict[str, int]:
        # Most manifests are fine and never ask for a line, so the texts are made when one does.
        if self._by_text is None:
            self._by_text = {
                path_text(path) if path is not None else "": line for path, line in self._found
            }
        return self._by_text

    def __getitem__(self, path: str) -> int:
        return self._lines()[path]

    def __iter__(self) -> Any:
        return iter(self._lines())

    def __len__(self) -> int:
        return len(self._lines())


def load_with_lines(text: str) -> tuple[list[Manifest], list[Lines]]:
    """Read the documents of a YAML (or JSON) text: each as a mapping, with the line of each path.

    Values are read as Argo reads them: timestamps stay text, `1e3` is 1000, `y`, `yes` and `on` are
    true. Raises ManifestError for what is not YAML, for a document that is not a mapping, for a key
    that stands twice, for any tag beyond YAML's own simple ones, for nesting beyond MAX_DEPTH and
    for aliases that would blow up beyond MAX_PARTS.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    reader = _Reader()
    try:
        for event in yaml.parse(text, Loader=loader):
            reader.take(event)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        problem = getattr(error, "problem", None) or str(error)
        said = f"is not YAML: {' '.join(problem.split())}."
        raise ManifestError(mark.line + 1 if mark is not None else None, said) from None
    except (ValueError, RecursionError) as error:
        raise ManifestError(None, f"is not YAML: {error}.") from None
    return reader.documents, reader.lines


class _Open:
    """A mapping or list that is being read."""

    __slots__ = ("anchor", "line", "merged", "path", "size", "value", "waiting")

    def __init__(self, value: Any, path: Path, line: int, anchor: str | None) -> None:
        self.value, self.path, self.line, self.anchor = value, path, line, anchor
        self.waiting: Any = _NO_KEY
        self.merged: list[Any] = []
        self.size = 1


_NO_KEY: Final = object()
_MERGE: Final = object()


class _Reader:
    """Builds values from YAML's events; a stack of its own, so nesting costs no recursion."""

    def __init__(self) -> None:
        self.documents: list[Manifest] = []
        self.lines: list[Lines] = []
        self._open: list[_Open] = []
        self._anchors: dict[str, tuple[Any, int]] = {}
        self._found: list[tuple[Path, int]] = []
        self._parts = 0

    def take(self, event: yaml.Event) -> None:
        kind = event.__class__.__name__
        handle = _HANDLERS.get(kind)
        if handle is not None:
            handle(self, event)

    def _start_document(self, _: Any) -> None:
        self._anchors, self._found = {}, []

    def _scalar(self, event: Any) -> None:
        line = event.start_mark.line + 1
        is_key = self._wants_key()
        value = _scalar(event, line, is_key)
        if event.anchor:
            self._anchors[event.anchor] = (value, 1)
        if is_key:
            self._key(value, line)
        else:
            self._put(value, line, 1)

    def _start(self, event: Any, value: Any) -> None:
        line = event.start_mark.line + 1
        _check_tag(event.tag, line, type(value))
        if self._wants_key():
            raise ManifestError(line, "has a mapping or list as a key; write text.")
        if len(self._open) >= MAX_DEPTH:
            raise ManifestError(line, f"is nested deeper than {MAX_DEPTH} levels.")
        self._open.append(_Open(value, self._next_path(), line, event.anchor))

    def _start_mapping(self, event: Any) -> None:
        self._start(event, {})

    def _start_list(self, event: Any) -> None:
        self._start(event, [])

    def _end(self, _: Any) -> None:
        part = self._open.pop()
        for extra in part.merged:
            for key, item in extra.items():
                part.value.setdefault(key, item)
        if part.anchor:
            self._anchors[part.anchor] = (part.value, part.size)
        self._put(part.value, part.line, part.size)

    def _alias(self, event: Any) -> None:
        line = event.start_mark.line + 1
        if event.anchor not in self._anchors:
            raise ManifestError(line, f"uses the anchor {event.anchor!r}, which is not set.")
        value, size = self._anchors[event.anchor]
        if self._wants_key():
            self._key(value, line)
        else:
            self._put(value, line, size)

    def _wants_key(self) -> bool:
        if not self._open:
            return False
        top = self._open[-1]
        return isinstance(top.value, dict) and top.waiting is _NO_KEY

    def _key(self, key: Any, line: int) -> None:
        top = self._open[-1]
        if isinstance(key, (dict, list)):
            raise ManifestError(line, "has a mapping or list as a key; write text.")
        if key is not _MERGE and key in top.value:
            raise ManifestError(line, f"has the key {key!r} a second time.")
        top.waiting = key
        if key is not _MERGE:
            self._found.append(((top.path, key), line))

    def _next_path(self) -> Path:
        if not self._open:
            return ROOT
        top = self._open[-1]
        return (top.path, len(top.value) if isinstance(top.value, list) else top.waiting)

    def _put(self, value: Any, line: int, size: int) -> None:
        self._parts += size
        if self._parts > MAX_PARTS:
            raise ManifestError(line, f"repeats aliases beyond {MAX_PARTS:,} parts.")
        if not self._open:
            self._document(value, line)
            return
        top = self._open[-1]
        top.size += size
        if isinstance(top.value, list):
            self._found.append(((top.path, len(top.value)), line))
            top.value.append(value)
        elif top.waiting is _MERGE:
            self._merge(top, value, line)
        else:
            top.value[top.waiting] = value
        top.waiting = _NO_KEY

    def _merge(self, top: _Open, value: Any, line: int) -> None:
        parts = value if isinstance(value, list) else [value]
        if not all(isinstance(part, dict) for part in parts):
            raise ManifestError(line, "merges (`<<`) something that is not a mapping.")
        top.merged.extend(parts)

    def _document(self, value: Any, line: int) -> None:
        if value is None:
            return
        if not isinstance(value, dict):
            raise ManifestError(line, "begins a document that is not a mapping.")
        self.documents.append(value)
        self.lines.append(Lines([(ROOT, line), *self._found]))


_HANDLERS: Final[Mapping[str, Any]] = {
    "DocumentStartEvent": _Reader._start_document,
    "ScalarEvent": _Reader._scalar,
    "MappingStartEvent": _Reader._start_mapping,
    "SequenceStartEvent": _Reader._start_list,
    "MappingEndEvent": _Reader._end,
    "SequenceEndEvent": _Reader._end,
    "AliasEvent": _Reader._alias,
}

_WORDS: Final[Mapping[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE", "on", "On", "ON"), True),
    **dict.fromkeys(("y", "Y", "yes", "Yes", "YES"), True),
    **dict.fromkeys(("false", "False", "FALSE", "off", "Off", "OFF"), False),
    **dict.fromkeys(("n", "N", "no", "No", "NO"), False),
}
_INTEGER: Final = re.compile(
    r"[-+]?(?:0[bB][01]+|0[oO]?[0-7]+|0[xX][0-9a-fA-F]+|0|[1-9][0-9]*)", re.ASCII
)
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_BASES: Final[Mapping[str, int]] = {"0b": 2, "0o": 8, "0x": 16}
_SIMPLE: Final = ("str", "int", "float", "bool", "null", "timestamp")
_OWN: Final = "tag:yaml.org,2002:"


def _scalar(event: Any, line: int, is_key: bool) -> Any:
    text: str = event.value
    if event.tag is not None and event.tag != "!":
        _check_tag(event.tag, line, str)
        return text if event.tag == _OWN + "str" else plain(text)
    if not event.implicit[0] or event.tag == "!":
        return text
    if is_key:
        return _MERGE if text == "<<" else text
    return plain(text)


def plain(text: str) -> Any:
    """The value that Argo's command line, and kubectl, read in a word without quotes."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "+-.0123456789":
        return text
    plain = text if text[0] == "." else text.replace("_", "")
    if len(plain) >= 400:
        return text
    if _INTEGER.fullmatch(plain) and -(2**63) <= (whole := _whole(plain)) < 2**64:
        return whole
    if _FLOAT.fullmatch(plain) and not math.isinf(value := float(plain)):
        return _number(value)
    return text


def _whole(text: str) -> int:
    sign, digits = (-1, text[1:]) if text[0] == "-" else (1, text.lstrip("+"))
    prefix = digits[:2].lower()
    if prefix in _BASES:
        return sign * int(digits[2:], _BASES[prefix])
    return sign * int(digits, 8 if digits[0] == "0" else 10)


def _number(value: float) -> int | float:
    """As it stands in the JSON that Argo's command line makes of it: 1000 for `1e3`."""
    return int(value) if value.is_integer() and abs(value) < 1e21 else value


def _check_tag(tag: str | None, line: int, value: type) -> None:
    allowed = ("map",) if value is dict else ("seq",) if value is list else _SIMPLE
    if tag is not None and tag != "!" and tag not in [_OWN + word for word in allowed]:
        shown = tag.replace(_OWN, "!!")
        raise ManifestError(line, f"has the tag {shown}, which a manifest cannot hold.")
