"""Container steps in Couler's spelling: a diamond by chains."""

import couler_jobs as cj
import couler_jobs.argo as couler


def job(name: str) -> None:
    couler.run_container(image="alpine:3.20", command=["echo"], args=[name], step_name=name)


couler.config_workflow(name="couler-diamond")
couler.dag(
    [
        [lambda: job("A")],
        [lambda: job("A"), lambda: job("B")],
        [lambda: job("A"), lambda: job("C")],
        [lambda: job("B"), lambda: job("D")],
        [lambda: job("C"), lambda: job("D")],
    ]
)


if __name__ == "__main__":
    print(cj.to_yaml(cj.compile()), end="")
