"""A key of a secret in a step's environment: its name is in the manifest, its value never."""

import couler_jobs as cj


@cj.step(env={"REGION": "eu", "TOKEN": cj.secret("api", "token")})
def call() -> str:
    import os

    token = os.environ["TOKEN"]
    return f"a token of {len(token)} letters for {os.environ['REGION']}"


@cj.workflow
def secrets_in_env() -> str:
    return call()


if __name__ == "__main__":
    print(cj.to_yaml(secrets_in_env.compile()), end="")
