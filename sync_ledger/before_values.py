"""What records held before a run wrote them: one row a call, or a hundred orders of a job, sealed by whoever wrote it.

These are contents of records. They are pruned after `keep_before_days`, and only their keys can be read without a key.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.history import PRUNED_AT_A_TIME
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import LedgerTables


@dataclass(frozen=True, slots=True)
class KeptRow:
    """One row: its number, which counts up with time, and the keys of the orders that it holds values of."""

    number: int
    keys: Sequence[str]


def keep(lease: Lease, keys: Sequence[str], sealed: bytes) -> None:
    """Keep the sealed values of these orders, before they are written.

    Raises:
        LeaseLostError: another run has taken over.
    """
    ledger, before = lease.ledger, lease.ledger.tables.before
    packed = zlib.compress(msgspec.json.encode(keys))

    def once() -> None:
        with lease.timed_transaction(settles=0) as (connection, now):
            row = {
                "stream": lease.stream,
                "run_id": lease.run_id,
                "happened_at": now,
                "order_count": len(keys),
                "keys_packed": packed,
                "sealed": sealed,
            }
            connection.execute(sa.insert(before), row)

    ledger.with_retries(once)


def rows_of_run(connection: sa.Connection, tables: LedgerTables, run_id: str) -> list[KeptRow]:
    """Which values are kept of a run, the earliest first; two where the answer to a commit was lost."""
    before = tables.before
    query = sa.select(before.c.before_id, before.c.keys_packed).where(before.c.run_id == run_id)
    rows = connection.execute(query.order_by(before.c.before_id))
    return [
        KeptRow(row.before_id, msgspec.json.decode(zlib.decompress(row.keys_packed), type=list[str])) for row in rows
    ]


def sealed_of(connection: sa.Connection, tables: LedgerTables, numbers: Iterable[int]) -> Iterator[tuple[int, bytes]]:
    """The sealed values of some rows, by their numbers."""
    before = tables.before
    for chunk in lookup_chunks(connection, sorted(numbers)):
        query = sa.select(before.c.before_id, before.c.sealed).where(before.c.before_id.in_(chunk))
        yield from ((row.before_id, bytes(row.sealed)) for row in connection.execute(query))


def prune_before(ledger: Ledger, *, days: float) -> int:
    """Delete what is older than `days`: one portion. Returns how many rows went."""
    before = ledger.tables.before

    def once(connection: sa.Connection) -> int:
        since = ledger.now(connection) - timedelta(days=days)
        old = sa.select(before.c.before_id).where(before.c.happened_at < since).order_by(before.c.before_id)
        last = connection.execute(old.limit(1).offset(PRUNED_AT_A_TIME - 1)).scalar()
        which = [before.c.happened_at < since] if last is None else [before.c.before_id <= last]
        return connection.execute(sa.delete(before).where(*which)).rowcount

    return ledger.transact(once)
