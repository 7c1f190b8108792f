"""Containers of one pod that share a folder, each after those that it depends on."""

import couler_jobs as cj


@cj.step
def report(total: int) -> str:
    return f"{total} in all"


@cj.workflow
def container_set():
    total = cj.container_set(
        {
            "north": {"image": "busybox", "command": ["sh", "-c", "echo 1 > /work/north"]},
            "south": {"image": "busybox", "command": ["sh", "-c", "echo 2 > /work/south"]},
            "main": {
                "image": "busybox",
                "command": ["sh", "-c", "echo $(( $(cat /work/north) + $(cat /work/south) ))"],
                "after": ["north", "south"],
            },
        },
        mounts={"/work": cj.empty()},
        name="areas",
    )
    return report(total)


if __name__ == "__main__":
    print(cj.to_yaml(cj.compile(container_set)), end="")
