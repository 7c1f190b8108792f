"""Programs as they were written for Couler, with its own module names."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import yaml

import couler_jobs.argo
from couler_jobs.build import compile
from couler_jobs.cli import main
from couler_jobs.couler_programs import HOMES, names_of_couler, workflows_of
from couler_jobs.dsl.recorder import record_into, recorded
from couler_jobs.errors import DeclarationError
from tests.runs.fake import FakeBackend

DIAMOND = """
import couler.argo as couler
from couler.argo_submitter import ArgoSubmitter


def job(name):
    couler.run_container(
        image="docker/whalesay:latest", command=["cowsay"], args=[name], step_name=name
    )


def diamond():
    couler.dag(
        [
            [lambda: job(name="A")],
            [lambda: job(name="A"), lambda: job(name="B")],
            [lambda: job(name="A"), lambda: job(name="C")],
            [lambda: job(name="B"), lambda: job(name="D")],
            [lambda: job(name="C"), lambda: job(name="D")],
        ]
    )


diamond()
submitter = ArgoSubmitter(namespace="argo")
couler.run(submitter=submitter)
"""

COIN = """
import couler.argo as couler
from couler.argo_submitter import ArgoSubmitter
from couler.core.templates.volume import VolumeMount


def random_code():
    import random

    res = "heads" if random.randint(0, 1) == 0 else "tails"
    print(res)


def flip_coin():
    return couler.run_script(image="python:alpine3.6", source=random_code)


def heads():
    return couler.run_container(
        image="alpine:3.6", command=["sh", "-c", 'echo "it was heads"'],
        volume_mounts=[VolumeMount("scratch", "/scratch")],
    )


def tails():
    return couler.run_container(image="alpine:3.6", command=["sh", "-c", 'echo "it was tails"'])


if __name__ == "__main__":
    result = flip_coin()
    couler.when(couler.equal(result, "heads"), lambda: heads())
    couler.when(couler.equal(result, "tails"), lambda: tails())
    couler.run(submitter=ArgoSubmitter())
"""

TWO = """
from couler.argo import *
from couler.core import states
from couler.core.constants import ImagePullPolicy, WFStatus

for number in ("1", "2"):
    config_workflow(name="nightly-" + number)
    states.workflow.set_security_context({"runAsUser": 1000})
    run_container(
        image="alpine", command="echo", args=[number], image_pull_policy=ImagePullPolicy.Always
    )
    set_exit_handler(WFStatus.Failed, lambda: run_container(image="alpine", command="false"))
    run(ArgoSubmitter())
"""

LEFT = 'import couler.argo as couler\ncouler.run_container(image="alpine", command="true")\n'


@pytest.fixture(autouse=True)
def nothing_recorded() -> Iterator[None]:
    record_into(None)
    yield
    record_into(None)


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], str]:
    def written(text: str) -> str:
        path = tmp_path / "flow.py"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return written


Write = Callable[[str], str]
Output = pytest.CaptureFixture[str]


# --- the command line


def test_a_diamond_is_compiled(write: Write, capsys: Output) -> None:
    assert main(["compile", "--couler", write(DIAMOND)]) == 0
    templates = yaml.safe_load(capsys.readouterr().out)["spec"]["templates"]
    (graph,) = [template for template in templates if "dag" in template]
    depends = {task["name"]: task.get("depends", "") for task in graph["dag"]["tasks"]}
    assert depends == {"A": "", "B": "A", "C": "A", "D": "B && C"}


def test_a_program_runs_as_main(write: Write, capsys: Output) -> None:
    assert main(["compile", "--couler", write(COIN)]) == 0
    templates = yaml.safe_load(capsys.readouterr().out)["spec"]["templates"]
    (script,) = [t["script"]["source"] for t in templates if "script" in t]
    assert "random.randint(0, 1)" in script


SAYS_SO = """
import os

import couler.argo as couler
from couler.argo_submitter import (
    _SUBMITTER_IMPL_ENV_VAR_KEY,
    ArgoSubmitter,
    _SubmitterImplTypes,
)

