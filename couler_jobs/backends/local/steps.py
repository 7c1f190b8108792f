"""All steps of one run: which wait, which run, and that nothing of an ended one survives."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from couler_jobs.backends.local import identity, private
from couler_jobs.backends.local.home import RunFolder
from couler_jobs.backends.local.process import (
    MARK,
    NotNow,
    Step,
    clean_environment,
    start,
)
from couler_jobs.backends.local.programs import NeverRan
from couler_jobs.backends.local.step_folder import step_folder
from couler_jobs.backends.local.step_views import declared_paths
from couler_jobs.backends.local.values import Ended, Launch, Reported
from couler_jobs.errors import ConfigError

LIMIT = "COULER_JOBS_STEPS_AT_ONCE"

_SWEEP_EVERY = 0.2  # seconds: how soon the orphans of an ended step are looked for
_TRIES = 10
_LONGEST_PAUSE = 5.0


def limit_from(value: str | None) -> int:
    """How many steps may run at once: the setting, or twice the cores (at least 4)."""
    if not value:
        return max(4, 2 * len(os.sched_getaffinity(0)))
    if not value.isdigit() or int(value) < 1:
        raise ConfigError(f"{LIMIT} is {value!r}; it must be a whole number of at least 1.")
    return int(value)


@dataclass(slots=True)
class _Waiting:
    """A step that is to be started, and how often the machine had no room for it."""

    launch: Launch
    tries: int = 0


@dataclass(slots=True)
class Steps:
    """The steps of one run. For one thread, in a process that adopts orphans."""

    folder: RunFolder
    uid: str
    limit: int
    environ: dict[str, str] = field(default_factory=lambda: clean_environment(os.environ))
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _running: dict[str, Step] = field(default_factory=dict)
    _news: list[Ended | Reported] = field(default_factory=list)
    _not_before: float = 0.0
    _sweep_at: float | None = None
    _unmarked: dict[int, set[str]] = field(default_factory=dict)  #: pid -> whose it may be
    _selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)

    def listen(self, descriptor: int) -> None:
        """Let `wait` return when this descriptor can be read."""
        self._selector.register(descriptor, selectors.EVENT_READ, None)

    def launch(self, launches: Iterable[Launch]) -> None:
        """Start these as soon as there is room for them."""
        self._waiting.extend(_Waiting(launch) for launch in launches)

    def kill(self, nodes: Iterable[str]) -> None:
        """End these: SIGTERM now, SIGKILL after their grace; one that waits never starts."""
        chosen = set(nodes)
        for waiting in [w for w in self._waiting if w.launch.node in chosen]:
            self._waiting.remove(waiting)
            self._never(waiting.launch, NeverRan("The step was stopped before it was started."))
        for node in chosen & self._running.keys():
            self._running[node].ask_to_end(time.time())

    def wait(self, until: float | None) -> list[Ended | Reported]:
        """What has ended, or told something; returns when there is anything of that, when `listen`
        has news, or at `until`.
        """
        while True:
            self._fill()
            called = self._select(until)
            self._do_what_is_due()
            if called or self._news or (until is not None and time.time() >= until):
                news, self._news = self._news, []
                return news

    def end_all(self) -> None:
        """Kill whatever is there, orphans included, and wait until it is gone."""
        self._waiting.clear()
        for step in list(self._running.values()):
            step.end_now()
            self._finish(step)
        self._news.clear()
        end_descendants()

    def close(self) -> None:
        """Let go of what `wait` watches."""
        self._selector.close()

    # --- starting

    def _fill(self) -> None:
        while self._waiting and self._has_room() and time.time() >= self._not_before:
            waiting = self._waiting.popleft()
            try:
                self._start(waiting.launch)
            except NotNow as reason:
                self._later(waiting, reason)
            except NeverRan as reason:
                self._never(waiting.launch, reason)

    def _has_room(self) -> bool:
        """Whether one more may run; daemons do not count, as others wait for what they serve."""
        return sum(not step.launch.daemon for step in self._running.values()) < self.limit

    def _start(self, launch: Launch) -> None:
        self._refuse_clash(launch)
        folder = step_folder(self.folder, launch.node)
        step = start(launch, folder, f"{self.uid}/{folder.name}", self.environ)
        self._running[launch.node] = step
        self._selector.register(step.pidfd, selectors.EVENT_READ, step)
        for descriptor in _told_through(step):
            self._selector.register(descriptor, selectors.EVENT_READ, step)

    def _refuse_clash(self, launch: Launch) -> None:
        """Where no step can have files of its own, two that declare the same path cannot run."""
        paths = {path for path in declared_paths(launch) if path.is_absolute()}
        if not paths or private.possible():
            return
        for step in self._running.values():
            for path in paths & set(declared_paths(step.launch)):
                raise NeverRan(
                    f"{launch.node} and {step.launch.node} run at the same time and both declare "
                    f"{path}, and this machine does not let a step have files of its own: "
                    "let one run after the other, or choose another path."
                )

    def _later(self, waiting: _Waiting, reason: NotNow) -> None:
        waiting.tries += 1
        if waiting.tries >= _TRIES:
            self._never(
                waiting.launch,
                NeverRan(
                    f"The step could not be started, {waiting.tries} times in a row: {reason}. "
                    "The machine is out of processes, memory or open files."
                ),
            )
            return
        self._waiting.appendleft(waiting)
        self._not_before = time.time() + min(0.05 * 2**waiting.tries, _LONGEST_PAUSE)

    def _never(self, launch: Launch, reason: NeverRan) -> None:
        self._news.append(
            Ended(node=launch.node, at=time.time(), exit_code=reason.exit_code, error=str(reason))
        )

    # --- waiting and ending

    def _select(self, until: float | None) -> bool:
        """Wait for the next thing; whether it was one that the caller listens to."""
        if self._news:
            return False
        moments = [moment for moment in self._moments(until) if moment is not None]
        timeout = max(0.0, min(moments) - time.time()) if moments else None
        called = False
        ready = self._selector.select(timeout)
        for key, _ in ready:
            if key.data is None:
                called = True
            elif key.fd == key.data.stdout:
                if not key.data.read():
                    self._selector.unregister(key.fd)
            elif key.fd != key.data.pidfd and not self._hear(key.data):
                self._selector.unregister(key.fd)
        for key, _ in ready:
            if key.data is not None and key.fd == key.data.pidfd:
                self._finish(key.data)
        return called

    def _hear(self, step: Step) -> bool:
        """Take what a step tells; False if nothing comes any more."""
        if step.reports is None:
            return False
        self._news += step.reports.read(step.note)
        return not step.reports.ended

    def _moments(self, until: float | None) -> Iterator[float | None]:
        yield until
        yield self._sweep_at
        if self._waiting and self._has_room():
            yield self._not_before
        for step in self._running.values():
            yield step.kill_at

    def _do_what_is_due(self) -> None:
        now = time.time()
        for step in self._running.values():
            step.cut_log()
            if step.kill_at is not None and now >= step.kill_at:
                step.end_now()
        if self._sweep_at is not None and now >= self._sweep_at:
            self._sweep()

    def _finish(self, step: Step) -> None:
        for descriptor in (step.pidfd, *_told_through(step)):
            with contextlib.suppress(KeyError):
                self._selector.unregister(descriptor)
        self._hear(step)
        del self._running[step.launch.node]
        self._news.append(step.finish())
        self._sweep_at = self._sweep_at or time.time() + _SWEEP_EVERY

    def _sweep(self) -> None:
        """Kill what ended steps left behind; come again until there is nothing."""
        own = {step.process.pid for step in self._running.values()}
        orphans = [pid for pid in children() if pid not in own]
        for pid in orphans:
            if not self._belongs_to_a_running_one(pid):
                kill_and_reap(pid)
        self._unmarked = {pid: self._unmarked[pid] for pid in orphans if pid in self._unmarked}
        self._sweep_at = time.time() + _SWEEP_EVERY if orphans else None

    def _belongs_to_a_running_one(self, pid: int) -> bool:
        """One that hid whose it is belongs to a step that ran when it was seen first."""
        mark = mark_of(pid)
        running = {f"{self.uid}/{step.folder.name}" for step in self._running.values()}
        if mark or identity.started(pid) is None:
            return mark in running
        return bool(self._unmarked.setdefault(pid, running) & running)


def _told_through(step: Step) -> list[int]:
    """The descriptors through which a step's process tells something while it runs."""
    reports = None if step.reports is None else step.reports.reading
    return [descriptor for descriptor in (step.stdout, reports) if descriptor is not None]


