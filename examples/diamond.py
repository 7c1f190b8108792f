"""Four steps: two in the middle that run at the same time. The order comes from the data."""

import couler_jobs as cj


@cj.step
def load(day: str) -> list[int]:
    return [len(day), 4, 38]


@cj.step
def smallest(numbers: list[int]) -> int:
    return min(numbers)


@cj.step
def largest(numbers: list[int]) -> int:
    return max(numbers)


@cj.step(retries=2, timeout="5m")
def report(low: int, high: int) -> str:
    return f"{low} to {high}"


@cj.workflow
def diamond(day: str = "2026-01-01") -> str:
    numbers = load(day)
    return report(smallest(numbers), largest(numbers))


if __name__ == "__main__":
    print(cj.to_yaml(diamond.compile()), end="")