os.environ[_SUBMITTER_IMPL_ENV_VAR_KEY] = _SubmitterImplTypes.PYTHON
couler.config_workflow(name="nightly")
couler.run_container(image="alpine", command=["true"], step_name="a")
sent = couler.run(submitter=ArgoSubmitter(namespace="argo"))
print("submitted", sent["metadata"]["name"])
"""


def test_what_a_program_prints_is_not_in_the_manifest(
    write: Write, capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUBMITTER_IMPLEMENTATION", "")  # put back what the program sets
    assert main(["compile", "--couler", write(SAYS_SO)]) == 0
    printed = capsys.readouterr()
    assert yaml.safe_load(printed.out)["kind"] == "Workflow"
    assert printed.err == "submitted nightly-\n"


def test_several_submits_are_several_manifests(write: Write, capsys: Output) -> None:
    assert main(["compile", "--couler", write(TWO)]) == 0
    documents = list(yaml.safe_load_all(capsys.readouterr().out))
    assert [one["metadata"]["generateName"] for one in documents] == ["nightly-1-", "nightly-2-"]
    assert [one["spec"]["securityContext"] for one in documents] == [{"runAsUser": 1000}] * 2


def test_what_is_recorded_and_not_run_counts_too(write: Write) -> None:
    assert len(workflows_of(Path(write(LEFT)))) == 1


@pytest.mark.parametrize("text", [DIAMOND, COIN, TWO], ids=["diamond", "coin", "two"])
def test_nothing_is_wrong_with_them(text: str, write: Write, capsys: Output) -> None:
    assert main(["lint", "--couler", write(text)]) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(("text", "count"), [(DIAMOND, 1), (TWO, 2)], ids=["one", "two"])
def test_each_is_submitted_to_the_chosen_backend(
    text: str, count: int, write: Write, fake: FakeBackend, capsys: Output
) -> None:
    assert main(["submit", "--couler", write(text)]) == 0
    assert len(capsys.readouterr().out.split()) == len(fake.submitted) == count


def test_a_name_is_for_one_run(write: Write, fake: FakeBackend, capsys: Output) -> None:
    assert main(["submit", "--couler", write(TWO), "--name", "mine"]) == 2
    assert "submits 2" in capsys.readouterr().err
    assert not fake.submitted


# --- what the program is and what it leaves


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (LEFT + "raise ValueError('no data')\n", "line 3: ValueError: no data"),
        (LEFT + "import couler.nothing\n", "line 3: ModuleNotFoundError"),
        (LEFT + "raise SystemExit('out of disk')\n", "line 3: SystemExit: out of disk"),
        ("import couler.argo\n", "declares no workflow"),
    ],
)
def test_an_error_names_the_line_and_nothing_is_left(
    text: str, sentence: str, write: Write
) -> None:
    main_module = sys.modules["__main__"]
    with pytest.raises(DeclarationError, match=sentence):
        workflows_of(Path(write(text)))
    assert recorded() is None
    assert sys.modules["__main__"] is main_module
    assert not [name for name in sys.modules if name.partition(".")[0] == "couler"]


def test_without_the_option_a_program_is_told_of_it(write: Write, capsys: Output) -> None:
    assert main(["compile", write(DIAMOND)]) == 2
    assert "couler-jobs compile --couler" in capsys.readouterr().err


def test_a_program_may_end_itself(write: Write) -> None:
    assert len(workflows_of(Path(write(LEFT + "import sys\nsys.exit(0)\n")))) == 1


def test_the_callers_own_recording_is_untouched(write: Write) -> None:
    couler_jobs.argo.run_container(image="alpine", command="true", step_name="mine")
    workflows_of(Path(write(LEFT)))
    names = {template["name"] for template in compile()["spec"]["templates"]}
    assert "mine" in names


def test_an_installed_couler_comes_back() -> None:
    theirs = ModuleType("couler")
    sys.modules["couler"] = theirs
    try:
        with names_of_couler():
            assert importlib.import_module("couler.argo").run is couler_jobs.argo.run
        assert sys.modules["couler"] is theirs
    finally:
        del sys.modules["couler"]


# --- the whole interface

SIGNATURES: dict[str, str] = {
    "run_container": "image command args output input env env_from secret resources timeout retry "
    "step_name image_pull_policy pool enable_ulogfs daemon volume_mounts working_dir "
    "node_selector cache parallelism",
    "run_script": "image command source args output input env secret resources timeout retry "
    "step_name image_pull_policy pool enable_ulogfs daemon volume_mounts working_dir "
    "node_selector cache",
    "run_job": "manifest success_condition failure_condition timeout retry step_name pool env "
    "action set_owner_reference cache",
    "run_canned_step": "name args inputs outputs step_name cache",
    "concurrent": "subtasks",
    "create_parameter_artifact": "path is_global",
    "create_local_artifact": "path is_global",
    "create_s3_artifact": "path bucket accesskey_id accesskey_secret key endpoint is_global "
    "insecure",
    "create_oss_artifact": "path bucket accesskey_id accesskey_secret key endpoint is_global",
    "create_secret": "secret_data namespace name dry_run use_existing artifact_secret",
    "obtain_secret": "secret_keys namespace name dry_run",
    "get_secret": "name",
    "get_step_output": "",
    "Cache": "name key max_age",
    "Volume": "name claim_name",
    "VolumeClaimTemplate": "claim_name access_modes size",
    "VolumeMount": "name mount_path",
    "config_workflow": "name user_id timeout time_to_clean cluster_config_file cron_config "
    "service_account",
    "config_defaults": "name_salter service_account",
    "ArgoSubmitter": "namespace config_file context client_configuration persist_config",
    "Toleration": "key effect operator",
    "delete": "name namespace",
    "run": "submitter",
}
OTHERS = (
    *("dag", "set_dependencies", "when", "map", "exec_while", "set_exit_handler"),
    *("equal", "not_equal", "bigger", "smaller", "bigger_equal", "smaller_equal"),
    *("Artifact", "LocalArtifact", "S3Artifact", "OssArtifact", "ArtifactType", "Secret"),
    *("add_volume", "create_workflow_volume", "set_dns", "DnsConfig", "DnsConfigOption"),
    *("add_image_pull_secret", "ImagePullSecret", "add_toleration", "ImagePullPolicy"),
    *("WFStatus", "states", "workflow_yaml", "validate_workflow_yaml"),
    *("set_default_submitter", "DockerSubmitter"),
)


@pytest.mark.parametrize("name", SIGNATURES)
def test_parameters_have_couler_s_names(name: str) -> None:
    found = inspect.signature(getattr(couler_jobs.argo, name)).parameters
    assert set(SIGNATURES[name].split()) <= set(found)


@pytest.mark.parametrize("name", [*SIGNATURES, *OTHERS])
def test_every_name_is_public(name: str) -> None:
    assert name in couler_jobs.argo.__all__
    assert hasattr(couler_jobs.argo, name)


IMPORTS: tuple[tuple[str, str], ...] = (
    ("couler.argo_submitter", "ArgoSubmitter"),
    ("couler.docker_submitter", "DockerSubmitter"),
    ("couler.core.states", "workflow get_step_output"),
    ("couler.core.utils", "encode_base64 make_list_if_not non_empty argo_safe_name"),
    ("couler.core.constants", "ImagePullPolicy WFStatus ArtifactType"),
    ("couler.core.templates.volume", "Volume VolumeMount"),
    ("couler.core.templates.volume_claim", "VolumeClaimTemplate"),
    ("couler.core.templates.toleration", "Toleration"),
    ("couler.core.templates.dns", "DnsConfig DnsConfigOption"),
    ("couler.core.templates.image_pull_secret", "ImagePullSecret"),
    ("couler.core.templates.secret", "Secret"),
    ("couler.core.templates.artifact", "Artifact LocalArtifact S3Artifact OssArtifact"),
    ("couler.core.templates.cache", "Cache"),
    ("couler.core.templates", "Artifact Secret Toleration Volume"),
    ("couler.steps.tensorflow", "train"),
    ("couler.steps.pytorch", "train"),
    ("couler.steps.mpi", "train"),
    ("couler.steps.katib", "run"),
    ("couler.core.workflow_validation_utils", "validate_workflow_yaml"),
    ("couler.core.config", "config_workflow config_defaults"),
    ("couler.core.run_templates", "run_script run_container run_job run_canned_step"),
    ("couler.core.syntax.predicates", "equal not_equal bigger smaller_equal"),
    ("couler.core.syntax.recursion", "exec_while"),
    ("couler.core.syntax.volume", "add_volume create_workflow_volume"),
)


@pytest.mark.parametrize(("module", "names"), IMPORTS, ids=[module for module, _ in IMPORTS])
def test_a_module_has_the_names_that_programs_import(module: str, names: str) -> None:
    with names_of_couler():
        found = importlib.import_module(module)
        assert not [name for name in names.split() if not hasattr(found, name)]


def test_names_of_syntax_are_its_functions_and_not_the_modules_they_are_in() -> None:
    with names_of_couler():
        syntax = importlib.import_module("couler.core.syntax")
        names = ("concurrent", "dag", "map", "when", "set_dependencies", "set_exit_handler")
        assert [name for name in names if not callable(getattr(syntax, name))] == []
        dag = importlib.import_module("couler.core.syntax.dag")
        assert dag.dag is couler_jobs.argo.dag


def test_every_module_can_be_imported() -> None:
    with names_of_couler():
        for name in HOMES:
            importlib.import_module(name)


@pytest.mark.parametrize(
    ("call", "answer"),
    [
        (("argo_safe_name", "a_b.c"), "a-b-c"),
        (("argo_safe_name", None), None),
        (("encode_base64", "é"), "w6k="),
        (("gpu_requested", {"nvidia.com/gpu": "1"}), True),
        (("gpu_requested", None), False),
        (("make_list_if_not", 1), [1]),
        (("make_list_if_not", [1]), [1]),
        (("non_empty", ""), False),
        (("non_empty", [1]), True),
    ],
)
def test_small_helpers(call: tuple[str, Any], answer: Any) -> None:
    with names_of_couler():
        utils = importlib.import_module("couler.core.utils")
    assert getattr(utils, call[0])(call[1]) == answer
