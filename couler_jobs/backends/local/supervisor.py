"""`python -m couler_jobs.backends.local.supervisor HOME UID`: the process that runs one workflow.

It leaves whoever started it: three processes are made. The first ends at once. The second, the
guard, does nothing but wait for the third, the supervisor proper; should that be killed, the guard
(which every process of the run then belongs to) ends the steps and starts another supervisor, which
goes on from what is stored. Should both be killed, whoever looks at the run next does the same.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from couler_jobs.backends.local import identity, kernel

if TYPE_CHECKING:
    from couler_jobs.backends.local.answers import Answers
    from couler_jobs.backends.local.home import Home, RunFolder
    from couler_jobs.backends.local.steps import Steps
    from couler_jobs.backends.local.store import Store
    from couler_jobs.backends.local.stored import StoredRun
    from couler_jobs.backends.local.values import Decision, Event, Request
    from couler_jobs.spec.status import NodeInfo

_LOOK_EVERY = 2.0  # seconds between two looks whether the run is still there

MOST_STARTS = 5
"""How many supervisors a run may have: one that kills its supervisor each time must end."""

INTERRUPTED = (
    "The supervisor of this run ended unexpectedly (killed?) while this step ran. "
    "Retry the workflow to run it again."
)


class Vanished(Exception):  # noqa: N818  an end like another, of which nobody is left to be told
    """The run's folder or its database is gone: deleted, or never that of this supervisor."""


class Advances(Protocol):
    """What the supervisor needs of an engine."""

    def advance(self, now: float, events: Sequence[Event] = ()) -> Decision:
        """What to do after these events."""


MakeEngine = Callable[..., Advances]


def main(arguments: Sequence[str]) -> int:
    """Leave the caller, then guard the run until it has ended."""
    root, uid = arguments
    if kernel.when_there_is_room(os.fork) != 0:
        return 0
    signal.signal(signal.SIGHUP, _stay)  # to ignore it would be inherited by the steps
    kernel.adopt_orphans()
    return guard(lambda: run_to_the_end(Path(root), uid))


def _stay(_number: int, _frame: Any) -> None:
    """What a hang-up does."""


def guard(work: Callable[[], int]) -> int:
    """Do the work in a child; once more each time that the child was killed."""
    for _ in range(MOST_STARTS + 1):
        child = kernel.when_there_is_room(os.fork)
        if child == 0:
            return work()
        status = _wait_for(child)
        _end_what_is_left()
        if not os.WIFSIGNALED(status):
            return os.waitstatus_to_exitcode(status)
    return 1


def _wait_for(child: int) -> int:
    """The status of that child; others that end meanwhile are reaped."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == child:
            return status


def _end_what_is_left() -> None:
    from couler_jobs.backends.local.steps import end_descendants

    end_descendants()


def run_to_the_end(root: Path, uid: str) -> int:
    """Supervise the run `uid` until it has ended, unless another supervisor does. An exit code."""
    from couler_jobs.backends.local.home import Home
    from couler_jobs.backends.local.store import Store

    home = Home(root)
    if not home.database.exists():  # to open it would make another
        return 0
    store = Store(home.database, patience=600.0, durable=False)
    try:
        attend(home, store, uid)
    finally:
        store.close()
    return 0


def attend(home: Home, store: Store, uid: str) -> None:
    """Make this process the run's supervisor, if it needs one, and be that until it has ended."""
    from couler_jobs.backends.local.engine import Engine

    kernel.adopt_orphans()
    signal.signal(signal.SIGTERM, _leave)
    run = store.claim(uid, identity.own(), identity.identify(os.getppid()))
    if run is not None:
        _supervise_or_record(home, store, run, Engine)


def _leave(number: int, _frame: Any) -> None:
    raise SystemExit(f"The supervisor was ended by {signal.Signals(number).name}.")


def _supervise_or_record(home: Home, store: Store, run: StoredRun, make: MakeEngine) -> None:
    from couler_jobs.backends.local.steps import LIMIT, Steps, limit_from
    from couler_jobs.spec.status import Phase

    steps = None
    try:
        if run.starts > MOST_STARTS:
            raise RuntimeError(f"its supervisor ended unexpectedly {MOST_STARTS} times")
        steps = Steps(home.run(run.uid), run.uid, limit_from(os.environ.get(LIMIT)))
        supervise(home, store, run, steps, make)
    except BaseException as error:
        if steps is not None:
            steps.end_all()
        if isinstance(error, Vanished):
            return
        traceback.print_exc()
        message = f"The local engine had to give this run up: {error}"
        store.end(run.uid, Phase.ERROR, message, time.time())
        if isinstance(error, SystemExit):
            return
        raise
    finally:
        if steps is not None:
            steps.close()


