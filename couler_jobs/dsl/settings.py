"""What a word of `@step` or `@workflow` is called in Argo's template or spec."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from couler_jobs.dsl.entries import Entry, config_selector
from couler_jobs.dsl.metrics import metrics_fields
from couler_jobs.dsl.units import seconds
from couler_jobs.errors import DeclarationError
from couler_jobs.spec.names import is_label_value, is_qualified_name

Fields = dict[str, Any]


def template_fields(words: Mapping[str, Any]) -> Fields:
    """The template's fields for these options. Raises `DeclarationError` for a wrong one."""
    metadata = {
        name: _texts(name, words[name]) for name in ("labels", "annotations") if words.get(name)
    }
    for name, value in metadata.get("labels", {}).items():
        if not (is_qualified_name(name) and is_label_value(value)):
            raise DeclarationError(
                f"labels={{{name!r}: {value!r}}}: Kubernetes takes letters, digits, '-', '_' and "
                "'.', at most 63, from a letter or digit to another."
            )
    return _fields(words, _SHARED | _TEMPLATE) | ({"metadata": metadata} if metadata else {})


def spec_fields(words: Mapping[str, Any]) -> Fields:
    """The workflow spec's fields for these options. Raises `DeclarationError` for a wrong one."""
    found = _fields(words, _SHARED | _SPEC)
    return found | _dns(words["dns"]) if words.get("dns") else found


def lock_fields(words: Mapping[str, Any]) -> Fields:
    """`synchronization` for `mutex` and `semaphore`, in the plural that the compiler knows."""
    found: Fields = {}
    if mutex := words.get("mutex"):
        names = [mutex] if isinstance(mutex, str) else list(mutex)
        found["mutexes"] = [{"name": name} for name in names]
    if semaphore := words.get("semaphore"):
        several = list(semaphore) if isinstance(semaphore, list | tuple) else [semaphore]
        found["semaphores"] = [
            {"configMapKeyRef": config_selector(one, "semaphore")} for one in several
        ]
    return {"synchronization": found} if found else {}


Convert = Callable[[str, Any], Any]


def _fields(words: Mapping[str, Any], table: Mapping[str, tuple[str, Convert]]) -> Fields:
    found: Fields = {}
    for word, (name, convert) in table.items():
        if word in words and words[word] not in (None, (), [], {}):
            found[name] = convert(word, words[word])
    if words.get("metrics"):
        found["metrics"] = metrics_fields(words["metrics"])
    return found | lock_fields(words)


def _mapping(word: str, value: Any) -> Fields:
    if not isinstance(value, Mapping):
        raise DeclarationError(f"{word}={value!r}: it is a mapping in Kubernetes' words.")
    return dict(value)


def _texts(word: str, value: Any) -> dict[str, str]:
    found = _mapping(word, value)
    for key, text in found.items():
        if not isinstance(text, str):
            raise DeclarationError(f"{word}={{{key!r}: {text!r}}}: names and values are texts.")
    return found


def _mappings(word: str, value: Any) -> list[Fields]:
    if not isinstance(value, Sequence) or not all(isinstance(one, Mapping) for one in value):
        raise DeclarationError(f"{word}={value!r}: it is a list of mappings in Kubernetes' words.")
    return [dict(one) for one in value]


def _named_containers(word: str, value: Any) -> list[Fields]:
    """Containers by name, in Kubernetes' words."""
    return [
        {"name": name, **_mapping(word, fields)} for name, fields in _mapping(word, value).items()
    ]


def _text(word: str, value: Any) -> str:
    if not isinstance(value, str):
        raise DeclarationError(f"{word}={value!r}: it is a text.")
    return value


def _flag(word: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise DeclarationError(f"{word}={value!r}: it is True or False.")
    return value


def _whole(word: str, value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise DeclarationError(f"{word}={value!r}: it is a whole number.")
    return value


def _references(word: str, value: Any) -> list[Fields]:
    names = [value] if isinstance(value, str) else list(value)
    return [{"name": _text(word, name)} for name in names]


def _strategy(word: str, value: Any) -> Fields:
    return {"strategy": value} if isinstance(value, str) else _mapping(word, value)


_AFTER = {
    "end": "secondsAfterCompletion",
    "success": "secondsAfterSuccess",
    "failure": "secondsAfterFailure",
}


def _lifetimes(word: str, value: Any) -> Fields:
    given = value if isinstance(value, Mapping) else {"end": value}
    for ending in given:
        if ending not in _AFTER:
            raise DeclarationError(f"{word} has no {ending!r}: it has {', '.join(_AFTER)}.")
    return {_AFTER[ending]: seconds(time, word) for ending, time in given.items()}


def _repository(word: str, value: Any) -> Fields:
    if not isinstance(value, Entry) or value.kind != "config":
        raise DeclarationError(f'{word}={value!r}: it takes cj.config_key("name", "key").')
    return {"configMap": value.name} | ({"key": value.key} if value.key else {})


_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")


def _dns(value: Any) -> Fields:
    """`dns="Default"`, or `{"policy": ..., "nameservers": [...]}` in Kubernetes' words."""
    given = {"policy": value} if isinstance(value, str) else _mapping("dns", value)
    found = {"dnsPolicy": given.pop("policy")} if "policy" in given else {}
    if (policy := found.get("dnsPolicy", "Default")) not in _DNS_POLICIES:
        raise DeclarationError(f"dns={policy!r}: it is one of {', '.join(_DNS_POLICIES)}.")
    return found | ({"dnsConfig": given} if given else {})


_SHARED: dict[str, tuple[str, Convert]] = {
    "node_selector": ("nodeSelector", _texts),
    "affinity": ("affinity", _mapping),
    "tolerations": ("tolerations", _mappings),
    "security_context": ("securityContext", _mapping),
    "service_account": ("serviceAccountName", _text),
}
_TEMPLATE: dict[str, tuple[str, Convert]] = {
    "priority_class": ("priorityClassName", _text),
    "sidecars": ("sidecars", _named_containers),
    "init_containers": ("initContainers", _named_containers),
    "daemon": ("daemon", _flag),
}
_SPEC: dict[str, tuple[str, Convert]] = {
    "priority_class": ("podPriorityClassName", _text),
    "image_pull_secrets": ("imagePullSecrets", _references),
    "priority": ("priority", _whole),
    "pod_gc": ("podGC", _strategy),
    "ttl": ("ttlStrategy", _lifetimes),
    "archive_logs": ("archiveLogs", _flag),
    "artifact_gc": ("artifactGC", _strategy),
    "artifact_repository": ("artifactRepositoryRef", _repository),
}
