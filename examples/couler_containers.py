"""Container steps in Couler's spelling: what one writes to a file, the next one takes."""

import couler_jobs as cj
import couler_jobs.argo as couler

couler.config_workflow(name="couler-containers")
made = couler.run_container(
    image="alpine:3.20",
    command=["sh", "-c"],
    args=["echo 42 > /tmp/number.txt"],
    output=couler.create_parameter_artifact(path="/tmp/number.txt"),
    step_name="make",
)
couler.run_container(
    image="alpine:3.20",
    command=["echo"],
    args=made,
    env={"LEVEL": 3, "QUIET": False},
    step_name="use",
)


if __name__ == "__main__":
    print(cj.to_yaml(cj.compile()), end="")