def supervise(home: Home, store: Store, run: StoredRun, steps: Steps, make: MakeEngine) -> None:
    """Ask the engine, store what it answers, do it, wait; until the run has ended.

    `Vanished` when there is nothing left to supervise.
    """
    from couler_jobs.backends.local.answers import Answers

    folder, there = home.run(run.uid), Place.of(home, run.uid)
    answers = Answers(home, store, run.uid)
    events, nodes = _where_it_stood(folder, store, run)
    engine = make(
        run.manifest,
        name=run.name,
        uid=run.uid,
        namespace=run.namespace,
        created_at=run.created_at,
        nodes=nodes,
        suspended=run.suspended,
    )
    with _wake_up(folder) as wake:
        steps.listen(wake)
        # before it is told anything else, an engine finds out what it waits for, if it may begin
        asked = [] if nodes else [one for one in store.requests(run.uid) if one[1].holds_or_frees]
        going = _round(engine, answers, steps, [], asked)
        while going:
            events += answers.events()
            going = _round(engine, answers, steps, events, store.requests(run.uid))
            if going and going.lookups:
                events = []  # they are answered at once
            elif going:
                events = _next_events(steps, going.wake_at, there, look_soon=answers.waiting)
                _drain(wake)


def _next_events(
    steps: Steps, wake_at: float | None, there: Place, *, look_soon: bool
) -> list[Event]:
    """What has ended, as soon as something has; nothing at `wake_at`, or when a request waits.

    `look_soon` returns after a while also for nothing.
    """
    while True:
        look_at = time.time() + _LOOK_EVERY
        until = look_at if wake_at is None else min(wake_at, look_at)
        events = steps.wait(until)
        there.check()
        if events or look_soon or until < look_at or time.time() < look_at:
            return list(events)


@dataclass(frozen=True, slots=True)
class Place:
    """The folder and the database of one run, as they were when its supervision began."""

    paths: tuple[Path, ...]
    ids: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, home: Home, uid: str) -> Place:
        """Those of the run as they are now; `Vanished` if one is not there."""
        paths = (home.database, home.run(uid).root)
        return cls(paths, tuple(_id(path) for path in paths))

    def check(self) -> None:
        """`Vanished` unless both are still those; a disk that does not answer tells nothing."""
        with contextlib.suppress(OSError):
            if tuple(_id(path) for path in self.paths) != self.ids:
                raise Vanished


def _id(path: Path) -> tuple[int, int]:
    """What tells a file or folder from another of that name; `Vanished` if there is none."""
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError) as error:
        raise Vanished from error
    return found.st_dev, found.st_ino


def _round(
    engine: Advances,
    answers: Answers,
    steps: Steps,
    events: Sequence[Event],
    asked: Sequence[tuple[int, Request]],
) -> Decision | None:
    """One decision, stored and then carried out; None once the run has ended."""
    now = time.time()
    decision = engine.advance(now, [*events, *(request for _, request in asked)])
    if decision.ended:
        steps.end_all()
    answers.commit(decision, now, [number for number, _ in asked])
    if decision.ended:
        return None
    steps.launch(decision.launch)
    steps.kill(decision.kill)  # also of those: none has been started yet
    return decision


def _where_it_stood(
    folder: RunFolder, store: Store, run: StoredRun
) -> tuple[list[Event], list[NodeInfo]]:
    """The events that make up for an earlier supervisor's end, and the nodes to go on from.

    A step that had been started and had not ended is lost with its supervisor: that is one attempt,
    in error. One that had not been started is left out, so the engine starts it now.
    """
    from couler_jobs.backends.local.engine.records import STARTED
    from couler_jobs.backends.local.step_folder import step_folder
    from couler_jobs.backends.local.values import Ended, Request
    from couler_jobs.spec.status import Phase

    events: list[Event] = []
    nodes: list[NodeInfo] = []
    now = time.time()
    if run.shutdown in ("Stop", "Terminate"):
        action: Any = run.shutdown.lower()
        events.append(Request(action=action, at=now))
    lost: set[str] = set()
    for node in store.nodes(run.uid):
        if node.type not in STARTED or node.phase is not Phase.RUNNING:
            nodes.append(node)
        elif step_folder(folder, node.name).root.exists():
            nodes.append(node)
            events.append(Ended(node=node.name, at=now, exit_code=None, error=INTERRUPTED))
        else:
            lost.add(node.id)
    return events, [_without(node, lost) for node in nodes]


def _without(node: NodeInfo, lost: set[str]) -> NodeInfo:
    """The node as it was before it had these children."""
    kept = tuple(child for child in node.children if child not in lost)
    return node if kept == node.children else replace(node, children=kept)


@contextlib.contextmanager
def _wake_up(folder: RunFolder) -> Any:
    """A descriptor that can be read when somebody has left a request."""
    with contextlib.suppress(FileExistsError):
        os.mkfifo(folder.wake, 0o600)
    # opened for both, or it would be at its end whenever nobody else has it open
    descriptor = os.open(folder.wake, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _drain(descriptor: int) -> None:
    with contextlib.suppress(BlockingIOError):
        while os.read(descriptor, 4096):
            pass


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
