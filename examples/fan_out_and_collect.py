"""A loop over what a step found, all rounds at the same time, and one step for all the results."""

from typing import Any

import couler_jobs as cj


@cj.step
def find_files(count: int) -> list[str]:
    return [f"part-{number}.csv" for number in range(count)]


@cj.step
def count_letters(file: str, weight: int) -> dict[str, Any]:
    return {"file": file, "letters": len(file) * weight}


@cj.step
def total(counted: list[dict[str, Any]]) -> int:
    return sum(one["letters"] for one in counted)


@cj.workflow
def fan_out_and_collect(count: int = 3) -> int:
    return total(cj.map(count_letters, find_files(count), weight=2))


if __name__ == "__main__":
    print(cj.to_yaml(fan_out_and_collect.compile()), end="")
