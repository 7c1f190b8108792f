"""Importing the notebook libraries without what they never use here."""

from __future__ import annotations

import sys


def skip_slow_imports() -> None:
    """Make `import nbformat` three times as fast. To be called before it, in a program of our own.

    jsonschema imports the optional rfc3987_syntax for one string format (`iri`), which no notebook
    schema has; building its grammar takes longer than all of papermill's imports.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]  # "cannot be imported"
