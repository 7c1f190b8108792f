"""One step, one parameter, one output."""

import couler_jobs as cj


@cj.step
def greet(name: str) -> str:
    text = f"Hello, {name}!"
    print(text)
    return text


@cj.workflow
def hello(name: str = "world") -> str:
    return greet(name)


if __name__ == "__main__":
    print(cj.to_yaml(hello.compile()), end="")
