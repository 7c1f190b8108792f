"""The database of the local engine: runs, their nodes, and what users asked of them.

SQLite in WAL mode: readers never wait. Every write begins with `BEGIN IMMEDIATE`, because a
transaction that reads first and writes later fails at once under contention, whatever its time-out.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from random import SystemRandom
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from couler_jobs.backends.local.home import full_disk
from couler_jobs.backends.local.identity import Identity
from couler_jobs.backends.local.values import Decision, Request
from couler_jobs.errors import AlreadyExists, NotFound, Unavailable
from couler_jobs.spec.status import Manifest, NodeInfo, Phase, RunInfo

T = TypeVar("T")

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

_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_FULL,
}
"""Errors that may be gone a moment later: by their primary code, the lowest eight bits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredRun:
    """One row of the runs. Times are seconds since the epoch."""

    uid: str
    name: str
    created_at: float
    manifest: Manifest
    started_at: float | None = None
    finished_at: float | None = None
    phase: Phase = Phase.PENDING
    message: str = ""
    suspended: bool = False
    shutdown: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    revision: int = 0
    supervisor: Identity | None = None
    guard: Identity | None = None
    starts: int = 0
    asked_at: float = 0.0

    @property
    def namespace(self) -> str:
        """The manifest's own, "local" where it names none."""
        return self.manifest["metadata"].get("namespace") or "local"

    @property
    def labels(self) -> dict[str, str]:
        """The manifest's, with those of its `workflowMetadata`."""
        more = self.manifest["spec"].get("workflowMetadata") or {}
        return {**(self.manifest["metadata"].get("labels") or {}), **(more.get("labels") or {})}

    @property
    def annotations(self) -> dict[str, str]:
        """The manifest's, with those of its `workflowMetadata`."""
        own = self.manifest["metadata"].get("annotations") or {}
        more = self.manifest["spec"].get("workflowMetadata") or {}
        return {**own, **(more.get("annotations") or {})}

    @property
    def expires_at(self) -> float | None:
        """When its `ttlStrategy` has it deleted: that of its phase, else the one for any end."""
        ttl = self.manifest["spec"].get("ttlStrategy")
        if not ttl or self.finished_at is None or not self.phase.ended:
            return None
        good = self.phase is Phase.SUCCEEDED
        seconds = ttl.get("secondsAfterSuccess" if good else "secondsAfterFailure")
        seconds = ttl.get("secondsAfterCompletion") if seconds is None else seconds
        return None if seconds is None else self.finished_at + float(seconds)

    def info(self, nodes: Iterable[NodeInfo] = ()) -> RunInfo:
        """The run as the backend protocol shows it."""
        by_name = {node.name: node for node in nodes}
        spec = self.manifest["spec"]
        arguments = (spec.get("arguments") or {}).get("parameters") or ()
        return RunInfo(
            name=self.name,
            uid=self.uid,
            namespace=self.namespace,
            phase=self.phase,
            message=self.message,
            progress=_progress(by_name.values()),
            labels=self.labels,
            annotations=self.annotations,
            parameters={p["name"]: str(p["value"]) for p in arguments if "value" in p},
            nodes=by_name,
            outputs={"parameters": dict(self.outputs)} if self.outputs else {},
            created_at=_moment(self.created_at),
            started_at=_moment(self.started_at),
            finished_at=_moment(self.finished_at),
            suspended=self.suspended,
            shutdown=self.shutdown,
            active_deadline=spec.get("activeDeadlineSeconds"),
        )


