"""Steps that run beside the workflow when it, or one of its steps, is in a phase."""

import couler_jobs as cj


@cj.step
def note(name: str) -> None:
    print(f"{name} has begun")


@cj.step
def warn(name: str) -> None:
    print(f"{name} has failed")


@cj.step(hooks={"warned": cj.hook(warn, on="Failed")})
def load(name: str) -> str:
    return f"loaded {name}"


@cj.workflow(hooks={"noted": cj.hook(note, on="Running")})
def hooks(name: str = "sales") -> str:
    return load(name)


if __name__ == "__main__":
    print(cj.to_yaml(hooks.compile()), end="")
