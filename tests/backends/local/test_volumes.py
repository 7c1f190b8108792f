"""Volumes on this machine: folders that steps see where they mount them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from couler_jobs.backends.local import private, volumes
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.backends.local.engine.mounts import mounts_of
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.files import FileProblem
from couler_jobs.backends.local.home import RunFolder
from couler_jobs.backends.local.values import Mount
from couler_jobs.errors import Rejected
from couler_jobs.spec.status import Phase, RunInfo
from tests.backends.workflows import finish, parameter, sh, text_of, workflow

needs_mounts = pytest.mark.skipif(
    not private.possible(), reason="this kernel lets nobody have mounts of their own"
)
AT = "/mnt/couler-jobs-volume"


def mounting(
    name: str, text: str, volume: str = "v", depends: str = "", **more: Any
) -> dict[str, Any]:
    """A task whose step mounts a volume at `AT`."""
    task = sh(name, text, depends, **more)
    task["template"]["container"]["volumeMounts"] = [{"name": volume, "mountPath": AT}]
    return task


def ran(local: LocalBackend, *tasks: dict[str, Any], **spec: Any) -> RunInfo:
    return finish(local, local.submit(workflow(*tasks, **spec)).name)


def mounted(body: dict[str, Any]) -> tuple[Mount, ...]:
    return mounts_of(body, lambda container, text: text)


WRITE = mounting("a", f"echo kept > {AT}/f")
READ = mounting("b", f"cat {AT}/f", depends="a.Succeeded || a.Failed")


@needs_mounts
@pytest.mark.parametrize(
    "spec",
    [
        {"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": "data"}}]},
        {"volumeClaimTemplates": [{"metadata": {"name": "v"}, "spec": {}}]},
    ],
)
def test_steps_share_what_lies_in_a_claim(local: LocalBackend, spec: dict[str, Any]) -> None:
    run = ran(local, WRITE, READ, **spec)
    assert (run.phase, text_of(local, run.name)) == (Phase.SUCCEEDED, "kept")
    assert not Path(AT).exists()


@needs_mounts
def test_an_empty_dir_is_a_step_s_own(local: LocalBackend) -> None:
    run = ran(local, WRITE, READ, volumes=[{"name": "v", "emptyDir": {}}])
    assert run.nodes[f"{run.name}.b"].phase is Phase.FAILED


@needs_mounts
def test_a_claim_is_a_folder_that_outlives_the_run(local: LocalBackend) -> None:
    claim = {"persistentVolumeClaim": {"claimName": "{{workflow.parameters.c}}"}}
    arguments = {"parameters": [{"name": "c", "value": "data"}]}
    run = ran(local, WRITE, volumes=[{"name": "v", **claim}], arguments=arguments)
    local.delete(run.name)
    assert (local.home.root / "volumes" / "data" / "f").read_text() == "kept\n"


@needs_mounts
def test_a_folder_of_this_machine_is_seen_where_it_is_mounted(
    local: LocalBackend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("shared")
    (folder / "f").write_text("there")
    task = mounting("a", f"cat {AT}/f", volumes=[{"name": "v", "hostPath": {"path": str(folder)}}])
    assert text_of(local, ran(local, task).name) == "there"


@needs_mounts
def test_init_containers_leave_files_for_the_step(local: LocalBackend) -> None:
    mount = [{"name": "v", "mountPath": AT}]
    init = {"name": "i", "image": "x", "command": ["sh", "-c", f"echo made > {AT}/f"]}
    task = mounting("a", f"cat {AT}/f", initContainers=[{**init, "volumeMounts": mount}])
    run = ran(local, task, volumes=[{"name": "v", "emptyDir": {}}])
    assert text_of(local, run.name) == "made"


@needs_mounts
def test_outputs_and_the_working_folder_may_lie_in_a_volume(local: LocalBackend) -> None:
    task = mounting("a", "echo 7 > here", outputs=parameter("p", f"{AT}/w/here"))
    task["template"]["container"]["workingDir"] = f"{AT}/w"
    run = ran(local, task, volumes=[{"name": "v", "emptyDir": {}}])
    assert run.nodes[f"{run.name}.a"].outputs["parameters"] == {"p": "7"}


@needs_mounts
def test_one_volume_may_be_mounted_in_another(local: LocalBackend) -> None:
    task = mounting("a", f"echo 1 > {AT}/f; echo 2 > {AT}/in/f; cat {AT}/f {AT}/in/f")
    mounts = task["template"]["container"]["volumeMounts"]
    mounts.append({"name": "w", "mountPath": f"{AT}/in", "subPath": "x/y"})
    claim = {"persistentVolumeClaim": {"claimName": "data"}}
    run = ran(local, task, volumes=[{"name": "v", "emptyDir": {}}, {"name": "w", **claim}])
    assert text_of(local, run.name).split() == ["1", "2"]
    assert (local.home.root / "volumes/data/x/y/f").read_text() == "2\n"


# --- read-only


def read_only(task: dict[str, Any]) -> dict[str, Any]:
    for mount in task["template"]["container"]["volumeMounts"]:
        mount["readOnly"] = True
    return task


def claimed(**more: Any) -> list[dict[str, Any]]:
    return [{"name": "v", "persistentVolumeClaim": {"claimName": "data", **more}}]


@needs_mounts
@pytest.mark.parametrize(
    ("task", "volumes"),
    [
        (read_only(mounting("a", f"echo x > {AT}/f")), claimed()),
        (mounting("a", f"echo x > {AT}/f"), claimed(readOnly=True)),
    ],
)
def test_nothing_is_written_in_a_read_only_mount(
    local: LocalBackend, task: dict[str, Any], volumes: list[dict[str, Any]]
) -> None:
    run = ran(local, task, volumes=volumes)
    assert run.phase is Phase.FAILED
    assert "read-only" in text_of(local, run.name).lower()
    assert list((local.home.root / "volumes" / "data").iterdir()) == []


@needs_mounts
def test_what_lies_in_a_read_only_mount_is_read(local: LocalBackend) -> None:
    reader = read_only(mounting("b", f"cat {AT}/f", depends="a.Succeeded"))
    run = ran(local, mounting("a", f"echo kept > {AT}/f"), reader, volumes=claimed())
    assert (run.phase, text_of(local, run.name)) == (Phase.SUCCEEDED, "kept")


@needs_mounts
def test_a_folder_of_this_machine_is_read_only_also_where_it_lies(
    local: LocalBackend, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = str(tmp_path_factory.mktemp("shared"))
    task = read_only(mounting("a", f"echo x > {folder}/f"))
    task["template"]["container"]["volumeMounts"][0]["mountPath"] = folder
    run = ran(local, task, volumes=[{"name": "v", "hostPath": {"path": folder}}])
    assert (run.phase, list(Path(folder).iterdir())) == (Phase.FAILED, [])


@needs_mounts
def test_a_volume_in_a_read_only_one_may_be_written(local: LocalBackend) -> None:
    task = read_only(mounting("a", f"echo 1 > {AT}/in/f && ! touch {AT}/g"))
    mounts = task["template"]["container"]["volumeMounts"]
    mounts.append({"name": "w", "mountPath": f"{AT}/in"})
    run = ran(local, task, volumes=[*claimed(), {"name": "w", "emptyDir": {}}])
    assert run.phase is Phase.SUCCEEDED


@needs_mounts
def test_what_an_init_container_writes_the_step_may_mount_read_only(local: LocalBackend) -> None:
    mount = [{"name": "v", "mountPath": AT}]
    init: dict[str, Any] = {"name": "i", "command": ["sh", "-c", f"echo made > {AT}/f"]}
    init["volumeMounts"] = mount
    task = read_only(mounting("a", f"cat {AT}/f", initContainers=[init]))
    assert text_of(local, ran(local, task, volumes=claimed()).name) == "made"


@needs_mounts
@pytest.mark.parametrize(
    "change",
    [
        {"container": {"workingDir": f"{AT}/w"}},
        {"inputs": {"artifacts": [{"name": "i", "path": f"{AT}/f", "raw": {"data": "x"}}]}},
    ],
)
def test_nothing_is_put_in_a_read_only_volume_for_a_step(
    local: LocalBackend, change: dict[str, Any]
) -> None:
    task = read_only(mounting("a", "true"))
    container = {**task["template"]["container"], **change.get("container", {})}
    task["template"] = {**task["template"], **change, "container": container}
    run = ran(local, task, volumes=claimed())
    assert f"the volume at {AT} is read-only" in run.nodes[f"{run.name}.a"].message
    assert list((local.home.root / "volumes" / "data").iterdir()) == []


# --- config maps and secrets


CONFIG = {"configMap": {"name": "c"}}
SECRET = {"secret": {"secretName": "s"}}


@pytest.fixture
def stored(local: LocalBackend) -> LocalBackend:
    """A machine whose operator has made a config map `c` and a secret `s`, of two keys each."""
    for kind, name in (("configmaps", "c"), ("secrets", "s")):
        folder = local.home.root / kind / name
        folder.mkdir(parents=True)
        for key in ("f", "g"):
            (folder / key).write_text(f"{key} of {name}\n")
            (folder / key).chmod(0o600)
    return local


@needs_mounts
@pytest.mark.parametrize(("source", "name"), [(CONFIG, "c"), (SECRET, "s")])
def test_the_keys_of_a_config_map_or_secret_are_files(
    stored: LocalBackend, source: dict[str, Any], name: str
) -> None:
    run = ran(stored, mounting("a", f"cd {AT}; cat f g"), volumes=[{"name": "v", **source}])
    assert text_of(stored, run.name).splitlines() == [f"f of {name}", f"g of {name}"]


@needs_mounts
@pytest.mark.parametrize("source", [CONFIG, SECRET])
def test_a_step_cannot_change_what_the_operator_has_stored(
    stored: LocalBackend, source: dict[str, Any]
) -> None:
    text = f"! echo x > {AT}/f && ! touch {AT}/new && ! rm -f {AT}/g"
    run = ran(stored, mounting("a", text), volumes=[{"name": "v", **source}])
    assert run.phase is Phase.SUCCEEDED
    names = [str(p.relative_to(stored.home.root)) for p in stored.home.root.glob("*/[cs]/*")]
    assert sorted(names) == ["configmaps/c/f", "configmaps/c/g", "secrets/s/f", "secrets/s/g"]
    assert (stored.home.root / "configmaps/c/f").read_text() == "f of c\n"


@needs_mounts
def test_chosen_items_are_seen_at_their_own_paths_and_no_others(stored: LocalBackend) -> None:
    items = [{"key": "g", "path": "in/mine"}]
    source = {"secret": {**SECRET["secret"], "items": items}}
    run = ran(
        stored,
        mounting("a", f"cd {AT}; find . -type f; cat in/mine; ! touch x; ! echo x > in/mine"),
        volumes=[{"name": "v", **source}],
    )
    assert run.phase is Phase.SUCCEEDED
    assert text_of(stored, run.name).splitlines()[:2] == ["./in/mine", "g of s"]
    assert (stored.home.root / "secrets/s/g").read_text() == "g of s\n"


@needs_mounts
@pytest.mark.parametrize(
    ("items", "sub_path"), [([], "g"), ([{"key": "g", "path": "in/it"}], "in/it")]
)
def test_one_key_may_be_mounted_as_a_file(
    stored: LocalBackend, items: list[dict[str, str]], sub_path: str
) -> None:
    task = mounting("a", f"cat {AT}")
    task["template"]["container"]["volumeMounts"][0]["subPath"] = sub_path
    source = {"configMap": {**CONFIG["configMap"], "items": items}}
    assert text_of(stored, ran(stored, task, volumes=[{"name": "v", **source}]).name) == "g of c"


@needs_mounts
@pytest.mark.parametrize("items", [[], [{"key": "k", "path": "k"}]])
def test_what_is_optional_and_missing_is_an_empty_folder(
    local: LocalBackend, items: list[dict[str, str]]
) -> None:
    source = {"configMap": {"name": "none", "optional": True, "items": items}}
    run = ran(local, mounting("a", f"ls -A {AT} | wc -l"), volumes=[{"name": "v", **source}])
    assert text_of(local, run.name) == "0"


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ({"secret": {"secretName": "none"}}, r"volumes\[0\]\.secret: There is no secret none"),
        ({"configMap": {"name": "none"}}, r"configMap: There is no config map none"),
        (
            {"secret": {"secretName": "s", "items": [{"key": "k", "path": "p"}]}},
            "There is no secret s with the key k",
        ),
        (
            {"projected": {"sources": [{"secret": {"name": "none"}}]}},
            r"projected\.sources\[0\]\.secret: There is no secret none",
        ),
    ],
)
def test_a_volume_that_the_operator_has_not_made_is_refused_at_submit(
    stored: LocalBackend, source: dict[str, Any], words: str
) -> None:
    with pytest.raises(Rejected, match=words):
        stored.submit(workflow(mounting("a", "true"), volumes=[{"name": "v", **source}]))


def test_a_volume_of_a_secret_that_others_can_read_is_not_shown(stored: LocalBackend) -> None:
    (stored.home.root / "secrets/s/g").chmod(0o644)
    run = ran(stored, mounting("a", "true"), volumes=[{"name": "v", **SECRET}])
    assert "can be read by others" in run.nodes[f"{run.name}.a"].message


@pytest.mark.parametrize(
    ("item", "words"),
    [
        ({"key": "f", "path": "../f"}, "leads out of the volume v"),
        ({"key": "f", "path": "/f"}, "leads out of the volume v"),
        ({"key": "f"}, "needs a key and a path"),
        ({"path": "f"}, "needs a key and a path"),
    ],
)
def test_an_item_is_a_key_and_a_path_in_its_volume(item: dict[str, str], words: str) -> None:
    volume = {"name": "v", "configMap": {"name": "c", "items": [item]}}
    mounts = [{"name": "v", "mountPath": AT}]
    with pytest.raises(TagError, match=words):
        mounted({"container": {"volumeMounts": mounts}, "volumes": [volume]})


PROJECTED: dict[str, Any] = {
    "sources": [
        {"secret": {"name": "s", "items": [{"key": "g", "path": "in/mine"}]}},
        {"configMap": {"name": "c"}},
        {"configMap": {"name": "none", "optional": True}},
    ]
}


@needs_mounts
def test_secrets_and_config_maps_are_projected_into_one_folder(stored: LocalBackend) -> None:
    text = f"cd {AT}; find . -type f | sort; cat f in/mine; exec 2>&-; ! touch x && ! echo x > f"
    run = ran(stored, mounting("a", text), volumes=[{"name": "v", "projected": PROJECTED}])
    assert run.phase is Phase.SUCCEEDED
    assert text_of(stored, run.name).splitlines() == [
        *("./f", "./g", "./in/mine"),
        *("f of c", "g of s"),
    ]


@needs_mounts
@pytest.mark.parametrize(
    ("sources", "seen"),
    [
        ([{"configMap": {"name": "c"}}, {"secret": {"name": "s"}}], "f of s"),
        ([{"secret": {"name": "s"}}, {"configMap": {"name": "c"}}], "f of c"),
        (
            [
                {"secret": {"name": "s", "items": [{"key": "g", "path": "f"}]}},
                {"configMap": {"name": "c"}},
            ],
            "f of c",
        ),
    ],
    ids=["secret last", "config map last", "chosen key first"],
)
def test_of_projected_keys_of_one_name_the_last_is_seen(
    stored: LocalBackend, sources: list[Any], seen: str
) -> None:
    volume = {"name": "v", "projected": {"sources": sources}}
    run = ran(stored, mounting("a", f"cat {AT}/f"), volumes=[volume])
    assert text_of(stored, run.name) == seen


@needs_mounts
def test_one_projected_key_may_be_mounted_as_a_file(stored: LocalBackend) -> None:
    task = mounting("a", f"cat {AT}")
    task["template"]["container"]["volumeMounts"][0]["subPath"] = "in/mine"
    projected = {"sources": PROJECTED["sources"][:1]}
    run = ran(stored, task, volumes=[{"name": "v", "projected": projected}])
    assert text_of(stored, run.name) == "g of s"


def test_a_projected_key_that_is_not_chosen_cannot_be_mounted_by_itself() -> None:
    mounts = [{"name": "v", "mountPath": AT, "subPath": "f"}]
    volume = {"name": "v", "projected": PROJECTED}
    with pytest.raises(TagError, match="A subPath of the volume v needs items"):
        mounted({"container": {"volumeMounts": mounts}, "volumes": [volume]})


@pytest.mark.parametrize("kind", ["serviceAccountToken", "downwardAPI", "clusterTrustBundle"])
def test_what_only_a_cluster_can_project_is_refused_by_name(local: LocalBackend, kind: str) -> None:
    projected = {"sources": [{kind: {"path": "x"}}]}
    manifest = workflow(mounting("a", "true"), volumes=[{"name": "v", "projected": projected}])
    with pytest.raises(Rejected, match=rf"spec\.volumes\[0\]\.projected\.sources\[0\]\.{kind}"):
        local.submit(manifest)


# --- a part of a volume that a variable names


def part_of(expression: str, *env: dict[str, Any]) -> dict[str, Any]:
    task = mounting("a", f"echo kept > {AT}/f")
    (mount,) = task["template"]["container"]["volumeMounts"]
    mount["subPathExpr"] = expression
    task["template"]["container"]["env"] = list(env)
    return task


CLAIM = {"name": "v", "persistentVolumeClaim": {"claimName": "data"}}


@needs_mounts
def test_a_sub_path_may_take_variables_of_its_container(local: LocalBackend) -> None:
    field = {"fieldRef": {"fieldPath": "metadata.namespace"}}
    env = {"name": "DAY", "value": "monday"}, {"name": "SPACE", "valueFrom": field}
    run = ran(local, part_of("$(DAY)/$(SPACE)/$$(DAY)", *env), volumes=[CLAIM])
    assert run.phase is Phase.SUCCEEDED
    there = local.home.root / "volumes/data/monday/local/$(DAY)/f"
    assert there.read_text() == "kept\n"


@pytest.mark.parametrize(
    ("task", "words"),
    [
        (part_of("$(DAY)"), r"subPathExpr \$\(DAY\) names DAY, which is no variable in env"),
        (part_of("$(DAY)", {"name": "DAY", "value": "../x"}), "leads out of its volume"),
        (
            part_of(
                "$(T)",
                {"name": "T", "valueFrom": {"secretKeyRef": {"name": "s", "key": "f"}}},
            ),
            "takes a value from a secret or config map",
        ),
    ],
)
def test_a_sub_path_that_cannot_be_is_an_error_of_its_step(
    stored: LocalBackend, task: dict[str, Any], words: str
) -> None:
    run = ran(stored, task, volumes=[CLAIM])
    assert run.phase is Phase.ERROR
    assert re.search(words, run.nodes[f"{run.name}.a"].message)


# --- what cannot be


@pytest.mark.parametrize(
    ("mount", "words"),
    [
        ({"kind": "claim", "name": "../x"}, "cannot be the name of a volume"),
        ({"kind": "claim", "name": ".."}, "cannot be the name of a volume"),
        ({"kind": "host path", "name": "x"}, "not an absolute path"),
        ({"kind": "claim", "name": "x", "sub_path": "../y"}, "leads out of its volume"),
        ({"kind": "claim", "name": "x", "sub_path": "/y"}, "leads out of its volume"),
    ],
)
def test_nothing_leads_out_of_the_folder_of_volumes(
    mount: dict[str, Any], words: str, tmp_path: Path
) -> None:
    run = RunFolder(tmp_path / "runs" / "r")
    with pytest.raises(FileProblem, match=words):
        volumes.source(Mount(path="/m", **mount), run, tmp_path / "step")


def test_a_link_in_a_volume_leads_out_of_it_for_nobody(tmp_path: Path) -> None:
    (tmp_path / "volumes" / "x").mkdir(parents=True)
    (tmp_path / "volumes" / "x" / "link").symlink_to("/etc")
    mount = Mount(path="/m", kind="claim", name="x", sub_path="link")
    with pytest.raises(FileProblem, match="leads out of its volume"):
        volumes.source(mount, RunFolder(tmp_path / "runs" / "r"), tmp_path / "step")


def test_a_volume_cannot_hide_what_runs_the_step(tmp_path: Path) -> None:
    with pytest.raises(FileProblem, match="what runs it lies there"):
        private.plan([], tmp_path / "p", [tmp_path / "step"], {tmp_path: tmp_path / "v"})


def test_two_volumes_at_one_path_are_an_error() -> None:
    containers = [{"volumeMounts": [{"name": name, "mountPath": "/m"}]} for name in "ab"]
    body = {
        "container": containers[0],
        "sidecars": containers[1:],
        "volumes": [{"name": "a", "emptyDir": {}}, {"name": "b", "emptyDir": {}}],
    }
    with pytest.raises(TagError, match="different volumes at /m"):
        mounted(body)


def test_a_mount_of_a_volume_that_is_not_there_is_an_error(local: LocalBackend) -> None:
    run = ran(local, mounting("a", "true"))
    assert "There is no volume v to mount" in run.nodes[f"{run.name}.a"].message


@pytest.mark.parametrize("kind", ["nfs", "csi", "downwardAPI"])
def test_other_volumes_are_refused_by_name(local: LocalBackend, kind: str) -> None:
    manifest = workflow(mounting("a", "true"), volumes=[{"name": "v", kind: {"x": "y"}}])
    with pytest.raises(Rejected, match=rf"spec\.volumes\[0\]\.{kind}"):
        local.submit(manifest)
