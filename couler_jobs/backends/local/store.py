"""The database of the local engine: runs, their nodes, and what users asked of them."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from couler_jobs.backends.local.database import Database
from couler_jobs.backends.local.identity import Identity
from couler_jobs.backends.local.stored import (
    StoredRun,
    moment,
    node_from,
    plain_node,
    run_from,
    run_row,
)
from couler_jobs.backends.local.values import Decision, Request
from couler_jobs.errors import AlreadyExists, NotFound
from couler_jobs.spec.status import NodeInfo, Phase

_metadata = sa.MetaData()
_runs = sa.Table(
    "runs",
    _metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("name", sa.Text, nullable=False, unique=True),
    sa.Column("created_at", sa.Float, nullable=False, index=True),
    sa.Column("started_at", sa.Float),
    sa.Column("finished_at", sa.Float),
    sa.Column("phase", sa.Text, nullable=False),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("suspended", sa.Boolean, nullable=False),
    sa.Column("shutdown", sa.Text, nullable=False),
    sa.Column("outputs", sa.JSON, nullable=False),
    sa.Column("manifest", sa.JSON, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),  # grows with every change
    sa.Column("supervisor", sa.JSON(none_as_null=True)),
    sa.Column("guard", sa.JSON(none_as_null=True)),
    sa.Column("starts", sa.Integer, nullable=False),  # how many supervisors it has had
    sa.Column("asked_at", sa.Float, nullable=False),  # when one was last asked for
)
_labels = sa.Table(
    "labels",
    _metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("value", sa.Text, nullable=False),
    sa.Index("labels_by_value", "key", "value"),
)
_nodes = sa.Table(
    "nodes",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("node", sa.JSON, nullable=False),
    sa.UniqueConstraint("uid", "name"),
)
_requests = sa.Table(
    "requests",
    _metadata,
    sa.Column("number", sa.Integer, primary_key=True),
    sa.Column("uid", sa.Text, nullable=False, index=True),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("at", sa.Float, nullable=False),
    sa.Column("node", sa.Text),
)
_answers = sa.Table(  # what a suspend node is resumed with
    "answers",
    _metadata,
    sa.Column("uid", sa.Text, primary_key=True),
    sa.Column("node", sa.Text, primary_key=True),
    sa.Column("texts", sa.JSON, nullable=False),
)


class Store(Database):
    """The runs in the database at one path."""

    tables = _metadata

    # --- runs

    def add(self, run: StoredRun) -> None:
        """Record a new run; `AlreadyExists` if its name is taken."""

        try:
            self.write(lambda connection: add_run(connection, run))
        except sa.exc.IntegrityError as error:
            raise AlreadyExists(
                f"A workflow named {run.name} exists already on this machine. "
                "Choose another name, or delete that one."
            ) from error

    def find(self, name: str) -> StoredRun:
        """The run of that name, or `NotFound`."""
        row = self.read(lambda c: c.execute(_runs.select().where(_runs.c.name == name)).first())
        if row is None:
            raise NotFound(f"There is no workflow named {name} on this machine.")
        return run_from(row)

    def by_uid(self, uid: str) -> StoredRun:
        """The run of that uid, or `NotFound`."""
        row = self.read(lambda c: c.execute(_runs.select().where(_runs.c.uid == uid)).first())
        if row is None:
            raise NotFound(f"There is no workflow with the uid {uid} on this machine.")
        return run_from(row)

    def revision(self, uid: str) -> int | None:
        """A number that grows with every change of the run; None once it is deleted."""
        query = sa.select(_runs.c.revision).where(_runs.c.uid == uid)
        return self.read(lambda c: c.execute(query).scalar())

    def page(
        self, labels: Mapping[str, str], *, after: tuple[float, str] | None, size: int
    ) -> list[StoredRun]:
        """Runs that carry the labels, newest first, from behind the (created_at, uid) `after`."""
        query = _runs.select().order_by(_runs.c.created_at.desc(), _runs.c.uid.desc()).limit(size)
        for key, value in labels.items():
            carrying = sa.select(_labels.c.uid).where(
                _labels.c.key == key, _labels.c.value == value
            )
            query = query.where(_runs.c.uid.in_(carrying))
        if after is not None:
            query = query.where(sa.tuple_(_runs.c.created_at, _runs.c.uid) < sa.tuple_(*after))
        return [run_from(row) for row in self.read(lambda c: c.execute(query).all())]

    def nodes(self, uid: str) -> tuple[NodeInfo, ...]:
        """The nodes of a run in the order in which they came up."""
        query = sa.select(_nodes.c.node).where(_nodes.c.uid == uid).order_by(_nodes.c.number)
        found = self.read(lambda c: c.execute(query).scalars().all())
        return tuple(node_from(plain) for plain in found)

    def expired(self, now: float) -> list[str]:
        """The uids of the ended runs whose `ttlStrategy` has them deleted by now."""
        ttl = sa.func.json_extract(sa.type_coerce(_runs.c.manifest, sa.Text), "$.spec.ttlStrategy")
        query = _runs.select().where(_runs.c.finished_at <= now, ttl.is_not(None))
        runs = map(run_from, self.read(lambda c: c.execute(query).all()))
        return [run.uid for run in runs if run.expires_at is not None and run.expires_at <= now]

    def delete(self, uid: str) -> None:
        """Forget a run. Nothing happens if it is forgotten already."""

        def work(connection: sa.Connection) -> None:
            for table in (_requests, _answers, _nodes, _labels, _runs):
                connection.execute(sa.delete(table).where(table.c.uid == uid))

        self.write(work)

    def restart(self, uid: str, nodes: Iterable[NodeInfo], at: float) -> None:
        """Make an ended run one that is to go on from these nodes."""
        kept = list(nodes)

        def work(connection: sa.Connection) -> None:
            for table in (_nodes, _requests, _answers):  # a stop that came too late is not for it
                connection.execute(sa.delete(table).where(table.c.uid == uid))
            _put_nodes(connection, uid, kept)
            self._change(
                connection,
                uid,
                phase=Phase.RUNNING.value,
                message="",
                shutdown="",
                suspended=False,
                outputs={},
                finished_at=None,
                supervisor=None,
                guard=None,
                starts=0,
                asked_at=at,
            )

        self.write(work)

    # --- what a supervisor does

    def claim(self, uid: str, supervisor: Identity, guard: Identity | None) -> StoredRun | None:
        """Make this supervisor the run's own; None if another is, or the run has ended."""

        def work(connection: sa.Connection) -> StoredRun | None:
            found = connection.execute(_runs.select().where(_runs.c.uid == uid)).first()
            run = None if found is None else run_from(found)
            if run is None or run.phase.ended or (run.supervisor and run.supervisor.alive):
                return None
            started_at = time.time() if run.started_at is None else run.started_at
            claimed = replace(
                run,
                supervisor=supervisor,
                guard=guard,
                starts=run.starts + 1,
                started_at=started_at,
                phase=Phase.RUNNING,
            )
            row = run_row(claimed)
            changed = ("supervisor", "guard", "starts", "started_at", "phase")
            self._change(connection, uid, **{name: row[name] for name in changed})
            return claimed

        return self.write(work)

    def commit(
        self,
        uid: str,
        decision: Decision,
        at: float,
        handled: Iterable[int] = (),
        also: Iterable[Callable[[sa.Connection], None]] = (),
    ) -> None:
        """Store all that a decision changed, and that the requests were obeyed, at one stroke.

        `also` is done in the same transaction.
        """
        changes: dict[str, Any] = {
            "phase": decision.phase.value,
            "message": decision.message,
            "outputs": dict(decision.outputs),
        }
        if decision.ended:
            changes["finished_at"] = at
        numbers, more = list(handled), list(also)

        def work(connection: sa.Connection) -> None:
            _put_nodes(connection, uid, decision.changed)
            for write in more:
                write(connection)
            if numbers:
                connection.execute(sa.delete(_requests).where(_requests.c.number.in_(numbers)))
            self._change(connection, uid, **changes)

        self.write(work)

    def end(self, uid: str, phase: Phase, message: str, at: float) -> None:
        """Record that a run, and each of its nodes that was under way, ended outside the engine.

        A final state stays what it is.
        """
        ended_at = moment(at)

        def work(connection: sa.Connection) -> None:
            query = sa.select(_nodes.c.node).where(_nodes.c.uid == uid)
            nodes = [node_from(plain) for plain in connection.execute(query).scalars()]
            ended = [
                replace(node, phase=phase, message=message, finished_at=ended_at)
                for node in nodes
                if not node.phase.ended
            ]
            going = sa.select(_runs.c.phase).where(_runs.c.uid == uid)
            current = connection.execute(going).scalar()
            if current is None or Phase(current).ended:
                return
            _put_nodes(connection, uid, ended)
            self._change(connection, uid, phase=phase.value, message=message, finished_at=at)

        self.write(work)

    def asked(self, uid: str, at: float) -> None:
        """Note that a supervisor was asked for, so that nobody asks for another at once."""
        self.write(lambda connection: self._change(connection, uid, asked_at=at))

    # --- what users ask

    def ask(self, uid: str, request: Request, **changes: Any) -> None:
        """Leave a request for the run's supervisor, with what it changes at once in the run."""

        def work(connection: sa.Connection) -> None:
            row = {"uid": uid, "action": request.action, "at": request.at, "node": request.node}
            connection.execute(sa.insert(_requests).values(**row))
            if request.parameters:
                said = {"uid": uid, "node": request.node, "texts": dict(request.parameters)}
                connection.execute(sa.insert(_answers).prefix_with("OR REPLACE").values(**said))
            self._change(connection, uid, **changes)

        self.write(work)

    def requests(self, uid: str) -> list[tuple[int, Request]]:
        """What was asked of a run and not yet obeyed, oldest first, each with its number."""
        said = sa.and_(_answers.c.uid == _requests.c.uid, _answers.c.node == _requests.c.node)
        query = (
            sa.select(_requests, _answers.c.texts)
            .outerjoin(_answers, said)
            .where(_requests.c.uid == uid)
            .order_by(_requests.c.number)
        )
        return [
            (
                row.number,
                Request(action=row.action, at=row.at, node=row.node, parameters=row.texts or {}),
            )
            for row in self.read(lambda c: c.execute(query).all())
        ]

    @staticmethod
    def _change(connection: sa.Connection, uid: str, **changes: Any) -> None:
        connection.execute(
            sa.update(_runs)
            .where(_runs.c.uid == uid)
            .values(revision=_runs.c.revision + 1, **changes)
        )


def runs_under_way() -> sa.Select[tuple[str]]:
    """The query for the uids of all runs that have not ended."""
    going = [phase.value for phase in Phase if not phase.ended]
    return sa.select(_runs.c.uid).where(_runs.c.phase.in_(going))


def add_run(connection: sa.Connection, run: StoredRun) -> None:
    """Record a new run within a transaction; `IntegrityError` if its name is taken."""
    connection.execute(sa.insert(_runs).values(**run_row(run)))
    rows = [{"uid": run.uid, "key": k, "value": v} for k, v in run.labels.items()]
    if rows:
        connection.execute(sa.insert(_labels), rows)


def _put_nodes(connection: sa.Connection, uid: str, nodes: Iterable[NodeInfo]) -> None:
    rows = [{"uid": uid, "name": node.name, "node": plain_node(node)} for node in nodes]
    if rows:
        statement = insert(_nodes)
        connection.execute(
            statement.on_conflict_do_update(
                index_elements=["uid", "name"], set_={"node": statement.excluded.node}
            ),
            rows,
        )
