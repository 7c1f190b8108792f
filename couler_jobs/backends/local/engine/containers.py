"""The processes that the templates of pods ask for, as `Launch` values."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Literal

from couler_jobs.backends.local.engine.downward import Pod
from couler_jobs.backends.local.engine.mounts import mounts_of
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.engine.templates import Filled, duration, value_text, whole
from couler_jobs.backends.local.values import (
    Container,
    InputFile,
    Launch,
    OutputFile,
    Probe,
    Reference,
    Value,
)

_REFERENCE = re.compile(r"\$\$|\$\(([^)]*)\)")
REMOTE = ("http", "git")
REPOSITORIES = ("s3", "gcs", "oss", "azure", "hdfs")
"""The artifact locations that may name nothing but a key, of the default repository."""

REPOSITORY = "repository"
"""The folder of a run's artifacts that stands for the default repository."""

_KEYS = {"azure": "blob", "hdfs": "path"}


def launch_of(node: str, filled: Filled, pod: Pod, *, wants_result: bool) -> Launch:
    """The process that a filled-in template of a pod asks for."""
    body = filled.body
    if "data" in body:
        work = {"data": _data(body["data"])}
        return Launch(node=node, template=filled.template.name, command=(), work=work)
    container = body.get("container") or body.get("script") or {}
    env = environment(container.get("env") or (), pod)
    return Launch(
        node=node,
        template=filled.template.name,
        command=_words(container.get("command"), env),
        args=_words(container.get("args"), env),
        source=body["script"].get("source") or None if "script" in body else None,
        env=env,
        env_from=_env_from(container),
        working_dir=container.get("workingDir") or None,
        init=tuple(_container(one, pod) for one in body.get("initContainers") or ()),
        sidecars=tuple(_container(one, pod) for one in body.get("sidecars") or ()),
        mounts=mounts_of(body, partial(_sub_path, pod)),
        inputs=tuple(_input(artifact) for artifact in filled.artifacts.values()),
        left_out=tuple(_left_out(filled)),
        output_parameters=_output_parameters(body),
        output_artifacts=_output_artifacts(body),
        wants_result=wants_result,
        **(_daemon(body) if body.get("daemon") else {}),
        **(_set(body["containerSet"], pod) if "containerSet" in body else {}),
    )


