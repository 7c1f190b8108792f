"""What a call passes before it begins: the locks that its template names, then the cache.

Both are kept outside the engine, so both are a question to the supervisor; until it has answered,
the node is Pending and counts as under way. Argo takes the locks first
(`workflow/controller/operator.go`, `executeTemplate`).
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from couler_jobs.backends.local.engine.records import DAG, HTTP, POD, RETRY, STEPS, SUSPEND, Node
from couler_jobs.backends.local.engine.tags import TagError
from couler_jobs.backends.local.engine.templates import Filled, duration, seconds, whole
from couler_jobs.backends.local.values import Cached, Lock, Locked, Lookup, Remember, Wish
from couler_jobs.spec.status import Phase

if TYPE_CHECKING:
    from couler_jobs.backends.local.engine.calls import Call
    from couler_jobs.backends.local.engine.run import Run

_KEY = re.compile(r"[a-zA-Z0-9][-a-zA-Z0-9]*")
_TYPES = {"dag": DAG, "steps": STEPS, "suspend": SUSPEND, "http": HTTP}


def enter(run: Run, call: Call, filled: Filled) -> None:
    """Begin the call, once its locks are held and unless its outputs are remembered."""
    if filled.body.get("synchronization") or filled.body.get("memoize"):
        _Gate(run, call, filled).enter()
    else:
        run.begin(call, filled)


def locks_of(synchronization: Mapping[str, Any] | None, namespace: str) -> tuple[Lock, ...]:
    """The locks that a `synchronization` names, in the spelling of any Argo version."""
    given = synchronization or {}
    mutexes = [*(given.get("mutexes") or ()), *filter(None, [given.get("mutex")])]
    semaphores = [*(given.get("semaphores") or ()), *filter(None, [given.get("semaphore")])]
    return (
        *(_semaphore(semaphore, namespace) for semaphore in semaphores),
        *(Lock(name=f"{_space(m, namespace)}/Mutex/{m.get('name', '')}") for m in mutexes),
    )


def _semaphore(semaphore: Mapping[str, Any], namespace: str) -> Lock:
    source = semaphore.get("configMapKeyRef") or {}
    name, key = str(source.get("name", "")), str(source.get("key", ""))
    return Lock(
        name=f"{_space(semaphore, namespace)}/ConfigMap/{name}/{key}",
        limit=(name, key),
    )


def _space(lock: Mapping[str, Any], namespace: str) -> str:
    return lock.get("namespace") or namespace


class _Gate:
    """One call on its way in."""

    def __init__(self, run: Run, call: Call, filled: Filled) -> None:
        self._run, self._call, self._filled = run, call, filled
        self._memo: Mapping[str, Any] = filled.body.get("memoize") or {}

    def enter(self) -> None:
        """Ask for what is to be asked; a node that is under way since long has its answers."""
        node = self._run.nodes.get(self._call.name)
        locks = self._locks()
        if node is None:
            node = self._run.create(self._call, self._type(), Phase.PENDING)
            node.inputs = dict(self._filled.parameters)
            self._call.linked(node)
        self._node = node
        if locks:
            self._run.holders.add(node.name)
        if node.phase is not Phase.PENDING:
            self._begin()
        elif locks:
            self._ask_for(locks)
        else:
            self._look_up()

    def _type(self) -> str:
        if self._filled.body.get("retryStrategy") is not None:
            return RETRY
        return _TYPES.get(self._filled.template.kind, POD)

    # --- locks

    def _locks(self) -> tuple[Lock, ...]:
        namespace = self._run.variables["workflow.namespace"]
        return locks_of(self._filled.body.get("synchronization"), namespace)

    def _ask_for(self, locks: tuple[Lock, ...]) -> None:
        run, name = self._run, self._node.name
        if not run.allows(self._call.on_exit):
            self._stopped()
            return
        try:
            priority = whole(self._filled.body.get("priority") or run.priority)
            limits = self._limits()
        except TagError as error:
            self._broken(error)
            return
        run.wishes[name] = self._locked
        run.stoppers[name] = self._stopped
        if limits:
            run.at(min(limits), self._timed_out)
        run.wish(Wish(node=name, locks=locks, priority=priority))

    def _limits(self) -> list[float]:
        """When it has waited too long: both times of a template count while it is Pending."""
        given = (self._filled.body.get(name) for name in ("timeout", "pendingTimeout"))
        start = self._run.now if self._node.started is None else self._node.started
        return [start + seconds(limit) for limit in given if limit]

    def _timed_out(self) -> None:
        run, node = self._run, self._node
        if run.wishes.pop(node.name, None) is not None:
            run.stoppers.pop(node.name, None)
            run.end(node, Phase.FAILED, "timeout")
            run.later(lambda: self._call.ended(node, None))

    def _locked(self, answer: Locked) -> None:
        run, name = self._run, self._node.name
        if answer.error or answer.granted:
            del run.wishes[name], run.stoppers[name]
        if answer.error:
            self._broken(TagError(answer.error))
        elif answer.granted:
            run.nodes.end(self._node, Phase.PENDING, "", at=run.now)
            run.later(self._look_up)
        else:
            run.nodes.end(self._node, Phase.PENDING, answer.message, at=run.now)

    def _stopped(self) -> None:
        run, node = self._run, self._node
        if run.allows(self._call.on_exit):
            return
        run.wishes.pop(node.name, None)
        run.stoppers.pop(node.name, None)
        run.end(node, Phase.FAILED, f"Stopped with strategy '{run.shutdown}'")
        run.later(lambda: self._call.ended(node, None))

    # --- the cache

    def _look_up(self) -> None:
        if not self._memo:
            self._begin()
            return
        key, cache = self._key()
        try:
            self._longest = duration(self._memo.get("maxAge") or "", "invalid maxAge: ")
            if not _KEY.fullmatch(key):
                raise TagError(f"invalid cache key: {key}")
        except TagError as error:
            self._broken(error)
            return
        self._run.lookups[self._node.name] = self._cached
        self._run.asked.append(Lookup(node=self._node.name, cache=cache, key=key))

    def _key(self) -> tuple[str, str]:
        config_map = (self._memo.get("cache") or {}).get("configMap") or {}
        return str(self._memo.get("key", "")), str(config_map.get("name", ""))

    def _cached(self, answer: Cached) -> None:
        run, node = self._run, self._node
        del run.lookups[node.name]
        longest = self._longest
        old = longest is not None and answer.created_at + longest < run.now
        hit = answer.outputs is not None and not old
        key, cache = self._key()
        node.memoization = {"hit": hit, "key": key, "cacheName": cache}
        if not hit:
            run.nodes.touch(node)
            self._begin()
            return
        node.outputs = dict(answer.outputs or {})
        run.export(self._filled.body, node.outputs)
        run.end(node, Phase.SUCCEEDED, "")
        run.later(lambda: self._call.ended(node, None))

    # --- in

    def _begin(self) -> None:
        call = self._call
        if (self._node.memoization or {}).get("hit") is False:
            call = dataclasses.replace(call, ended=self._ended)
        self._run.begin(call, self._filled)

    def _ended(self, node: Node, error: Exception | None) -> None:
        if node.phase is Phase.SUCCEEDED and error is None:
            key, cache = self._key()
            found = Remember(node=node.name, cache=cache, key=key, outputs=dict(node.outputs))
            self._run.remember.append(found)
        self._call.ended(node, error)

    def _broken(self, error: TagError) -> None:
        self._run.end(self._node, Phase.ERROR, str(error))
        self._run.later(lambda: self._call.ended(self._node, error))