class Store:
    """The database at one path; made when it is not there. Safe to use from several threads.

    `patience` is how long, in seconds, a locked, full or unreadable disk is waited for before
    `Unavailable` is raised. `durable` waits for the disk at each commit: a user who was told
    that a run exists finds it after a power cut; a supervisor's transitions need only survive
    the death of processes.
    """

    def __init__(self, path: Path, *, patience: float = 10.0, durable: bool = True) -> None:
        self._path, self._patience = path, patience
        self._engine = sa.create_engine(
            sa.URL.create("sqlite", database=str(path)),
            poolclass=sa.NullPool if durable else sa.StaticPool,
            connect_args={"timeout": min(patience, 5.0), "check_same_thread": durable},
        )
        synchronous = "FULL" if durable else "NORMAL"
        sa.event.listen(self._engine, "connect", _prepare(synchronous))
        sa.event.listen(self._engine, "begin", _begin)
        self._writer = self._engine.execution_options(begin="BEGIN IMMEDIATE")
        self._patiently(self._create)

    def close(self) -> None:
        """Let go of the file."""
        self._engine.dispose()

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
        return _stored(row)

    def by_uid(self, uid: str) -> StoredRun:
        """The run of that uid, or `NotFound`."""
        row = self.read(lambda c: c.execute(_runs.select().where(_runs.c.uid == uid)).first())
        if row is None:
            raise NotFound(f"There is no workflow with the uid {uid} on this machine.")
        return _stored(row)

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
        return [_stored(row) for row in self.read(lambda c: c.execute(query).all())]

    def nodes(self, uid: str) -> tuple[NodeInfo, ...]:
        """The nodes of a run in the order in which they came up."""
        query = sa.select(_nodes.c.node).where(_nodes.c.uid == uid).order_by(_nodes.c.number)
        found = self.read(lambda c: c.execute(query).scalars().all())
        return tuple(node_from(plain) for plain in found)

    def expired(self, now: float) -> list[str]:
        """The uids of the ended runs whose `ttlStrategy` has them deleted by now."""
        ttl = sa.func.json_extract(sa.type_coerce(_runs.c.manifest, sa.Text), "$.spec.ttlStrategy")
        query = _runs.select().where(_runs.c.finished_at <= now, ttl.is_not(None))
        runs = map(_stored, self.read(lambda c: c.execute(query).all()))
        return [run.uid for run in runs if run.expires_at is not None and run.expires_at <= now]

    def delete(self, uid: str) -> None:
        """Forget a run. Nothing happens if it is forgotten already."""

        def work(connection: sa.Connection) -> None:
            for table in (_requests, _nodes, _labels, _runs):
                connection.execute(sa.delete(table).where(table.c.uid == uid))

        self.write(work)

    def restart(self, uid: str, nodes: Iterable[NodeInfo], at: float) -> None:
        """Make an ended run one that is to go on from these nodes."""
        kept = list(nodes)

        def work(connection: sa.Connection) -> None:
            for table in (_nodes, _requests):  # a stop that came too late is not for this one
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
            run = None if found is None else _stored(found)
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
            row = _row(claimed)
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
        moment = _moment(at)

        def work(connection: sa.Connection) -> None:
            query = sa.select(_nodes.c.node).where(_nodes.c.uid == uid)
            nodes = [node_from(plain) for plain in connection.execute(query).scalars()]
            ended = [
                replace(node, phase=phase, message=message, finished_at=moment)
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
            self._change(connection, uid, **changes)

        self.write(work)

    def requests(self, uid: str) -> list[tuple[int, Request]]:
        """What was asked of a run and not yet obeyed, oldest first, each with its number."""
        query = _requests.select().where(_requests.c.uid == uid).order_by(_requests.c.number)
        return [
            (row.number, Request(action=row.action, at=row.at, node=row.node))
            for row in self.read(lambda c: c.execute(query).all())
        ]

    # --- how

    def _create(self) -> None:
        with self._engine.connect() as connection:
            raw = connection.connection.cursor()
            raw.execute("PRAGMA journal_mode = WAL")
            raw.close()
        with self._writer.begin() as connection:
            _metadata.create_all(connection)

    @staticmethod
    def _change(connection: sa.Connection, uid: str, **changes: Any) -> None:
        connection.execute(
            sa.update(_runs)
            .where(_runs.c.uid == uid)
            .values(revision=_runs.c.revision + 1, **changes)
        )

    def read(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers, in a transaction that reads."""

        def attempt() -> T:
            with self._engine.begin() as connection:
                return work(connection)

        return self._patiently(attempt)

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """What `work` answers, in a transaction that writes: all of it, or nothing."""

        def attempt() -> T:
            with self._writer.begin() as connection:
                return work(connection)

        return self._patiently(attempt)

    def _patiently(self, attempt: Callable[[], T]) -> T:
        pauses = _pauses(time.monotonic() + self._patience)
        while True:
            try:
                return attempt()
            except sa.exc.IntegrityError:
                raise
            except sa.exc.DBAPIError as error:
                passing = _code(error) in _PASSING and self._path.parent.exists()
                pause = next(pauses, None) if passing else None
                if pause is None:
                    raise Unavailable(self._sentence(error)) from error
                time.sleep(pause)

    def _sentence(self, error: sa.exc.DBAPIError) -> str:
        code = _code(error)
        if code == sqlite3.SQLITE_FULL:
            return full_disk(self._path)
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            return (
                f"The database {self._path} is damaged ({error.orig}). "
                "Move it away to go on with an empty one."
            )
        return f"The database {self._path} could not be used ({error.orig}): try again."


def runs_under_way() -> sa.Select[tuple[str]]:
    """The query for the uids of all runs that have not ended."""
    going = [phase.value for phase in Phase if not phase.ended]
    return sa.select(_runs.c.uid).where(_runs.c.phase.in_(going))


def add_run(connection: sa.Connection, run: StoredRun) -> None:
    """Record a new run within a transaction; `IntegrityError` if its name is taken."""
    connection.execute(sa.insert(_runs).values(**_row(run)))
    rows = [{"uid": run.uid, "key": k, "value": v} for k, v in run.labels.items()]
    if rows:
        connection.execute(sa.insert(_labels), rows)


def _code(error: sa.exc.DBAPIError) -> int:
    return int(getattr(error.orig, "sqlite_errorcode", 0)) & 0xFF


def _pauses(deadline: float) -> Iterator[float]:
    longest = 0.05
    while time.monotonic() < deadline:
        yield SystemRandom().uniform(0, longest)  # spreads writers
        longest = min(longest * 2, 1.0)


def _prepare(synchronous: str) -> Callable[[Any, Any], None]:
    def prepare(connection: Any, _record: Any) -> None:
        connection.isolation_level = None  # transactions begin where we say so
        connection.execute(f"PRAGMA synchronous = {synchronous}").close()

    return prepare


def _begin(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("begin", "BEGIN"))


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


def plain_node(node: NodeInfo) -> dict[str, Any]:
    """A node as JSON carries it, without what is empty."""
    fields = {name: getattr(node, name) for name in node.__slots__}
    for name in ("started_at", "finished_at"):
        fields[name] = None if fields[name] is None else fields[name].timestamp()
    return {name: _plain(value) for name, value in fields.items() if value not in (None, "", ())}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _plain(item) for key, item in value.items()}
    return list(value) if isinstance(value, tuple) else value


def node_from(plain: Mapping[str, Any]) -> NodeInfo:
    """What `plain_node` made of a node, as it was."""
    fields = dict(plain)
    fields["phase"] = Phase(fields["phase"])
    fields["children"] = tuple(fields.get("children", ()))
    for name in ("started_at", "finished_at"):
        fields[name] = _moment(fields.get(name))
    return NodeInfo(**fields)


def _row(run: StoredRun) -> dict[str, Any]:
    row: dict[str, Any] = {name: getattr(run, name) for name in run.__slots__}
    row["phase"] = run.phase.value
    row["manifest"] = json.loads(json.dumps(run.manifest))
    row["outputs"] = dict(run.outputs)
    for name in ("supervisor", "guard"):
        row[name] = None if row[name] is None else asdict(row[name])
    return row


def _stored(row: Any) -> StoredRun:
    fields = dict(row._mapping)
    fields["phase"] = Phase(fields["phase"])
    for name in ("supervisor", "guard"):
        fields[name] = Identity(**fields[name]) if fields[name] else None
    return StoredRun(**fields)


def _progress(nodes: Iterable[NodeInfo]) -> str:
    pods = [node for node in nodes if node.type == "Pod"]
    done = sum(node.phase is Phase.SUCCEEDED for node in pods)
    return f"{done}/{len(pods)}" if pods else ""


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
