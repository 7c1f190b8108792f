"""How Couler's programs send what they recorded: `run`, `ArgoSubmitter`, `DockerSubmitter`."""

from __future__ import annotations

import logging
import os
import shlex
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from couler_jobs.errors import ConfigError, DeclarationError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from couler_jobs.backends.base import Backend
    from couler_jobs.spec.model import Workflow

Taken = Callable[["Workflow"], Any]

_instead: ContextVar[Taken | None] = ContextVar("couler_jobs_submitted", default=None)
_default: ContextVar[Any] = ContextVar("couler_jobs_default_submitter", default=None)


def recording_submissions(take: Taken) -> AbstractContextManager[None]:
    """Inside the block, `take` gets each workflow that a program runs, and nothing is sent."""
    return _recording(take)


@contextmanager
def _recording(take: Taken) -> Iterator[None]:
    token = _instead.set(take)
    try:
        yield
    finally:
        _instead.reset(token)


class Submitted(dict[str, Any]):
    """The manifest that was sent, with the run's name; `run` is its handle."""

    def __init__(self, manifest: Mapping[str, Any], name: str, run: Any = None) -> None:
        metadata = {**(manifest.get("metadata") or {}), "name": name}
        super().__init__({**manifest, "metadata": metadata})
        self.run = run


_SUBMITTER_IMPL_ENV_VAR_KEY = "SUBMITTER_IMPLEMENTATION"


class _SubmitterImplTypes:
    """Couler's two ways to send, by which its own examples choose; here there is one."""

    PYTHON = "Python"
    GO = "Go"


class ArgoSubmitter:
    """Sends workflows to a cluster.

    Where COULER_JOBS_BACKEND or ARGO_SERVER says where, it goes there; else to the Kubernetes API
    of `config_file` (KUBECONFIG, ~/.kube/config, this pod's own cluster), of the `context` in it.
    """

    def __init__(
        self,
        namespace: str = "default",
        config_file: str | None = None,
        context: str | None = None,
        client_configuration: Any = None,
        persist_config: bool = True,
    ) -> None:
        if client_configuration is not None:
            raise DeclarationError(
                "client_configuration belongs to the Kubernetes client of old: give config_file "
                "and context, or set KUBECONFIG."
            )
        self.namespace, self.config_file, self.context = namespace, config_file, context
        self.persist_config = persist_config  # nothing is written to a kubeconfig in any case

    def __repr__(self) -> str:
        return f"ArgoSubmitter(namespace={self.namespace!r})"

    def submit(self, workflow_yaml: Any) -> Submitted:
        """Send a workflow, or a manifest; the answer is its manifest, with the name of the run."""
        from couler_jobs.submission import deliver, prepare, secrets_of, target_of

        place = self.backend()
        target = target_of(place)
        manifest, origin = prepare(workflow_yaml, target=target)
        secrets = secrets_of(workflow_yaml)
        sent = deliver(manifest, place, target, secrets=secrets, origin=origin)
        return Submitted(manifest, sent.name, sent)

    def backend(self) -> Backend:
        """Where it sends to. Raises ConfigError where that cannot be known."""
        from couler_jobs.backends.choose import choose
        from couler_jobs.config import Settings

        settings = Settings.load(
            namespace=self._namespace(), kubeconfig=self.config_file, context=self.context
        )
        is_own = self.config_file is not None or self.context is not None
        is_said = bool(settings.backend or settings.server) and not is_own
        return choose(None if is_said else "kubernetes", settings)

    def _namespace(self) -> str | None:
        """Couler's default is the one that the settings lead to."""
        return None if self.namespace == "default" else self.namespace


def set_default_submitter(submitter: Any = None) -> None:
    """Set what `run()` without an argument sends with; None changes nothing."""
    if submitter is not None:
        _default.set(_checked(submitter))


def run(submitter: Any = None) -> Any:
    """Send what was recorded, which is then forgotten, also after an error.

    `submitter` has a method `submit(manifest)`, which gets the manifest as a dict; what that
    answers is the answer. Without one it is the default submitter; without that, it goes where
    `couler_jobs.submit` sends it, and the answer is a `Run`.
    """
    from couler_jobs.dsl.recorder import take_recorded

    workflow = take_recorded()
    if (take := _instead.get()) is not None:
        return take(workflow)
    chosen = _checked(submitter) if submitter is not None else _default.get()
    if chosen is None:
        from couler_jobs.submission import submit

        return submit(workflow)
    if isinstance(chosen, ArgoSubmitter):
        return chosen.submit(workflow)
    from couler_jobs.build import compile

    return chosen.submit(compile(workflow))


def _checked(submitter: Any) -> Any:
    found = submitter() if isinstance(submitter, type) else submitter
    if not callable(getattr(found, "submit", None)):
        raise DeclarationError(f"{submitter!r} is no submitter: it has no method submit(manifest).")
    return found


def delete(
    name: str,
    namespace: str = "default",
    config_file: str | None = None,
    context: str | None = None,
    client_configuration: Any = None,
    persist_config: bool = True,
    grace_period_seconds: int = 5,
    propagation_policy: str = "Background",
) -> None:
    """End a run if it goes on, and forget it. The last two arguments are Kubernetes' defaults."""
    submitter = ArgoSubmitter(namespace, config_file, context, client_configuration, persist_config)
    submitter.backend().delete(name)


class DockerSubmitter:
    """Runs a single container with Docker, without any workflow."""

    @staticmethod
    def run_docker_container(image: str, command: str | Sequence[str] | None = None) -> None:
        """Run it with the `docker` command line, and log what it prints.

        Raises ConfigError where there is no such command, and where the container fails.
        """
        import shutil
        import subprocess

        if shutil.which("docker") is None:
            raise ConfigError(
                "DockerSubmitter needs the command line of Docker: install it, or run the step "
                "with couler_jobs.submit()."
            )
        words = shlex.split(command) if isinstance(command, str) else list(command or ())
        started = subprocess.Popen(
            ["docker", "run", "--rm", "--", image, *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ,
        )
        assert started.stdout is not None  # noqa: S101
        with started:
            for line in started.stdout:
                logging.info(line.rstrip())
        if started.returncode:
            raise ConfigError(f"The container of {image} ended with {started.returncode}.")
