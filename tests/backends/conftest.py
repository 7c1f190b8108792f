"""Backends to test: each is one fixture here and one name in `BACKENDS`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from couler_jobs.backends.argo_server.client import ArgoServerBackend
from couler_jobs.backends.base import Backend
from couler_jobs.backends.local.client import LocalBackend
from couler_jobs.config import Settings
from couler_jobs.errors import NotFound
from couler_jobs.spec.status import CRON_LABEL, CronInfo, Manifest, RunInfo

BACKENDS = ["local", "argo-server", "kubernetes"]
KUBECONFIG = "COULER_JOBS_TEST_KUBECONFIG"


@pytest.fixture
def local(tmp_path: Path) -> Iterator[LocalBackend]:
    """The local engine with a state folder of its own; what still runs at the end is ended."""
    backend = LocalBackend(tmp_path / "home")
    yield backend
    for run in list(backend.list()):
        backend.delete(run.name)


@pytest.fixture(name="argo-server")
def argo_server() -> Iterator[Backend]:
    """The Argo that `ARGO_SERVER` names; what is new in it at the end is deleted."""
    if not os.environ.get("ARGO_SERVER"):
        pytest.skip("ARGO_SERVER names no Argo to run on")
    backend = ArgoServerBackend.from_settings(Settings.load())
    before = {run.uid for run in backend.list()}
    yield backend
    for run in list(backend.list()):
        if run.uid not in before:
            backend.terminate(run.name)
            backend.delete(run.name)


@pytest.fixture
def kubernetes() -> Iterator[Backend]:
    """The cluster that a kubeconfig names; the runs of a test are deleted at its end."""
    if not os.environ.get(KUBECONFIG):
        pytest.skip(f"{KUBECONFIG} names no kubeconfig of a cluster to run on")
    from couler_jobs.backends.kubernetes.client import KubernetesBackend

    started, crons = list[str](), set[str]()  # others may use the cluster too

    class Recording(KubernetesBackend):
        def submit(self, manifest: Manifest) -> RunInfo:
            run = super().submit(manifest)
            started.append(run.name)
            return run

        def apply_cron(self, manifest: Manifest) -> CronInfo:
            cron = super().apply_cron(manifest)
            crons.add(cron.name)
            return cron

    backend = Recording.from_settings(Settings.load(kubeconfig=os.environ[KUBECONFIG]))
    yield backend
    for name in crons:
        started += [run.name for run in backend.list({CRON_LABEL: name})]
    for name in started:
        with contextlib.suppress(NotFound):
            backend.terminate(name)
            backend.delete(name)


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> Backend:
    """Every backend in turn."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Backend)
    return found
