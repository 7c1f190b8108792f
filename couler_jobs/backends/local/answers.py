"""What the engine asks of the world: remembered outputs, and locks that other runs hold too."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property

import sqlalchemy as sa

from couler_jobs.backends.local import launching
from couler_jobs.backends.local.cache import Cache
from couler_jobs.backends.local.home import Home
from couler_jobs.backends.local.locks import Locks
from couler_jobs.backends.local.references import References
from couler_jobs.backends.local.store import Store
from couler_jobs.backends.local.values import Decision, Event, Locked, Lookup, Wish
from couler_jobs.spec.status import Phase

Write = Callable[[sa.Connection], None]


class Answers:
    """The open questions of one run. Most runs have none, and cost nothing."""

    def __init__(self, home: Home, store: Store, uid: str) -> None:
        self._home, self._store, self._uid = home, store, uid
        self._lookups: list[Lookup] = []
        self._wishes: dict[str, Wish] = {}
        self._told: dict[str, Locked] = {}
        self._wished = False

    @cached_property
    def _cache(self) -> Cache:
        return Cache(self._home, self._store)

    @cached_property
    def _locks(self) -> Locks:
        return Locks(self._store, References(self._home.root))

    @property
    def waiting(self) -> bool:
        """Whether an answer may come that nothing else would wake the supervisor for."""
        return bool(self._lookups or self._wishes)

    def commit(self, decision: Decision, now: float, handled: list[int]) -> None:
        """Store a decision, together with what it remembers and which locks it gives back."""
        writes: list[Write] = []
        tidy: Callable[[], None] | None = None
        if decision.remember:
            write, tidy = self._cache.prepare(self._uid, decision.remember, now)
            writes.append(write)
        frees = self._wished and bool(decision.released or decision.ended)
        if frees:
            nodes = None if decision.ended else decision.released
            writes.append(lambda c: self._locks.release(c, self._uid, nodes))
        self._store.commit(self._uid, decision, now, handled, writes)
        if tidy is not None:
            tidy()
        self._note(decision)
        if frees:
            for other in self._locks.waiting(self._uid):
                launching.wake(self._home, other)

    def _note(self, decision: Decision) -> None:
        self._lookups += decision.lookups
        self._wishes |= {wish.node: wish for wish in decision.wishes}
        for node in decision.released:
            self._wishes.pop(node, None)
            self._told.pop(node, None)
        self._wished = self._wished or bool(decision.wishes)

    def events(self) -> list[Event]:
        """The answers that there are now and have not been given yet."""
        found: list[Event] = []
        if self._lookups:
            found += self._cache.answers(self._uid, self._lookups)
            self._lookups.clear()
        for node, wish in list(self._wishes.items()):
            answer = self._locks.take(self._uid, wish)
            if answer.granted or answer.error:
                del self._wishes[node]
            elif self._is_old(answer):
                continue
            found.append(answer)
        if self._wishes:
            self._end_those_of_another_boot()
        return found

    def _is_old(self, answer: Locked) -> bool:
        told = self._told.get(answer.node)
        self._told[answer.node] = answer
        return told is not None and told.message == answer.message

    def _end_those_of_another_boot(self) -> None:
        """A run that was under way when the machine went down holds its locks until it is ended."""
        for uid in self._locks.others(self._uid):
            run = self._store.by_uid(uid)
            if run.supervisor is not None and not run.supervisor.of_this_boot:
                self._store.end(uid, Phase.ERROR, launching.RESTARTED, time.time())
