"""Whether a container of a daemon is ready: the probes of Kubernetes, asked on this machine.

The fields are those of Kubernetes' `Probe`. What runs here is all one machine, so a probe that
names no host asks 127.0.0.1.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from couler_jobs.backends.local.values import HERE, Probe

_IN_PATHS = "!#$%&'()*+,/:;=?@[]~"  # what stays as it is; Kubernetes escapes all else, as URLs need


class NeverUp(Exception):  # noqa: N818  ends the daemon
    """The `startupProbe` of a container failed too often; the text says so."""


@dataclass(frozen=True, slots=True)
class Probed:
    """A container's process, and the environment that a command in it has."""

    process: subprocess.Popen[bytes]
    environ: Mapping[str, str]


def passed(probe: Probe, probed: Probed, cwd: str) -> bool:
    """Ask until it has answered well often enough; False if the process ended before that.

    `NeverUp` if a `startupProbe` failed too often: Kubernetes ends such a container.
    """
    time.sleep(probe.delay)
    good = bad = 0
    while probed.process.poll() is None:
        if _answers(probe, probed, cwd):
            good, bad = good + 1, 0
            if good >= probe.successes:
                return True
        else:
            good, bad = 0, bad + 1
            if probe.startup and bad >= probe.failures:
                raise NeverUp(f"its startupProbe failed {bad} times in a row")
        time.sleep(probe.period)
    return False


def _answers(probe: Probe, probed: Probed, cwd: str) -> bool:
    """Whether it answers well; what cannot be asked (`ValueError`: of such words) does not."""
    try:
        if "httpGet" in probe.check:
            return 200 <= _status(probe.check["httpGet"], probe.timeout) < 400
        if "tcpSocket" in probe.check:
            where = _address(probe.check["tcpSocket"])
            socket.create_connection(where, probe.timeout).close()
            return True
        return _exit_code(probe.check["exec"], probed, cwd, probe.timeout) == 0
    except (OSError, ValueError, http.client.HTTPException, subprocess.TimeoutExpired):
        return False


def _address(check: Mapping[str, Any]) -> tuple[str, int]:
    return str(check.get("host") or HERE), int(check["port"])


def _status(check: Mapping[str, Any], timeout: float) -> int:
    host, port = _address(check)
    if str(check.get("scheme", "")).upper() == "HTTPS":
        unverified = ssl._create_unverified_context()  # noqa: S323  nor does Kubernetes verify
        connection: http.client.HTTPConnection = http.client.HTTPSConnection(
            host, port, timeout=timeout, context=unverified
        )
    else:
        connection = http.client.HTTPConnection(host, port, timeout=timeout)
    try:
        headers = {h["name"]: str(h.get("value", "")) for h in check.get("httpHeaders") or ()}
        path = quote(str(check.get("path") or "/"), safe=_IN_PATHS)
        connection.request("GET", path, headers=headers)
        return connection.getresponse().status
    finally:
        connection.close()


def _exit_code(check: Mapping[str, Any], probed: Probed, cwd: str, timeout: float) -> int:
    return subprocess.run(
        check.get("command") or ["true"],
        cwd=cwd,
        env=dict(probed.environ),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=timeout,
        check=False,
    ).returncode
