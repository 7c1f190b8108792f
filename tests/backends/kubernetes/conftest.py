"""A cluster in memory, and the backend on it."""

from __future__ import annotations

import pytest

from couler_jobs.backends.kubernetes.client import KubernetesBackend
from tests.backends.kubernetes.memory import MemoryObjects, backend_of


@pytest.fixture
def objects() -> MemoryObjects:
    return MemoryObjects()


@pytest.fixture
def backend(objects: MemoryObjects) -> KubernetesBackend:
    return backend_of(objects)
