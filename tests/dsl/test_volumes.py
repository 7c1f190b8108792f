"""What is mounted in a step, and the volumes and claims that this needs."""

from __future__ import annotations

from typing import Any

import pytest

import couler_jobs as cj
from couler_jobs.errors import DeclarationError
from tests.dsl.manifests import TARGETS, compiled, template


def work() -> None: ...


def flow_of(*steps: Any, **options: Any) -> Any:
    def flow() -> None:
        for step in steps:
            step()

    return cj.workflow(**options)(flow)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize(
    ("volume", "mount", "fields"),
    [
        (
            cj.claim("data", sub_path="in", read_only=True),
            {"name": "claim-ro-data", "subPath": "in", "readOnly": True},
            {"persistentVolumeClaim": {"claimName": "data", "readOnly": True}},
        ),
        (
            cj.claim("data"),
            {"name": "claim-data"},
            {"persistentVolumeClaim": {"claimName": "data"}},
        ),
        (cj.empty(), {"name": "empty-x"}, {"emptyDir": {}}),
        (
            cj.empty(size="1Gi", memory=True),
            {"name": "empty-x"},
            {"emptyDir": {"sizeLimit": "1Gi", "medium": "Memory"}},
        ),
        (
            cj.config_map("settings"),
            {"name": "config-settings", "readOnly": True},
            {"configMap": {"name": "settings"}},
        ),
        (
            cj.secret_files("tls", items={"crt": "a.crt"}, optional=True),
            {"name": "secret-tls-a-crt", "readOnly": True},
            {
                "secret": {
                    "secretName": "tls",
                    "items": [{"key": "crt", "path": "a.crt"}],
                    "optional": True,
                }
            },
        ),
        (
            cj.host_path("/dev/fuse", type="CharDevice"),
            {"name": "host-dev-fuse"},
            {"hostPath": {"path": "/dev/fuse", "type": "CharDevice"}},
        ),
        (
            cj.volume("share", {"nfs": {"server": "s", "path": "/"}}),
            {"name": "share"},
            {"nfs": {"server": "s", "path": "/"}},
        ),
    ],
)
def test_a_mount_brings_its_volume(
    volume: Any, mount: dict[str, Any], fields: dict[str, Any], target: str
) -> None:
    step = cj.step(mounts={"/x": volume})(work)
    found = template(compiled(flow_of(step), target), "work")
    assert found["script"]["volumeMounts"] == [{"mountPath": "/x", **mount}]
    assert found["volumes"] == [{"name": mount["name"], **fields}]


@pytest.mark.parametrize("target", TARGETS)
def test_a_new_claim_is_made_once_for_the_run(target: str) -> None:
    step = cj.step(mounts={"/new": cj.new_claim("10Gi", storage_class="fast")})
    manifest = compiled(flow_of(step(work), step(work)), target)
    assert manifest["spec"]["volumeClaimTemplates"] == [
        {
            "metadata": {"name": "work"},
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "10Gi"}},
                "storageClassName": "fast",
            },
        }
    ]
    mounts = template(manifest, "work-2")["script"]["volumeMounts"]
    assert mounts == [{"name": "work", "mountPath": "/new"}]
    assert "volumes" not in template(manifest, "work")


def test_two_mounts_of_one_source_share_a_volume() -> None:
    mounts = {"/a": cj.claim("d", sub_path="a"), "/b": cj.claim("d", sub_path="b")}
    found = template(compiled(flow_of(cj.step(mounts=mounts)(work))), "work")
    assert [one["name"] for one in found["script"]["volumeMounts"]] == ["claim-d", "claim-d"]
    assert [one["name"] for one in found["volumes"]] == ["claim-d"]


def test_each_empty_folder_is_a_volume_of_its_own() -> None:
    step = cj.step(mounts={"/a": cj.empty(), "/b/c": cj.empty()})(work)
    found = template(compiled(flow_of(step)), "work")
    assert [one["name"] for one in found["volumes"]] == ["empty-a", "empty-b-c"]


def test_a_mount_of_a_workflow_is_in_all_of_its_steps() -> None:
    own = cj.step(name="own", mounts={"/x": cj.empty()})(work)
    flow = flow_of(own, cj.step(work), mounts={"/x": cj.claim("d"), "/new": cj.new_claim("1Gi")})
    manifest = compiled(flow)
    assert [one["name"] for one in manifest["spec"]["volumes"]] == ["claim-d"]
    names = {
        name: [one["name"] for one in template(manifest, name)["script"]["volumeMounts"]]
        for name in ("own", "work")
    }
    assert names == {"own": ["empty-x", "work"], "work": ["claim-d", "work"]}


def test_a_long_name_stays_a_label_of_its_own() -> None:
    long = "a" * 80
    mounts = {"/a": cj.claim(long + "1"), "/b": cj.claim(long + "2")}
    found = template(compiled(flow_of(cj.step(mounts=mounts)(work))), "work")
    names = [one["name"] for one in found["volumes"]]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 for name in names)


def test_two_new_claims_of_one_name_must_be_the_same() -> None:
    first = cj.step(name="a", mounts={"/x": cj.new_claim("1Gi")})(work)
    second = cj.step(name="b", mounts={"/x": cj.new_claim("2Gi")})(work)
    with pytest.raises(DeclarationError, match="Two new claims are called 'work' and differ"):
        flow_of(first, second).compile()


def test_two_volumes_of_one_name_are_refused() -> None:
    mounts = {"/a": cj.volume("v", {"nfs": {}}), "/b": cj.volume("v", {"csi": {}})}
    with pytest.raises(DeclarationError, match="Two volumes in mounts= are called 'v'"):
        cj.step(mounts=mounts)(work)


def test_a_volume_that_is_no_json_is_refused() -> None:
    with pytest.raises(DeclarationError, match="The volume 'v' is no JSON"):
        cj.volume("v", {"nfs": object()})
