"""A notebook as a step: values of other steps are its parameters, its variables go on to others."""

from pathlib import Path

import couler_jobs as cj

NOTEBOOK = Path(__file__).with_suffix(".ipynb")


@cj.step
def load(days: int) -> list[int]:
    return [day * day for day in range(days)]


@cj.step
def report(region: str, total: int, best: int) -> str:
    return f"{region}: {total}, at most {best} a day"


@cj.workflow
def notebook_with_parameters(region: str = "north", days: int = 4) -> str:
    sales = cj.notebook(
        NOTEBOOK, {"region": region, "amounts": load(days)}, outputs=["total", "best"]
    )
    return report(region, sales["total"], sales["best"])


if __name__ == "__main__":
    print(cj.to_yaml(notebook_with_parameters.compile()), end="")
