"""What the local engine can run: a manifest with a field that is not known here is refused.

`RUNS` is the tree of fields that mean something on one machine; `IGNORED` ones describe a pod
(image, resources, node, security ...) and change nothing here; anything else is refused by its
path, so that nothing is ever half-run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Manifest


class _Kind:
    """A leaf of the tree: the types that a value may have, in words."""

    def __init__(self, words: str, *types: type) -> None:
        self.words, self.types = words, types

    def fits(self, value: Any) -> bool:
        return isinstance(value, self.types) and (not isinstance(value, bool) or bool in self.types)


_TEXT = _Kind("a text", str)
_WORD = _Kind("a text, a number, true or false", str, int, float, bool)
_WHOLE = _Kind("a whole number", int)
_WHOLE_OR_TEXT = _Kind("a whole number, or a text of one", int, str)
_FLAG = _Kind("true or false", bool)
_ANY = _Kind("anything", object, bool)
_TEXTS = [_TEXT]
_IGNORED = _ANY


class _Named(dict[str, Any]):
    """A map whose keys are names that the user chose."""


_POD: dict[str, Any] = dict.fromkeys(
    (
        "affinity",
        "automountServiceAccountToken",
        "dnsConfig",
        "dnsPolicy",
        "executor",
        "hostAliases",
        "hostNetwork",
        "imagePullSecrets",
        "metrics",
        "nodeSelector",
        "podPriorityClassName",
        "podResources",
        "podSpecPatch",
        "resourceClaims",
        "schedulerName",
        "securityContext",
        "serviceAccountName",
        "tolerations",
    ),
    _IGNORED,
)
_KEYS: dict[str, Any] = {
    "items": [{"key": _TEXT, "path": _TEXT, "mode": _IGNORED}],
    "optional": _FLAG,
    "defaultMode": _IGNORED,
}
_VOLUME: dict[str, Any] = dict.fromkeys(("emptyDir", "ephemeral"), _IGNORED)
_VOLUME |= {
    "name": _TEXT,
    "persistentVolumeClaim": {"claimName": _TEXT, "readOnly": _FLAG},
    "hostPath": {"path": _TEXT, "type": _IGNORED},
    "configMap": {"name": _TEXT, **_KEYS},
    "secret": {"secretName": _TEXT, **_KEYS},
}
_MOUNT: dict[str, Any] = {
    **dict.fromkeys(("name", "mountPath", "subPath"), _TEXT),
    "readOnly": _FLAG,
    **dict.fromkeys(("recursiveReadOnly", "mountPropagation"), _IGNORED),
}
_SELECTOR = {"name": _TEXT, "key": _TEXT, "optional": _FLAG}
_KEY_ONLY: dict[str, Any] = {
    **{kind: {"key": _TEXT} for kind in ("s3", "gcs", "oss")},
    "azure": {"blob": _TEXT},
    "hdfs": {"path": _TEXT},
}
"""A key of the default repository, which is the run's folder here; a bucket needs credentials."""
_LOCATION: dict[str, Any] = {
    **_KEY_ONLY,
    "raw": {"data": _TEXT},
    "http": {
        "url": _TEXT,
        "headers": [{"name": _TEXT, "value": _TEXT}],
        "followTemporaryRedirects": _FLAG,
        "auth": {"basicAuth": {"usernameSecret": _SELECTOR, "passwordSecret": _SELECTOR}},
    },
    "git": {
        "repo": _TEXT,
        "branch": _TEXT,
        "revision": _TEXT,
        "depth": _WHOLE,
        "fetch": _TEXTS,
        "singleBranch": _FLAG,
        "disableSubmodules": _FLAG,
        "insecureIgnoreHostKey": _FLAG,
        "usernameSecret": _SELECTOR,
        "passwordSecret": _SELECTOR,
        "sshPrivateKeySecret": _SELECTOR,
    },
}
_INPUT_ARTIFACT: dict[str, Any] = {
    **_LOCATION,
    "name": _TEXT,
    "path": _TEXT,
    "mode": _WHOLE,
    "recurseMode": _FLAG,
    "optional": _FLAG,
    "archive": _IGNORED,
}
_ARGUMENT_ARTIFACT = {
    **_LOCATION,
    "name": _TEXT,
    "from": _TEXT,
    "fromExpression": _TEXT,
    "subPath": _TEXT,
    "optional": _FLAG,
    "archive": _IGNORED,
}
_ARGUMENTS: dict[str, Any] = {
    "parameters": [
        {
            "name": _TEXT,
            "value": _WORD,
            "default": _WORD,
            "enum": [_WORD],
            "description": _TEXT,
            "globalName": _TEXT,
            "valueFrom": {"configMapKeyRef": _SELECTOR, "default": _WORD},
        }
    ],
    "artifacts": [_ARGUMENT_ARTIFACT],
}
_OUTPUTS: dict[str, Any] = {
    "parameters": [
        {
            "name": _TEXT,
            "value": _WORD,
            "description": _TEXT,
            "globalName": _TEXT,
            "valueFrom": {
                "path": _TEXT,
                "default": _WORD,
                "parameter": _TEXT,
                "expression": _TEXT,
                "supplied": _IGNORED,
            },
        }
    ],
    "artifacts": [
        {
            **_KEY_ONLY,
            **dict.fromkeys(("name", "path", "from", "fromExpression", "subPath"), _TEXT),
            **dict.fromkeys(("optional", "recurseMode"), _FLAG),
            "mode": _WHOLE,
            "globalName": _TEXT,
            **dict.fromkeys(("archive", "artifactGC"), _IGNORED),
        }
    ],
}
_PORT = _WHOLE_OR_TEXT
_PROBE: dict[str, Any] = {
    "httpGet": {
        **dict.fromkeys(("host", "path", "scheme"), _TEXT),
        "port": _PORT,
        "httpHeaders": [{"name": _TEXT, "value": _TEXT}],
    },
    "tcpSocket": {"host": _TEXT, "port": _PORT},
    "exec": {"command": _TEXTS},
    "initialDelaySeconds": _WHOLE,
    "periodSeconds": _WHOLE,
    "timeoutSeconds": _WHOLE,
    "successThreshold": _WHOLE,
    "failureThreshold": _WHOLE,
    "terminationGracePeriodSeconds": _IGNORED,
}
"""What tells that a daemon is ready; of other steps nobody asks that."""
_CONTAINER: dict[str, Any] = {
    "command": _TEXTS,
    "args": _TEXTS,
    "env": [
        {
            "name": _TEXT,
            "value": _TEXT,
            "valueFrom": {"secretKeyRef": _SELECTOR, "configMapKeyRef": _SELECTOR},
        }
    ],
    "envFrom": [
        {
            "prefix": _TEXT,
            "secretRef": {"name": _TEXT, "optional": _FLAG},
            "configMapRef": {"name": _TEXT, "optional": _FLAG},
        }
    ],
    "workingDir": _TEXT,
    "name": _TEXT,
    **dict.fromkeys(
        (
            "image",
            "imagePullPolicy",
            "lifecycle",
            "livenessProbe",
            "ports",
            "readinessProbe",
            "resources",
            "securityContext",
            "startupProbe",
            "stdin",
            "stdinOnce",
            "terminationMessagePath",
            "terminationMessagePolicy",
            "tty",
            "volumeDevices",
        ),
        _IGNORED,
    ),
    "volumeMounts": [_MOUNT],
}
_CONTAINER_OF_SET = {**_CONTAINER, "dependencies": _TEXTS}
_CONTAINER_BESIDE = {**_CONTAINER, "mirrorVolumeMounts": _IGNORED}
_HOOKS = _Named(any={"template": _TEXT, "arguments": _ARGUMENTS, "expression": _TEXT})
_STEP: dict[str, Any] = {
    "name": _TEXT,
    "template": _TEXT,
    "arguments": _ARGUMENTS,
    "when": _TEXT,
    "withItems": [_ANY],
    "withParam": _TEXT,
    "withSequence": {
        "count": _WHOLE_OR_TEXT,
        "start": _WHOLE_OR_TEXT,
        "end": _WHOLE_OR_TEXT,
        "format": _TEXT,
    },
    "continueOn": {"error": _FLAG, "failed": _FLAG},
    "onExit": _TEXT,
    "hooks": _HOOKS,
}
_HTTP: dict[str, Any] = {
    **dict.fromkeys(("url", "method", "body", "successCondition"), _TEXT),
    "headers": [{"name": _TEXT, "value": _TEXT, "valueFrom": {"secretKeyRef": _SELECTOR}}],
    "bodyFrom": {"bytes": _TEXT},
    "timeoutSeconds": _WHOLE,
    "insecureSkipVerify": _FLAG,
}
_MUTEX = {"name": _TEXT, "namespace": _TEXT, "database": _FLAG}
_SEMAPHORE = {
    "configMapKeyRef": {"name": _TEXT, "key": _TEXT, "optional": _FLAG},
    "namespace": _TEXT,
}
_SYNCHRONIZATION = {
    "mutex": _MUTEX,
    "mutexes": [_MUTEX],
    "semaphore": _SEMAPHORE,
    "semaphores": [_SEMAPHORE],
}
_RETRY = {
    "limit": _WHOLE_OR_TEXT,
    "retryPolicy": _TEXT,
    "expression": _TEXT,
    "affinity": _IGNORED,
    "backoff": {
        "duration": _TEXT,
        "factor": _WHOLE_OR_TEXT,
        "maxDuration": _TEXT,
        "cap": _TEXT,
    },
}
_TEMPLATE: dict[str, Any] = {
    **_POD,
    "name": _TEXT,
    "inputs": {
        "parameters": _ARGUMENTS["parameters"],
        "artifacts": [_INPUT_ARTIFACT],
    },
    "outputs": _OUTPUTS,
    "container": _CONTAINER,
    "script": {**_CONTAINER, "source": _TEXT},
    "initContainers": [_CONTAINER_BESIDE],
    "sidecars": [_CONTAINER_BESIDE],
    "steps": [[_STEP]],
    "dag": {
        "target": _TEXT,
        "failFast": _FLAG,
        "tasks": [{**_STEP, "depends": _TEXT, "dependencies": _TEXTS}],
    },
    "suspend": {"duration": _TEXT},
    "http": _HTTP,
    "containerSet": {
        "containers": [_CONTAINER_OF_SET],
        "volumeMounts": [_MOUNT],
        "retryStrategy": {"retries": _WHOLE_OR_TEXT, "duration": _TEXT},
    },
    "daemon": _FLAG,
    "retryStrategy": _RETRY,
    "activeDeadlineSeconds": _WHOLE_OR_TEXT,
    "timeout": _TEXT,
    "pendingTimeout": _TEXT,
    "parallelism": _WHOLE,
    "failFast": _FLAG,
    "volumes": [_VOLUME],
    "memoize": {
        "key": _TEXT,
        "maxAge": _TEXT,
        "cache": {"configMap": {"name": _TEXT, "key": _TEXT, "optional": _FLAG}},
    },
    "synchronization": _SYNCHRONIZATION,
    "priority": _WHOLE,
    **dict.fromkeys(
        ("annotations", "archiveLocation", "metadata", "priorityClassName"),
        _IGNORED,
    ),
}
_COMMANDED = (_TEMPLATE["container"], _TEMPLATE["script"], _CONTAINER_OF_SET, _CONTAINER_BESIDE)
_TASK: dict[str, Any] = _TEMPLATE["dag"]["tasks"][0]
_STEP["inline"] = _TASK["inline"] = _TEMPLATE
_SPEC: dict[str, Any] = {
    **_POD,
    "entrypoint": _TEXT,
    "templates": [_TEMPLATE],
    "templateDefaults": _TEMPLATE,
    "arguments": _ARGUMENTS,
    "onExit": _TEXT,
    "hooks": _HOOKS,
    "parallelism": _WHOLE,
    "suspend": _FLAG,
    "activeDeadlineSeconds": _WHOLE,
    "retryStrategy": _RETRY,
    "priority": _WHOLE,
    "synchronization": _SYNCHRONIZATION,
    "ttlStrategy": dict.fromkeys(
        ("secondsAfterCompletion", "secondsAfterSuccess", "secondsAfterFailure"), _WHOLE
    ),
    "workflowMetadata": {
        "labels": _Named(any=_TEXT),
        "annotations": _Named(any=_TEXT),
        "labelsFrom": _Named(any={"expression": _TEXT}),
    },
    "volumes": [_VOLUME],
    "volumeClaimTemplates": [
        {
            "metadata": {"name": _TEXT, "labels": _IGNORED, "annotations": _IGNORED},
            **dict.fromkeys(("apiVersion", "kind", "spec", "status"), _IGNORED),
        }
    ],
    **dict.fromkeys(
        (
            "archiveLogs",
            "artifactGC",
            "artifactRepositoryRef",
            "podDisruptionBudget",
            "podGC",
            "podMetadata",
            "volumeClaimGC",
        ),
        _IGNORED,
    ),
}
RUNS: dict[str, Any] = {
    "apiVersion": _TEXT,
    "kind": _TEXT,
    "metadata": _IGNORED,
    "status": _IGNORED,
    "spec": _SPEC,
}


