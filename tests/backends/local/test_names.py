"""Names of runs: Kubernetes' rules, and the suffix of a generated one."""

from __future__ import annotations

import random
from typing import Any

import pytest

from couler_jobs.backends.local import names
from couler_jobs.errors import Rejected


@pytest.mark.parametrize("name", ["a", "a-b", "0", "a.b", "a" * 63, "job-1f0e"])
def test_a_legal_name_is_taken_as_it_is(name: str) -> None:
    assert names.choose({"metadata": {"name": name, "generateName": "other-"}}) == name


@pytest.mark.parametrize(
    "name", ["A", "a_b", "-a", "a-", ".a", "a..b", "a" * 64, "a b", "é", "a\n", "../a", 7]
)
def test_an_illegal_name_is_refused_with_the_rule(name: object) -> None:
    with pytest.raises(Rejected, match="cannot be the name of a workflow"):
        names.choose({"metadata": {"name": name}})


@pytest.mark.parametrize("metadata", [None, {}, {"name": ""}])
def test_a_manifest_without_a_name_is_refused(metadata: Any) -> None:
    with pytest.raises(Rejected, match=r"metadata\.name or metadata\.generateName"):
        names.choose({"metadata": metadata})


def test_generated_names_differ_and_are_cut_to_fit() -> None:
    found = {names.choose({"metadata": {"generateName": "x" * 80}}) for _ in range(50)}
    assert len(found) == 50
    assert {len(name) for name in found} == {63}


def test_a_program_that_seeds_its_random_numbers_gets_new_names_and_keeps_its_numbers() -> None:
    random.seed(7)
    state = random.getstate()
    first = names.generate("job-")
    assert random.getstate() == state
    random.seed(7)
    assert names.generate("job-") != first


@pytest.mark.parametrize(
    ("metadata", "prefix"), [({"name": "a"}, "a-"), ({"generateName": "gen-"}, "gen-")]
)
def test_another_run_is_named_after_the_first(metadata: dict[str, str], prefix: str) -> None:
    assert names.again({"metadata": metadata}, "a").startswith(prefix)
