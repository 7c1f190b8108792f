"""A JupyterLab of our own on a free port, and its scheduler's REST API."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

from couler_jobs.errors import CoulerJobsError

START_SECONDS = 120.0


class DemoError(CoulerJobsError):
    """Something in the demo was not as it should be; the sentence says what and where to look."""


@dataclass(kw_only=True)
class JupyterLab:
    """One JupyterLab server with its state in `home`, serving the folder `project`.

    `start`, `kill` and `stop` may be called again and again; port, token and state stay the same.
    """

    project: Path
    home: Path
    token: str = field(default_factory=lambda: secrets.token_hex(16), repr=False)
    port: int = field(default_factory=lambda: free_port())
    config: Mapping[str, Any] = field(default_factory=dict)  #: of the server, as its JSON has it
    process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def url(self) -> str:
        """Where it listens, without the token."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def link(self) -> str:
        """What to open in a browser."""
        return f"{self.url}/lab?token={self.token}"

    @property
    def log(self) -> Path:
        """What the server prints."""
        return self.home / "jupyterlab.log"

    @property
    def database(self) -> Path:
        """The scheduler's records."""
        return self.home / "data" / "scheduler.sqlite"

    @property
    def runs(self) -> Path:
        """Where its jobs run."""
        return self.home / "runs"

    @property
    def command(self) -> list[str]:
        """What is started; it holds no secret."""
        return [sys.executable, "-m", "jupyterlab", *self._options()]

    def start(self) -> None:
        """Start it and wait until it answers. Raises DemoError when it does not."""
        self._be_quiet_about_news()
        self._configure()
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                cwd=self.project,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        try:
            wait_until(self._answers, START_SECONDS, f"JupyterLab did not answer; see {self.log}")
        except BaseException:
            self.kill()
            raise

    def kill(self) -> None:
        """SIGKILL the server and everything in its process group, as a culled pod would end."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):  # it may have ended by itself
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
            self.process = None

    def stop(self) -> None:
        """End it gently; at once when this does not help, or is interrupted."""
        if self.process is not None:
            try:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    self.process.terminate()
                    self.process.wait(timeout=20)
            finally:
                self.kill()

    def get(self, path: str) -> Any:
        """The JSON that GET answers."""
        return self.call("GET", path).json()

    def post(self, path: str, body: Mapping[str, Any]) -> Any:
        """The JSON that POST answers."""
        return self.call("POST", path, body).json()

    def download(self, path: str) -> bytes:
        """A file of the served folder."""
        content: bytes = self.call("GET", f"/files/{quote(path)}").content
        return content

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        """The reply (of `requests`). Raises DemoError when it is not a 2xx."""
        import requests

        headers = {"Authorization": f"token {self.token}"}
        reply = requests.request(
            method, self.url + path, json=body, headers=headers, timeout=60, proxies={"http": ""}
        )
        if not reply.ok:
            raise DemoError(f"{method} {path} answered {reply.status_code}: {reply.text[:500]}")
        return reply

    def _options(self) -> list[str]:
        options = [
            "--no-browser",
            f"--ServerApp.port={self.port}",
            "--ServerApp.port_retries=0",
            "--ServerApp.ip=127.0.0.1",
            f"--ServerApp.root_dir={self.project}",
        ]
        return [*options, "--allow-root"] if os.geteuid() == 0 else options

    def _configure(self) -> None:
        path = self.home / "config" / "jupyter_server_config.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(self.config))

    def _be_quiet_about_news(self) -> None:
        """JupyterLab asks in a pop-up whether it may fetch news: not over a demo."""
        page_config = self.home / "config" / "labconfig" / "page_config.json"
        page_config.parent.mkdir(parents=True, exist_ok=True)
        announcements = {"@jupyterlab/apputils-extension:announcements": True}
        page_config.write_text(json.dumps({"disabledExtensions": announcements}))

    def _environment(self) -> dict[str, str]:
        folders = {
            "JUPYTER_DATA_DIR": self.home / "data",
            "JUPYTER_RUNTIME_DIR": self.home / "runtime",
            "JUPYTER_CONFIG_DIR": self.home / "config",
            "COULER_JOBS_HOME": self.runs,
        }
        for folder in folders.values():
            folder.mkdir(parents=True, exist_ok=True)
        # the token goes by environment: arguments are seen by everybody in the process list
        return {
            **os.environ,
            **{k: str(v) for k, v in folders.items()},
            "JUPYTER_TOKEN": self.token,
        }

    def _answers(self) -> bool:
        import requests

        if self.process is not None and self.process.poll() is not None:
            raise DemoError(
                f"JupyterLab ended at once (exit code {self.process.returncode}); see {self.log}. "
                "Is it installed? pip install 'argo-workflows-executor[demo]'"
            )
        try:
            self.get("/api/status")
        except requests.ConnectionError:
            return False
        return True


def free_port() -> int:
    """A TCP port on loopback that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def wait_until(ready: Callable[[], bool], seconds: float, otherwise: str) -> None:
    """Ask `ready` until it says so. Raises DemoError(otherwise) after `seconds`."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise DemoError(otherwise)
        time.sleep(0.2)
