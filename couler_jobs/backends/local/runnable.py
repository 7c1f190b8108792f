"""The fields of a manifest that mean something on one machine, as a tree.

`RUNS` is its root. Fields that describe a pod (image, resources, node, security ...) and change
nothing here are there as `_IGNORED`; what is not in the tree is refused (`supported`).
"""

from __future__ import annotations

from typing import Any


class Kind:
    """A leaf of the tree: the types that a value may have, in words."""

    def __init__(self, words: str, *types: type) -> None:
        self.words, self.types = words, types

    def fits(self, value: Any) -> bool:
        """Whether a value is of one of them; true and false are no numbers."""
        return isinstance(value, self.types) and (not isinstance(value, bool) or bool in self.types)


_TEXT = Kind("a text", str)
_WORD = Kind("a text, a number, true or false", str, int, float, bool)
_WHOLE = Kind("a whole number", int)
_WHOLE_OR_TEXT = Kind("a whole number, or a text of one", int, str)
_FLAG = Kind("true or false", bool)
ANY = Kind("anything", object, bool)
_TEXTS = [_TEXT]
_IGNORED = ANY


class Named(dict[str, Any]):
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
        "podPriority",
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
_ITEMS: dict[str, Any] = {
    "items": [{"key": _TEXT, "path": _TEXT, "mode": _IGNORED}],
    "optional": _FLAG,
}
_KEYS = {**_ITEMS, "defaultMode": _IGNORED}
_VOLUME: dict[str, Any] = dict.fromkeys(("emptyDir", "ephemeral"), _IGNORED)
_VOLUME |= {
    "name": _TEXT,
    "persistentVolumeClaim": {"claimName": _TEXT, "readOnly": _FLAG},
    "hostPath": {"path": _TEXT, "type": _IGNORED},
    "configMap": {"name": _TEXT, **_KEYS},
    "secret": {"secretName": _TEXT, **_KEYS},
    "projected": {
        "sources": [{kind: {"name": _TEXT, **_ITEMS} for kind in ("configMap", "secret")}],
        "defaultMode": _IGNORED,
    },
}
_MOUNT: dict[str, Any] = {
    **dict.fromkeys(("name", "mountPath", "subPath", "subPathExpr"), _TEXT),
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
        "saveStreamViaFile": _IGNORED,
        "auth": {"basicAuth": {"usernameSecret": _SELECTOR, "passwordSecret": _SELECTOR}},
    },
    "git": {
        "repo": _TEXT,
        "branch": _TEXT,
        "revision": _TEXT,
        "depth": _WHOLE,
        "insecureSkipTLS": _FLAG,
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
    # what a template says of its own inputs counts, and not what is said here
    **dict.fromkeys(("archive", "artifactGC", "mode", "path", "recurseMode"), _IGNORED),
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
            **dict.fromkeys(("default", "enum"), _IGNORED),
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
PROBE: dict[str, Any] = {
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
            "valueFrom": {
                "secretKeyRef": _SELECTOR,
                "configMapKeyRef": _SELECTOR,
                "fieldRef": {"fieldPath": _TEXT, "apiVersion": _IGNORED},
            },
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
            "resizePolicy",
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
_HOOKS = Named(any={"template": _TEXT, "arguments": _ARGUMENTS, "expression": _TEXT})
_STEP: dict[str, Any] = {
    "name": _TEXT,
    "template": _TEXT,
    "arguments": _ARGUMENTS,
    "when": _TEXT,
    "withItems": [ANY],
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
TEMPLATE: dict[str, Any] = {
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
    "data": {
        "source": {"artifactPaths": {"name": _TEXT, **_KEY_ONLY, "archive": _IGNORED}},
        "transformation": [{"expression": _TEXT}],
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
COMMANDED = (TEMPLATE["container"], TEMPLATE["script"], _CONTAINER_OF_SET, _CONTAINER_BESIDE)
_TASK: dict[str, Any] = TEMPLATE["dag"]["tasks"][0]
_STEP["inline"] = _TASK["inline"] = TEMPLATE
_SPEC: dict[str, Any] = {
    **_POD,
    "entrypoint": _TEXT,
    "templates": [TEMPLATE],
    "templateDefaults": TEMPLATE,
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
        "labels": Named(any=_TEXT),
        "annotations": Named(any=_TEXT),
        "labelsFrom": Named(any={"expression": _TEXT}),
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