def refuse_unsupported(manifest: Manifest) -> None:
    """Raise `Rejected` with one sentence that lists every path that cannot run on this machine."""
    kind = manifest.get("kind", "Workflow")
    if kind != "Workflow":
        raise Rejected(f"The local engine runs Workflows; this manifest is a {kind}.")
    wrong = list(dict.fromkeys(_problems(dict(manifest), RUNS, "")))
    if wrong:
        raise Rejected(
            f"The local engine cannot run this manifest because of {', '.join(wrong)}. "
            "Leave that out, or run it on Argo."
        )


def _problems(value: Any, known: Any, path: str) -> Iterator[str]:
    if value is None:
        return
    if isinstance(known, _Kind):
        if not known.fits(value):
            yield f"{path} (it has to be {known.words})"
    elif isinstance(known, list):
        yield from _list_problems(value, known[0], path)
    elif not isinstance(value, Mapping):
        yield f"{path} (it has to be a map)"
    elif isinstance(known, _Named):
        for name in value:
            yield from _problems(value[name], known["any"], f"{path}.{name}")
    else:
        yield from _map_problems(value, known, path)


def _list_problems(value: Any, known: Any, path: str) -> Iterator[str]:
    if not isinstance(value, list | tuple):
        yield f"{path} (it has to be a list)"
        return
    for place, item in enumerate(value):
        if item is None and known is not _ANY:
            yield f"{path}[{place}] (it is empty)"
        yield from _problems(item, known, f"{path}[{place}]")


