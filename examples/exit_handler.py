"""A step that runs at the end, however the workflow ended, and knows how."""

from typing import Any

import couler_jobs as cj


@cj.step
def work(fail: bool) -> str:
    if fail:
        raise RuntimeError("as asked")
    return "done"


@cj.step
def tell(name: str, status: str, failures: list[dict[str, Any]] | None) -> None:
    print(f"{name} ended as {status}")
    for failure in failures or []:
        print(f"  {failure['displayName']}: {failure['message']}")


def at_the_end() -> None:
    tell(cj.workflow_name(), cj.workflow_status(), cj.workflow_failures())


@cj.workflow(on_exit=at_the_end)
def exit_handler(fail: bool = False) -> str:
    return work(fail)


if __name__ == "__main__":
    print(cj.to_yaml(exit_handler.compile()), end="")
