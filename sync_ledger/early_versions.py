"""What earlier versions left in a ledger that is not true."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_databases.database_clock import database_now
from sync_ledger.codes import LedgerCode
from sync_ledger.tables import AckStatus, LedgerTables

TEST_STREAM = "meltano_test_stream"
"""The stream of `meltano config test`, which is never written; version 0.1 took its record for an order."""


def remove_test_stream(connection: sa.Connection, tables: LedgerTables) -> Sequence[str]:
    """Remove what version 0.1 noted of Meltano's test, and make the orders due again that the test wrote over.

    Returns a line for each of these orders.
    """
    ack = tables.ack
    query = sa.select(ack.c.record_key).where(ack.c.stream == TEST_STREAM, ack.c.zoho_id.is_not(None))
    keys = list(connection.execute(query).scalars())
    lines = list(_made_due(connection, tables, keys)) if keys else []
    for table in (tables.ack, tables.job, tables.run):
        connection.execute(sa.delete(table).where(table.c.stream == TEST_STREAM))
    return lines


def _made_due(connection: sa.Connection, tables: LedgerTables, keys: Sequence[str]) -> Iterator[str]:
    ack, now = tables.ack, database_now(connection)
    streams = connection.execute(sa.select(tables.run.c.stream).distinct()).scalars().all()
    for stream in streams:  # the primary key begins with it
        if stream == TEST_STREAM:
            continue
        for chunk in lookup_chunks(connection, keys):
            those = (
                ack.c.stream == stream,
                ack.c.record_key.in_(chunk),
                ack.c.status == AckStatus.SYNCED.value,
            )
            found = connection.execute(sa.select(ack.c.record_key).where(*those)).scalars().all()
            connection.execute(
                sa.update(ack)
                .where(*those)
                .values(
                    status=AckStatus.REJECTED.value,
                    family="transient",
                    error_code=LedgerCode.OVERWRITTEN_BY_TEST.value,
                    error_field=None,
                    error_message=None,
                    next_attempt_at=now,
                    payload_hash=None,
                )
            )
            for key in found:
                yield (
                    f"Stream {stream!r}: `meltano config test` of an earlier version wrote over order {key!r}; "
                    "it is sent once more"
                )
