"""A pause that asks: whoever resumes the run answers, and the steps after it have the answers."""

import couler_jobs as cj


@cj.step
def measure() -> float:
    return 0.87


@cj.step
def release(accuracy: float, tag: str, who: str) -> str:
    return f"{tag}: accuracy {accuracy}, approved by {who}"


@cj.workflow
def approval() -> str:
    accuracy = measure()
    asked = cj.suspend(answers={"tag": None, "who": "nobody"}, name="approve", after=accuracy)
    return release(accuracy, asked["tag"], asked["who"])


if __name__ == "__main__":
    print(cj.to_yaml(approval.compile()), end="")
