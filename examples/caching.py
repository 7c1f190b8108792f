"""A step that does not run again, for a week, where it would do the same once more."""

import couler_jobs as cj


@cj.step(cache="7d")
def score(day: str) -> int:
    return len(day) * 3


@cj.step
def report(day: str, points: int) -> str:
    return f"{day}: {points}"


@cj.workflow
def caching(day: str = "2026-01-01") -> str:
    return report(day, score(day))


if __name__ == "__main__":
    print(cj.to_yaml(caching.compile()), end="")
