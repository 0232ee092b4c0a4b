"""How often an order was tried in vain: at one version and with one content, for with another it is tried anew."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks


@dataclass(frozen=True, slots=True)
class Tries:
    """Those of one ack, and since when its calls fail with answers that blame nobody."""

    version: str
    attempts: int
    failing_since: datetime | None
    content: str | None = None
    content_form: str | None = None

    def are_of(self, version: str, content: str | None, form: str | None) -> bool:
        """Whether they were made with what is tried now; contents of different forms are not compared."""
        unknown = content is None or self.content is None or form != self.content_form
        return version == self.version and (unknown or content == self.content)


def tries_of(connection: sa.Connection, table: sa.Table, stream: str, keys: Iterable[str]) -> dict[str, Tries]:
    """Look up the tries of those keys that have an ack."""
    found: dict[str, Tries] = {}
    names = ("record_key", "version", "attempts", "failing_since", "content", "content_form")
    query = sa.select(*(table.c[name] for name in names)).where(table.c.stream == stream)
    for chunk in lookup_chunks(connection, keys):
        rows = connection.execute(query.where(table.c.record_key.in_(chunk)))
        found.update((key, Tries(*tries)) for key, *tries in rows)
    return found


def are_of_ack(table: sa.Table, new: Callable[[str], sa.ColumnElement[Any]]) -> sa.ColumnElement[bool]:
    """Say `are_of` in SQL, of an ack and the one that takes its place, whose columns `new` names."""
    content, form = table.c.content, table.c.content_form
    unknown = sa.or_(content.is_(None), new("content").is_(None), form.is_(None), form != new("content_form"))
    return sa.and_(table.c.version == new("version"), sa.or_(unknown, content == new("content")))
