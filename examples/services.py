"""A service that runs while other steps use it: a daemon, and a request that it answers."""

import couler_jobs as cj
from couler_jobs.templates import call, container, steps, template, workflow

serve = container(
    "serve",
    "python:3.12-slim",
    command=["python"],
    args=["-m", "http.server", "18431"],
    ports=[{"name": "web", "containerPort": 18431}],
    readinessProbe={"httpGet": {"path": "/", "port": "web"}, "periodSeconds": 1},
    template={"daemon": True},
)

ask = template("ask", inputs={"ip": None}, http={"url": "http://{{inputs.parameters.ip}}:18431/"})

show = container(
    "show",
    "busybox",
    inputs={"page": None},
    command=["echo", "{{inputs.parameters.page}}"],
)

main = steps(
    "main",
    [call(serve)],
    [call(ask, parameters={"ip": "{{steps.serve.ip}}"})],
    [call(show, parameters={"page": "{{steps.ask.outputs.result}}"})],
)

services = workflow(main, serve, ask, show, generate_name="services-", entrypoint=main)

if __name__ == "__main__":
    print(cj.to_yaml(cj.compile(services)), end="")
