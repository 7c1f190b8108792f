"""A message that an executor plugin sends, which has to be installed in the cluster."""

import couler_jobs as cj


@cj.step
def count(day: str) -> str:
    return f"30 rows on {day}"


@cj.workflow
def plugin(day: str = "2026-01-01"):
    return cj.plugin("slack", {"text": count(day)}, name="tell")


if __name__ == "__main__":
    print(cj.to_yaml(cj.compile(plugin)), end="")
