"""Files travel as artifacts where a function says `Path`, values of a class as JSON."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import couler_jobs as cj


@dataclass
class Report:
    day: str
    table: Path
    rows: int


@cj.step
def build(day: str, mode: Literal["fast", "full"]) -> Report:
    table = Path("table.csv")
    table.write_text(f"{day},{mode}\n")
    return Report(day, table, 2)


@cj.step
def repeat(table: Path, rows: int) -> str:
    return table.read_text() * rows


@cj.workflow
def files_and_types(
    day: Annotated[str, "The day to report"] = "2026-01-01",
    mode: Literal["fast", "full"] = "fast",
) -> str:
    report = build(day, mode)
    return repeat(report.table, report.rows)


if __name__ == "__main__":
    print(cj.to_yaml(files_and_types.compile()), end="")
