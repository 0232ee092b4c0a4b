"""Orders that have another record than before: a person deleted it, or took its key, and a write made them again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks


class MadeAgain(NamedTuple):
    """An order with the ids of both its records."""

    key: str
    earlier_id: str
    zoho_id: str | None


def made_again_by(
    connection: sa.Connection, ack: sa.Table, stream: str, run_id: str, *, samples: int
) -> tuple[int, list[MadeAgain]]:
    """How many orders of a stream a run made again, and some of them."""
    these = (ack.c.stream == stream, ack.c.remade_run_id == run_id)
    count = connection.execute(sa.select(sa.func.count()).where(*these)).scalar_one()
    return count, _some(connection, ack, these, samples) if count else []


def made_again(connection: sa.Connection, ack: sa.Table, stream: str) -> list[MadeAgain]:
    """The orders of a stream that were made again and not dismissed since."""
    return _some(connection, ack, (ack.c.stream == stream, ack.c.remade_run_id.is_not(None)), None)


def dismiss_made_again(
    connection: sa.Connection, ack: sa.Table, stream: str, which: Sequence[sa.ColumnElement[bool]]
) -> int:
    """Forget the earlier records of orders that were made again. Returns how many."""
    these = (ack.c.stream == stream, ack.c.remade_run_id.is_not(None), *which)
    return connection.execute(sa.update(ack).where(*these).values(earlier_zoho_id=None, remade_run_id=None)).rowcount


def keys_made_again(connection: sa.Connection, ack: sa.Table, stream: str, keys: Sequence[str]) -> set[str]:
    """Those of these orders that were made again and not dismissed since."""
    query = sa.select(ack.c.record_key).where(ack.c.stream == stream, ack.c.remade_run_id.is_not(None))
    return {
        key
        for chunk in lookup_chunks(connection, keys)
        for key in connection.execute(query.where(ack.c.record_key.in_(chunk))).scalars()
    }


def _some(
    connection: sa.Connection, ack: sa.Table, these: Sequence[sa.ColumnElement[bool]], samples: int | None
) -> list[MadeAgain]:
    query = sa.select(ack.c.record_key, ack.c.earlier_zoho_id, ack.c.zoho_id).where(*these)
    return [MadeAgain(*row) for row in connection.execute(query.order_by(ack.c.record_key).limit(samples))]
