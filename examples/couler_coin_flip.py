"""Container steps in Couler's spelling: conditions on what a script printed."""

import couler_jobs as cj
import couler_jobs.argo as couler


def flip() -> None:
    import random

    print(random.choice(["heads", "tails"]))


def tell(text: str) -> None:
    couler.run_container(image="alpine:3.20", command=["echo"], args=[text], step_name="tell")


couler.config_workflow(name="couler-coin-flip")
result = couler.run_script(image="python:3.12", source=flip)
couler.when(couler.equal(result, "heads"), lambda: tell("it was heads"))
couler.when(couler.equal(result, "tails"), lambda: tell("it was tails"))


if __name__ == "__main__":
    print(cj.to_yaml(cj.compile()), end="")
