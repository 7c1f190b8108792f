"""One of two steps, by what another has found; whatever ran is the result."""

from typing import Any

import couler_jobs as cj


@cj.step
def measure(rows: int) -> dict[str, Any]:
    return {"rows": rows, "clean": rows % 2 == 0}


@cj.step
def report(rows: int) -> str:
    return f"{rows} rows"


@cj.step
def complain() -> str:
    return "nothing to report"


@cj.workflow
def conditions(rows: int = 12) -> str:
    found = measure(rows)
    with cj.when((found["rows"] > 10) & found["clean"]):
        good = report(found["rows"])
    with cj.otherwise():
        bad = complain()
    return cj.either(good, bad)


if __name__ == "__main__":
    print(cj.to_yaml(conditions.compile()), end="")
