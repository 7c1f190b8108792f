"""Compute types: the operator's list, and what pods and this machine make of them."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler_plugin.compute import ComputeType, amount, choose, read
from scheduler_plugin.errors import JobRefused

LARGE: dict[str, Any] = {
    "name": "large",
    "cpu": "1500m",
    "memory": "4Gi",
    "gpu": 1,
    "node_selector": {"pool": "gpu"},
    "tolerations": [{"key": "gpu", "operator": "Exists"}],
    "image": "gpu:1",
}
TYPES = read([{"name": "small", "memory": "512Mi"}, LARGE])


def test_a_pod_of_a_type_has_all_that_it_says() -> None:
    look = TYPES[1].look()
    amounts = {"cpu": "1500m", "memory": "4Gi", "nvidia.com/gpu": "1"}

    assert look.container == {
        "image": "gpu:1",
        "resources": {"requests": amounts, "limits": amounts},
    }
    assert look.template == {
        "nodeSelector": {"pool": "gpu"},
        "tolerations": [{"key": "gpu", "operator": "Exists"}],
    }


def test_a_type_that_says_nothing_changes_nothing() -> None:
    look = ComputeType(name="plain").look()
    assert (look.container, look.template) == ({}, {})


def test_this_machine_is_told_what_it_can_limit_and_what_it_cannot() -> None:
    assert TYPES[1].limits() == {
        "memory": 4 * 2**30,
        "processors": 2,
        "not_here": ["gpu", "node_selector", "tolerations", "image"],
    }
    assert TYPES[0].limits() == {"memory": 512 * 2**20, "processors": None, "not_here": []}


def test_the_first_type_is_the_default() -> None:
    assert choose(TYPES, None) == TYPES[0]
    assert choose((), None) is None


def test_a_type_that_there_is_not_is_refused_with_those_that_there_are() -> None:
    with pytest.raises(JobRefused, match="no compute type 'huge': there are 'small', 'large'"):
        choose(TYPES, "huge")
    with pytest.raises(JobRefused, match="no compute type 'x': there are none here, leave it out"):
        choose((), "x")


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        ([{"cpu": "1"}], "has no name"),
        ([{"name": " "}], "has no name"),
        ([{"name": "a", "ram": "1Gi"}], "has no 'ram': it may have name, cpu, memory"),
        ([{"name": "a"}, {"name": "a"}], "two compute types 'a'"),
        ([{"name": "a", "cpu": "much"}], "'much' is no amount of cpu or memory"),
        ([{"name": "a", "memory": "0"}], "'0' is no amount"),
        ([{"name": "a", "gpu": "one"}], "gpu of the compute type 'a' is to be a whole number"),
        ([{"name": "a", "gpu": -1}], "is to be a whole number"),
    ],
)
def test_an_entry_that_is_no_compute_type_is_refused(
    entries: list[dict[str, Any]], sentence: str
) -> None:
    with pytest.raises(JobRefused, match=sentence):
        read(entries)


@pytest.mark.parametrize(
    ("quantity", "number"),
    [
        ("2", 2),
        (1, 1),
        (0.5, 0.5),
        ("500m", 0.5),
        ("1k", 1000),
        ("1Ki", 1024),
        ("1.5Gi", 1.5 * 2**30),
    ],
)
def test_quantities_are_kubernetes_own(quantity: Any, number: float) -> None:
    assert amount(quantity) == number
