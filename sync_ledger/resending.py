"""Synced orders that a person wants to be written once more: they are made due, as if they had been refused."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_databases.database_clock import database_now
from sync_ledger.codes import LedgerCode
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus, LedgerTables
from sync_ledger.written_mappings import WrittenMapping, is_older

ROWS_AT_A_TIME = 10_000
"""Made due in one transaction, so that no run waits long for its acks."""


@dataclass(frozen=True, slots=True)
class SyncedOrders:
    """Which synced orders of a stream are meant, by one of these; every one where none is given.

    `since` is when they were acknowledged, by the ledger's clock: naive UTC.
    """

    keys: Sequence[str] | None = None
    run_id: str | None = None
    since: datetime | None = None
    older_than_mapping: bool = False
    """Those that lack a field which is mapped now."""
    mapped_now: WrittenMapping | None = None
    """What is mapped now, where that is not what the last run wrote by."""


def count_synced(ledger: Ledger, stream: str, chosen: SyncedOrders) -> int:
    """How many there are."""
    with ledger.connect() as connection:
        conditions = _conditions(connection, ledger.tables, stream, chosen)
        counts = (sa.select(sa.func.count()).where(*which) for which in conditions)
        return sum(connection.execute(count).scalar_one() for count in counts)


def resend(ledger: Ledger, stream: str, chosen: SyncedOrders, code: LedgerCode = LedgerCode.RESEND_ASKED) -> int:
    """Make them due, and forget what they held, so that `skip_unchanged` skips none. Returns how many.

    `code` says who asked for what.

    In transactions of 10,000 orders: after an interruption a second call goes on with those that are left.

    Raises:
        DatabaseError: the ledger cannot be read or written.
    """
    tables = ledger.tables
    after: str | None = ""
    count = 0
    while after is not None:
        once = partial(_make_due, tables=tables, stream=stream, chosen=chosen, code=code, after=after)
        some, after = ledger.transact(once)
        count += some
    return count


def _make_due(
    connection: sa.Connection, tables: LedgerTables, stream: str, chosen: SyncedOrders, code: LedgerCode, after: str
) -> tuple[int, str | None]:
    """Make the next ones due behind a key: how many, and the last one of them if there may be more."""
    ack, statements = tables.ack, _conditions(connection, tables, stream, chosen)
    due = sa.update(ack).values(
        status=AckStatus.REJECTED.value,
        family="transient",
        error_code=code.value,
        error_field=None,
        error_message=None,
        next_attempt_at=database_now(connection),
        attempts=0,
        failing_since=None,
        payload_hash=None,
    )
    if chosen.keys is not None:
        return sum(connection.execute(due.where(*which)).rowcount for which in statements), None
    (which,) = statements
    query = sa.select(ack.c.record_key).where(*which, ack.c.record_key > after).order_by(ack.c.record_key)
    keys = connection.execute(query.limit(ROWS_AT_A_TIME)).scalars().all()
    if not keys:
        return 0, None
    within = (ack.c.record_key > after, ack.c.record_key <= keys[-1])
    return connection.execute(due.where(*which, *within)).rowcount, keys[-1]


def _conditions(
    connection: sa.Connection, tables: LedgerTables, stream: str, chosen: SyncedOrders
) -> Iterator[list[sa.ColumnElement[bool]]]:
    """The conditions of one statement, or of several where the keys are too many for one."""
    ack = tables.ack
    which = [ack.c.stream == stream, ack.c.status == AckStatus.SYNCED.value]
    if chosen.run_id is not None:
        which.append(ack.c.run_id == chosen.run_id)
    if chosen.since is not None:
        which.append(ack.c.acked_at >= chosen.since)
    if chosen.older_than_mapping:
        which.append(is_older(connection, tables, stream, chosen.mapped_now))
    if chosen.keys is None:
        yield which
        return
    for chunk in lookup_chunks(connection, chosen.keys):
        yield [*which, ack.c.record_key.in_(chunk)]
