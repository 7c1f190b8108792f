"""A program as it was written for Couler: `couler-jobs submit --couler couler_program.py`."""

import couler.argo as couler
from couler.argo_submitter import ArgoSubmitter


def flip_coin() -> None:
    import random

    print(random.choice(["heads", "tails"]))


def job(name: str, text: str) -> None:
    couler.run_container(image="alpine:3.20", command=["echo"], args=[text], step_name=name)


if __name__ == "__main__":
    couler.config_workflow(name="couler-program")
    side = couler.run_script(image="python:3.12", source=flip_coin, step_name="flip")
    couler.when(couler.equal(side, "heads"), lambda: job("heads", "it was heads"))
    couler.when(couler.equal(side, "tails"), lambda: job("tails", "it was tails"))
    couler.run(submitter=ArgoSubmitter(namespace="argo"))
