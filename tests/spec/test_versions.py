import pytest

from couler_jobs.errors import ConfigError
from couler_jobs.spec.versions import LATEST, TARGETS, V3_5, V3_7, V4_0, V4_1, parse_target


@pytest.mark.parametrize("text", ["4.1", "v4.1", "4.1.2", " 4.1 ", "v4.1.0-rc1"])
def test_a_version_is_read_in_each_spelling(text: str) -> None:
    assert parse_target(text) == V4_1


@pytest.mark.parametrize("text", ["", "4", "4.9", "three", "4.1.2.3", "x4.1"])
def test_an_unknown_version_is_refused_by_name(text: str) -> None:
    with pytest.raises(ConfigError, match="Choose one of"):
        parse_target(text)


def test_versions_compare_by_age() -> None:
    assert list(TARGETS) == sorted(TARGETS)
    assert max(TARGETS) == LATEST


def test_kubernetes_looks_at_fields_since_4_0() -> None:
    assert [target.full_crds for target in (V3_5, V3_7, V4_0, V4_1)] == [False, False, True, True]


def test_placeholders_are_told_from_names_since_3_7() -> None:
    assert "_" not in V3_5.placeholder
    assert V3_7.placeholder.startswith("__")


def test_a_version_prints_as_it_is_written() -> None:
    assert str(V4_1) == "4.1"
