"""A service that runs while other steps use it: a daemon, and a request that it answers."""

import couler_jobs as cj


@cj.step
def report(page: str) -> str:
    return "it answered a page" if "<html" in page else f"it answered {page}"


@cj.workflow
def services() -> str:
    serve = cj.container(
        "python:3.12-slim",
        name="serve",
        command=["python"],
        args=["-m", "http.server", "18431"],
        daemon=True,
        container_extra={
            "ports": [{"name": "web", "containerPort": 18431}],
            "readinessProbe": {"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1},
        },
    )
    page = cj.http(["http://", cj.ip(serve), ":18431/"])
    return report(page)


if __name__ == "__main__":
    print(cj.to_yaml(services.compile()), end="")
