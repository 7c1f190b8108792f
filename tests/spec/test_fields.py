import pytest

from couler_jobs.spec.fields import KINDS, all_fields, fields_of, type_names
from couler_jobs.spec.versions import LATEST, TARGETS, V3_5, V3_6, V3_7, V4_0, V4_1, Target

SIMPLE = frozenset(
    [
        *("str", "bool", "int32", "int64", "uint64", "num", "intstr", "intorstr"),
        *("quantity", "time", "bytes", "text", "any", "plugin"),
    ]
)


@pytest.mark.parametrize("name", type_names())
def test_every_type_of_a_field_is_a_type(name: str) -> None:
    used = {field.type.strip("[]{}") for field in all_fields(name)}
    assert used <= {*SIMPLE, *type_names()}


@pytest.mark.parametrize("target", TARGETS, ids=str)
def test_every_kind_has_a_spec_in_every_version(target: Target) -> None:
    assert all("spec" in fields_of(kind, target) for kind in KINDS)


@pytest.mark.parametrize(
    ("owner", "field", "versions"),
    [
        ("CronWorkflowSpec", "schedule", [V3_5, V3_6, V3_7]),
        ("CronWorkflowSpec", "schedules", [V3_6, V3_7, V4_0, V4_1]),
        ("Synchronization", "mutex", [V3_5, V3_6, V3_7]),
        ("Synchronization", "mutexes", [V3_6, V3_7, V4_0, V4_1]),
        ("WorkflowSpec", "podPriority", [V3_5, V3_6]),
        ("Backoff", "cap", [V3_7, V4_0, V4_1]),
        ("Artifact", "plugin", [V4_0, V4_1]),
        ("Template", "pendingTimeout", [V4_1]),
        ("WorkflowSpec", "ttlSecondsAfterFinished", []),
    ],
)
def test_a_field_exists_in_its_versions_only(
    owner: str, field: str, versions: list[Target]
) -> None:
    assert [target for target in TARGETS if field in fields_of(owner, target)] == versions


def test_a_field_that_changed_its_type_has_one_type_a_version() -> None:
    types = [fields_of("Cache", target)["configMap"].type for target in (V3_7, V4_0)]
    assert types == ["ConfigMapKeySelector", "LocalObjectReference"]


def test_a_required_field_is_marked() -> None:
    assert fields_of("DAGTask", LATEST)["name"].required
    assert not fields_of("DAGTask", LATEST)["template"].required


def test_a_field_with_a_default_is_marked() -> None:
    assert fields_of("ContainerPort", LATEST)["protocol"].has_default


def test_an_unknown_type_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        fields_of("Nothing", LATEST)
