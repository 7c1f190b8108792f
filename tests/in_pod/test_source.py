from __future__ import annotations

import json
from typing import Any

import pytest

from couler_jobs.in_pod.request import Refused
from couler_jobs.in_pod.source import LARGEST, Source, read_source, without_outputs

CODE = {"cell_type": "code", "source": ["1"], "metadata": {}}
V3 = {
    "nbformat": 3,
    "worksheets": [{"cells": [{"cell_type": "code", "input": "1", "language": "python"}]}],
}


def v4(*cells: Any, **metadata: Any) -> dict[str, Any]:
    return {"nbformat": 4, "metadata": metadata, "cells": list(cells)}


READ = [
    (v4(), Source()),
    (v4(CODE, {"cell_type": "raw", "source": ""}), Source(code_cells=1)),
    (v4(kernelspec={"name": "ir", "language": "R"}), Source(kernel="ir", language="R")),
    (
        v4(kernelspec={"name": "x", "language": "old"}, language_info={"name": "julia"}),
        Source(kernel="x", language="julia"),
    ),
    (v4(kernelspec=[], language_info={"name": 3}), Source()),
    (V3, Source(code_cells=1)),
]


@pytest.mark.parametrize(("document", "source"), READ)
def test_reading(document: dict[str, Any], source: Source) -> None:
    assert read_source(json.dumps(document).encode(), "a.ipynb") == source


REFUSED = [
    (b"not json", "a.ipynb is not a notebook: it is not JSON"),
    (b"\xff\xfe", "it is not JSON"),
    (b"[" * 100_000, "nested too deeply"),
    (b"[1]", "it has no format version"),
    (b'{"cells": []}', "it has no format version"),
    (b'{"nbformat": 9, "cells": []}', "has format 9; formats 3 and 4 can be run"),
    (b'{"nbformat": 2, "worksheets": []}', "has format 2"),
    (b'{"nbformat": 4}', "it has no list of cells"),
    (b'{"nbformat": 3}', "it has no list of cells"),
    (b'{"nbformat": 3, "worksheets": [{"cells": null}]}', "it has no list of cells"),
    (b'{"nbformat": 4, "cells": [1]}', "its cell 1 is not an object"),
    (b'{"nbformat": 3, "worksheets": [{"cells": [1]}]}', "its cell 1 is not an object"),
    (b'{"nbformat": 4, "cells": [{"source": ""}]}', "its cell 1 has no type"),
    (b'{"nbformat": 4, "cells": [{"cell_type": "code"}]}', "its cell 1 has no source text"),
    (b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": [1]}]}', "no source text"),
    (
        b'{"nbformat": 4, "cells": [{"cell_type": "code", "source": "", "metadata": 1}]}',
        "has metadata that is not an object",
    ),
    (b" " * (LARGEST + 1), "clear its outputs"),
]


@pytest.mark.parametrize(("data", "sentence"), REFUSED)
def test_what_is_no_notebook_is_refused(data: bytes, sentence: str) -> None:
    with pytest.raises(Refused, match=sentence):
        read_source(data, "a.ipynb")


def test_a_notebook_that_has_not_run_has_no_outputs() -> None:
    old = CODE | {"outputs": [{"output_type": "stream"}], "execution_count": 3}
    text = {"cell_type": "markdown", "source": "kept"}
    cells = json.loads(without_outputs(json.dumps(v4(old, text)).encode()))["cells"]
    assert cells == [CODE | {"outputs": [], "execution_count": None}, text]
