import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler_plugin.labels import JOB_DEFINITION_ID, JOB_ID, OWNER, job_labels, legal

KUBERNETES = re.compile(r"(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?")


@given(st.text())
def test_every_text_becomes_a_value_that_kubernetes_allows(text: str) -> None:
    value = legal(text)

    assert KUBERNETES.fullmatch(value)
    assert 0 < len(value) <= 63


@pytest.mark.parametrize("value", ["ada", "Ada.L-1_x", "a", "x" * 63])
def test_a_legal_value_stays_as_it_is(value: str) -> None:
    assert legal(value) == value


@pytest.mark.parametrize("name", ["_bob", "Zoë", "ada@example.org", "李", "x" * 64, "bob_"])
def test_an_owner_whose_name_is_no_label_still_has_a_label_of_their_own(name: str) -> None:
    assert legal(name) not in (name, legal(name + "2"), legal("bob"))


def test_a_job_is_found_by_its_id_and_its_owner() -> None:
    found = job_labels(job_id="1-2", owner="ada")

    assert found == {JOB_ID: "1-2", OWNER: "ada"}


def test_a_tick_is_found_by_its_definition_too() -> None:
    found = job_labels(job_id="1-2", owner="ada", job_definition_id="7-8")

    assert found[JOB_DEFINITION_ID] == "7-8"