def _map_problems(value: Mapping[str, Any], known: Mapping[str, Any], path: str) -> Iterator[str]:
    for name, part in value.items():
        where = f"{path}.{name}" if path else str(name)
        if name in known:
            yield from _problems(part, known[name], where)
        elif part not in (None, False, [], {}, ""):
            yield where
    if known is _TEMPLATE and value.get("daemon"):
        yield from _probe_problems(value, path)
    if any(known is one for one in _COMMANDED) and _no_command(value, path):
        yield f"{path}.command (it is missing, and no image is run here that could bring one)"


def _probe_problems(template: Mapping[str, Any], path: str) -> Iterator[str]:
    for kind in ("container", "script"):
        yield from _probes_of(template.get(kind), f"{path}.{kind}")
    for place, sidecar in enumerate(template.get("sidecars") or ()):
        yield from _probes_of(sidecar, f"{path}.sidecars[{place}]")


def _probes_of(container: Any, path: str) -> Iterator[str]:
    if isinstance(container, Mapping):
        for field in ("startupProbe", "readinessProbe"):
            yield from _problems(container.get(field), _PROBE, f"{path}.{field}")


def _no_command(container: Mapping[str, Any], path: str) -> bool:
    return not container.get("command") and not path.startswith("spec.templateDefaults")
