"""A sample of each stream's orders, with a hash of each of their columns: what changed since the last comparison.

Where contents alone say what changed, it shows a column that differs each time it is read.
"""

from __future__ import annotations

from datetime import datetime

import msgspec
import sqlalchemy as sa

from sync_ledger.tables import LedgerTables


class OrderSample(msgspec.Struct, frozen=True, kw_only=True):
    """Some orders as they were at the last comparison: hashes by key, in the order of `columns`."""

    columns: tuple[str, ...] = ()
    orders: dict[str, str] = {}
    """The hashes of an order's columns, with blanks between."""
    suspects: dict[str, datetime] = {}
    """Columns that differed in most orders, and when that was last seen: naive UTC by the ledger's clock."""


def read_sample(connection: sa.Connection, tables: LedgerTables, stream: str, partition: str) -> OrderSample:
    """Look the sample up; an empty one where there is none."""
    table = tables.sample
    query = sa.select(table.c.described).where(table.c.stream == stream, table.c.partition_name == partition)
    text = connection.execute(query).scalar()
    try:
        return OrderSample() if text is None else msgspec.json.decode(text, type=OrderSample)
    except msgspec.MsgspecError:
        return OrderSample()


def write_sample(
    connection: sa.Connection, tables: LedgerTables, stream: str, partition: str, sample: OrderSample
) -> None:
    """Replace the sample."""
    table, key = tables.sample, {"stream": stream, "partition_name": partition}
    connection.execute(sa.delete(table).where(table.c.stream == stream, table.c.partition_name == partition))
    connection.execute(sa.insert(table), {**key, "described": msgspec.json.encode(sample).decode()})
