"""The folded keys of an older ledger's acks, made anew in short transactions; a kill between two of them loses none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from typing import Any

import sqlalchemy as sa

from sync_databases.engines import Family, engine_of
from sync_databases.folded_keys import folded_key

ACKS_AT_A_TIME = 2_000
"""Where each of them changes, a transaction takes a tenth of a second."""

Begin = Callable[[], AbstractContextManager[sa.Connection]]
"""Opens a transaction that writes."""


def fold_keys_anew(begin: Begin, ack: sa.Table, *, without_case: bool) -> None:
    """Give each ack the folded key that today's folding makes of its key. Safe to repeat, and for two at a time.

    Earlier programs folded by upper case alone, where the stream's key field goes without case; the ledger does not
    know whether it does, but what they made of a key with small letters says so. `without_case` takes all for such.
    """
    for stream in _streams(begin, ack):
        after: str | None = ""
        while after is not None:
            with begin() as connection:
                after = _next_chunk(connection, ack, stream, after, without_case=without_case)


def _streams(begin: Begin, ack: sa.Table) -> Iterator[str]:
    """Each stream, found by a look at the index."""
    query, stream = sa.select(sa.func.min(ack.c.stream)), None
    while True:
        with begin() as connection:
            stream = connection.execute(query if stream is None else query.where(ack.c.stream > stream)).scalar()
        if stream is None:
            return
        yield stream


def _next_chunk(connection: sa.Connection, ack: sa.Table, stream: str, after: str, *, without_case: bool) -> str | None:
    """Fold the keys past `after`; gives the last one, or None at the end."""
    if engine_of(connection.dialect).family is Family.POSTGRESQL:
        # Without statistics of the table it sorts all that is left, where its index has the order.
        connection.exec_driver_sql("SET LOCAL enable_sort = off")
    query = sa.select(ack.c.record_key, ack.c.folded_key).where(ack.c.stream == stream, ack.c.record_key > after)
    rows = connection.execute(query.order_by(ack.c.record_key).limit(ACKS_AT_A_TIME)).all()
    changes = list(filter(None, map(partial(_change, without_case=without_case), rows)))
    if changes:
        these = (ack.c.stream == stream, ack.c.record_key == sa.bindparam("this_key"))
        connection.execute(sa.update(ack).where(*these).values(folded_key=sa.bindparam("fold")), changes)
    return rows[-1].record_key if len(rows) == ACKS_AT_A_TIME else None


def _change(row: Any, *, without_case: bool) -> dict[str, str | None] | None:
    key, before = row
    if key.isascii() and before is not None:
        return None  # as it was then
    trimmed = key.strip()
    kept_case = trimmed.upper() != trimmed and (before or key) == trimmed
    fold = folded_key(key, folds_case=without_case or not kept_case)
    after = fold if fold != key else None
    return None if after == before else {"this_key": key, "fold": after}
