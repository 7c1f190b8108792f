"""Containers of one pod that share a folder, each after those that it depends on."""

import couler_jobs as cj
from couler_jobs.templates import template, workflow


def runs(name: str, line: str, *after: str) -> dict[str, object]:
    found: dict[str, object] = {
        "name": name,
        "image": "busybox",
        "command": ["sh", "-c"],
        "args": [line],
    }
    return found | ({"dependencies": list(after)} if after else {})


main = template(
    "main",
    containerSet={
        "containers": [
            runs("north", "echo 1 > /work/north"),
            runs("south", "echo 2 > /work/south"),
            runs("main", "cat /work/north /work/south", "north", "south"),
        ],
        "volumeMounts": [{"name": "work", "mountPath": "/work"}],
    },
    volumes=[{"name": "work", "emptyDir": {}}],
)

container_set = workflow(main, generate_name="container-set-", entrypoint=main)

if __name__ == "__main__":
    print(cj.to_yaml(cj.compile(container_set)), end="")
