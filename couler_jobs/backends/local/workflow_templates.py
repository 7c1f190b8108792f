"""The WorkflowTemplates of this machine, in the same database as the runs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.sqlite import insert

from couler_jobs.backends.local.store import Store
from couler_jobs.errors import NotFound, Rejected
from couler_jobs.spec.status import Manifest

_templates = sa.Table(
    "workflow_templates",
    sa.MetaData(),
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("manifest", sa.JSON, nullable=False),
)


class WorkflowTemplates:
    """The workflow templates that `store`'s database holds."""

    def __init__(self, store: Store) -> None:
        self._store = store
        store.write(lambda connection: _templates.create(connection, checkfirst=True))

    def apply(self, manifest: Manifest) -> None:
        """Store it, in place of one of that name."""
        row: dict[str, Any] = {"name": manifest["metadata"]["name"], "manifest": dict(manifest)}
        statement = insert(_templates).values(**row)
        statement = statement.on_conflict_do_update(index_elements=["name"], set_=row)
        self._store.write(lambda connection: connection.execute(statement))

    def get(self, name: str) -> Manifest:
        """The manifest of that name, or `NotFound`."""
        query = sa.select(_templates.c.manifest).where(_templates.c.name == name)
        found: Manifest | None = self._store.read(lambda c: c.execute(query).scalar())
        if found is None:
            raise NotFound(f"There is no workflow template named {name} on this machine.")
        return found

    def find(self, name: str) -> Manifest:
        """The same for a manifest that refers to it: `Rejected` if there is none."""
        try:
            return self.get(name)
        except NotFound as error:
            raise Rejected(f"{error} Apply it first.") from None

    def all(self) -> Iterator[Manifest]:
        """All of them, by name."""
        query = sa.select(_templates.c.manifest).order_by(_templates.c.name)
        return iter(self._store.read(lambda c: c.execute(query).scalars().all()))

    def delete(self, name: str) -> None:
        """Forget it; `NotFound` if there is none."""
        query = sa.delete(_templates).where(_templates.c.name == name)
        if not self._store.write(lambda c: c.execute(query).rowcount):
            raise NotFound(f"There is no workflow template named {name} on this machine.")
