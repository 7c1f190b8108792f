"""Reports of an executed notebook, made in this process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.in_pod.export import check_formats, export
from couler_jobs.in_pod.request import Refused
from tests.in_pod.running import code, document


def exported(folder: Path, exporter: str, target: Path) -> dict[str, str]:
    """The texts that are made of one cell with one output, by where they belong."""
    cell = code("total = 20 + 22; total")
    data = {"text/plain": "the answer"}
    cell["outputs"] = [
        {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": data}
    ]
    notebook = folder / "nb.ipynb"
    notebook.write_text(json.dumps(document([cell])), encoding="utf-8")
    made: dict[str, str] = {}

    def tell(kind: str, **said: Any) -> None:
        assert kind == "exported", said
        made[said["target"]] = Path(said["path"]).read_text(encoding="utf-8")

    export(notebook, "nb", {exporter: str(target)}, folder, tell)
    return made


@pytest.mark.parametrize(("exporter", "shows"), [("html", True), ("html_without_code", False)])
def test_a_report_has_the_results_and_its_code_if_that_is_wanted(
    tmp_path: Path, exporter: str, shows: bool
) -> None:
    target = tmp_path / "report.html"
    text = exported(tmp_path, exporter, target)[str(target)]

    assert "the answer" in text
    assert ("total" in text.partition("<body")[2]) is shows


def test_a_format_of_our_own_is_known_and_named_with_the_others() -> None:
    check_formats(["html", "html_without_code"])
    with pytest.raises(Refused, match="html, html_without_code"):
        check_formats(["papyrus"])