def _data(given: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be listed, and what the list becomes."""
    source = given["source"].get("artifactPaths") or {}
    steps = given.get("transformation") or ()
    return {
        "repository": REPOSITORY,
        "key": repository_key(source).removeprefix(f"{REPOSITORY}/"),
        "expressions": [step["expression"] for step in steps if step.get("expression")],
    }


def _set(given: Mapping[str, Any], pod: Pod) -> dict[str, Any]:
    """The containers of a set, and how often they are tried.

    As often as `retries` says, and not once more: Argo takes it for the number of attempts
    (`ContainerSetTemplate.GetRetryStrategy`).
    """
    strategy = given.get("retryStrategy") or {}
    retries = strategy.get("retries")
    return {
        "containers": tuple(_container(one, pod) for one in given["containers"]),
        "tries": 1 if retries is None else whole(retries),
        "pause": duration(str(strategy.get("duration") or "")) or 0.0,
    }


def _container(container: Mapping[str, Any], pod: Pod) -> Container:
    env = environment(container.get("env") or (), pod)
    words = [*(container.get("command") or ()), *(container.get("args") or ())]
    return Container(
        name=str(container.get("name", "")),
        command=_words(words, env),
        env=env,
        env_from=_env_from(container),
        working_dir=container.get("workingDir") or None,
        needs=tuple(container.get("dependencies") or ()),
    )


# --- daemons


def _daemon(body: Mapping[str, Any]) -> dict[str, Any]:
    """When a daemon is ready: as soon as the probes of its container and sidecars say so.

    A pod is ready when its containers are. One with a `startupProbe` is not before that succeeds.
    """
    main = {**(body.get("container") or body.get("script") or {}), "name": "main"}
    probes = [
        _probe(container, container[field], startup=field == "startupProbe")
        for field in ("startupProbe", "readinessProbe")
        for container in (main, *(body.get("sidecars") or ()))
        if container.get(field)
    ]
    return {"daemon": True, "probes": tuple(probes)}


_TIMES = {
    "delay": "initialDelaySeconds",
    "period": "periodSeconds",
    "timeout": "timeoutSeconds",
    "successes": "successThreshold",
    "failures": "failureThreshold",
}


def _probe(container: Mapping[str, Any], probe: Mapping[str, Any], *, startup: bool) -> Probe:
    """A probe as a value; one that names no period asks every second, not every ten as a cluster.

    Nothing but the time until it is noticed depends on that.
    """
    times = {name: probe[field] for name, field in _TIMES.items() if probe.get(field) is not None}
    check = {kind: dict(probe[kind]) for kind in ("httpGet", "tcpSocket", "exec") if kind in probe}
    for asked in check.values():
        if "port" in asked:
            asked["port"] = _port(container, asked["port"])
    return Probe(container=str(container["name"]), check=check, startup=startup, **times)


def _port(container: Mapping[str, Any], port: Any) -> int:
    """The number of a port that a probe may name as the container's `ports` do."""
    named = {one.get("name"): one.get("containerPort") for one in container.get("ports") or ()}
    try:
        return int(named.get(port, port))
    except (TypeError, ValueError):
        raise TagError(
            f"A probe asks at the port {port!r}, and its container names none like that."
        ) from None


# --- variables


def environment(declared: Iterable[Mapping[str, Any]], pod: Pod) -> dict[str, Value]:
    """Environment variables in their order; `$(NAME)` takes one that stands before."""
    env: dict[str, Value] = {}
    for variable in declared:
        source = variable.get("valueFrom")
        if source and "fieldRef" in source:
            env[variable["name"]] = pod.field(str(source["fieldRef"].get("fieldPath", "")))
        elif source:
            env[variable["name"]] = (_selected(source),)
        else:
            env[variable["name"]] = with_references(value_text(variable.get("value", "")), env)
    return env


def _selected(source: Mapping[str, Any]) -> Reference:
    kind: Literal["secret", "config map"] = "secret" if "secretKeyRef" in source else "config map"
    selector = source.get("secretKeyRef") or source.get("configMapKeyRef") or {}
    return Reference(
        kind=kind,
        name=str(selector.get("name", "")),
        key=str(selector.get("key", "")),
        optional=bool(selector.get("optional")),
    )


def _env_from(container: Mapping[str, Any]) -> tuple[Reference, ...]:
    found = []
    for source in container.get("envFrom") or ():
        kind: Literal["secret", "config map"] = "secret" if "secretRef" in source else "config map"
        given = source.get("secretRef") or source.get("configMapRef") or {}
        found.append(
            Reference(
                kind=kind,
                name=str(given.get("name", "")),
                optional=bool(given.get("optional")),
                prefix=str(source.get("prefix") or ""),
            )
        )
    return tuple(found)


def with_references(text: str, env: Mapping[str, Value]) -> Value:
    """Replace `$(NAME)` as Kubernetes does: `$$` is one `$`, an unknown name stays as written."""
    if "$" not in text:
        return text
    pieces: list[str | Reference] = []
    at = 0
    for match in _REFERENCE.finditer(text):
        known = "$" if match[0] == "$$" else env.get(match[1], match[0])
        pieces += [text[at : match.start()], *([known] if isinstance(known, str) else known)]
        at = match.end()
    pieces.append(text[at:])
    if any(isinstance(piece, Reference) for piece in pieces):
        return tuple(piece for piece in pieces if piece)
    return "".join(str(piece) for piece in pieces)


def _sub_path(pod: Pod, container: Mapping[str, Any], text: str) -> str:
    """A `subPathExpr` with the values of its container's own variables."""
    env = environment(container.get("env") or (), pod)
    if unknown := [name for name in _REFERENCE.findall(text) if name and name not in env]:
        raise TagError(f"The subPathExpr {text} names {unknown[0]}, which is no variable in env.")
    value = with_references(text, env)
    if isinstance(value, str):
        return value
    raise TagError(f"The subPathExpr {text} takes a value from a secret or config map.")


def _words(words: Any, env: Mapping[str, Value]) -> tuple[str, ...]:
    return tuple(_word(value_text(word), env) for word in words or ())


def _word(text: str, env: Mapping[str, Value]) -> str:
    """One word of a command line, which everybody on this machine can see."""
    value = with_references(text, env)
    if isinstance(value, str):
        return value
    kinds = {piece.kind for piece in value if isinstance(piece, Reference)}
    raise TagError(
        f"The command takes a value from a {' and a '.join(sorted(kinds))} ({text}), which would "
        "show in this machine's list of processes: let the step read its environment instead."
    )


# --- files


def _input(artifact: Mapping[str, Any]) -> InputFile:
    raw = artifact.get("raw")
    return InputFile(
        name=artifact["name"],
        path=artifact.get("path", ""),
        text=raw.get("data", "") if isinstance(raw, Mapping) else None,
        source=artifact.get("key") or repository_key(artifact) or None,
        remote=_remote(artifact),
        optional=bool(artifact.get("optional")),
        mode=artifact.get("mode"),
        recursive=bool(artifact.get("recurseMode")),
    )


def _left_out(filled: Filled) -> Iterator[str]:
    for artifact in filled.template.inputs.get("artifacts") or ():
        if artifact["name"] not in filled.artifacts and artifact.get("path"):
            yield artifact["path"]


def _remote(artifact: Mapping[str, Any]) -> Mapping[str, Any] | None:
    kind = next((kind for kind in REMOTE if kind in artifact), None)
    return None if kind is None else {kind: artifact[kind]}


def repository_key(artifact: Mapping[str, Any]) -> str:
    """The key of a run's own artifact folder that stands for one of the default repository."""
    for kind in REPOSITORIES:
        key = (artifact.get(kind) or {}).get(_KEYS.get(kind, "key"))
        if key:
            return f"{REPOSITORY}/{str(key).strip('/')}"
    return ""


def _output_parameters(body: Mapping[str, Any]) -> tuple[OutputFile, ...]:
    files = []
    for parameter in (body.get("outputs") or {}).get("parameters") or ():
        source = parameter.get("valueFrom") or {}
        default = source.get("default")
        if source.get("path"):
            text = None if default is None else value_text(default)
            files.append(OutputFile(name=parameter["name"], path=source["path"], default=text))
    return tuple(files)


def _output_artifacts(body: Mapping[str, Any]) -> tuple[OutputFile, ...]:
    return tuple(
        OutputFile(
            name=a["name"],
            path=a["path"],
            optional=bool(a.get("optional")),
            key=repository_key(a),
            packed="none" not in (a.get("archive") or {}),
        )
        for a in (body.get("outputs") or {}).get("artifacts") or ()
        if a.get("path")
    )