def children() -> list[int]:
    """The processes whose parent is this one, zombies included."""
    own = os.getpid()
    numbers = (int(name) for name in os.listdir("/proc") if name.isdigit())
    return [pid for pid in numbers if identity.parent(pid) == own]


def mark_of(pid: int) -> str:
    """Whose step's a process is, by its environment; "" if that cannot be told."""
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            variables = file.read().split(b"\0")
    except OSError:
        return ""
    prefix = f"{MARK}=".encode()
    return next((v[len(prefix) :].decode() for v in variables if v.startswith(prefix)), "")


def kill_and_reap(pid: int) -> None:
    """Kill a child of this process, and take its exit status if it has one already."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid, os.WNOHANG)


def end_descendants(patience: float = 10.0) -> None:
    """Kill every child of this process, and theirs as they become its own, until none is left."""
    deadline = time.monotonic() + patience
    while time.monotonic() < deadline:
        try:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        except ChildProcessError:
            return
        for pid in children():
            kill_and_reap(pid)
        time.sleep(0.005)


def end_marked(uid: str, folder: Path) -> None:
    """Kill every process that a step of the run `uid` started, whoever its parent is now.

    One is known by the mark in its environment, or by a step's log that it prints to.
    """
    for _ in range(100):
        found = [pid for pid in _all() if _is_of(pid, uid, f"{folder}/")]
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def _all() -> list[int]:
    own = os.getpid()
    return [int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != own]


def _is_of(pid: int, uid: str, folder: str) -> bool:
    if identity.started(pid) is None:
        return False
    return mark_of(pid).startswith(f"{uid}/") or any(
        path.startswith(folder) for path in _outputs(pid)
    )


def _outputs(pid: int) -> Iterator[str]:
    """Where a process prints to."""
    for name in ("fd/1", "fd/2"):
        with contextlib.suppress(OSError):
            yield os.readlink(f"/proc/{pid}/{name}")
