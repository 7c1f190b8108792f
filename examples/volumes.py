"""A claim that is made for the run: what one step writes there, the next one finds."""

from pathlib import Path

import couler_jobs as cj

WORK = "/data"


@cj.step(mounts={WORK: cj.new_claim("1Gi")})
def write(text: str) -> str:
    (Path(WORK) / "notes.txt").write_text(text)
    return "notes.txt"


@cj.step(mounts={WORK: cj.new_claim("1Gi"), "/scratch": cj.empty(size="100Mi")})
def read(name: str) -> str:
    return (Path(WORK) / name).read_text()


@cj.workflow
def volumes(text: str = "kept for the next step") -> str:
    return read(write(text))


if __name__ == "__main__":
    print(cj.to_yaml(volumes.compile()), end="")
