"""A TFJob of Kubeflow's Training Operator as a step, which ends as the job does."""

import couler_jobs as cj
import couler_jobs.argo as couler
from couler_jobs.steps import tensorflow

couler.config_workflow(name="tensorflow-job")
tensorflow.train(
    image="registry.example.org/train:1",
    command="python train.py --epochs 3",
    num_workers=2,
    worker_resources="cpu=1,memory=1024",
    step_name="train",
)


if __name__ == "__main__":
    print(cj.to_yaml(cj.compile()), end="")
