"""What became of orders, run by run: written with their acks, in the same transaction. It holds no contents of orders.

An order that a call or job made in the CRM is packed with the others of that call or job in one row; its ack says when
(`packed_at`), which finds the row again. What else becomes of an order has a row of its own, as its ack has it then.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import msgspec
import sqlalchemy as sa

from sync_databases.chunks import among, lookup_chunks
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus, LedgerTables

PACKING_LEVEL = 1
"""Keys, versions and ids compress well at any level; the first is the fastest."""

PRUNED_AT_A_TIME = 5_000
"""Rows that one transaction deletes: it locks them for a moment only."""


@dataclass(frozen=True, slots=True)
class Settlement:
    """Whose outcomes are noted, and which of the run's transactions it is: a call's or a job's."""

    stream: str
    run_id: str
    number: int


@dataclass(frozen=True, slots=True)
class Packed:
    """Orders of one call or job, column by column; equally long."""

    keys: Sequence[str]
    versions: Sequence[str]
    zoho_ids: Sequence[str | None]

    def compressed(self) -> bytes:
        """As the ledger holds it: 10 to 20 bytes an order."""
        return zlib.compress(msgspec.json.encode((self.keys, self.versions, self.zoho_ids)), PACKING_LEVEL)

    @classmethod
    def of(cls, compressed: bytes) -> Packed:
        """Undo that."""
        columns = tuple[list[str], list[str], list[str | None]]
        return cls(*msgspec.json.decode(zlib.decompress(compressed), type=columns))


def note_packed(
    connection: sa.Connection,
    tables: LedgerTables,
    settlement: Settlement,
    now: datetime,
    packed: Packed,
    *,
    status: str = AckStatus.SYNCED.value,
    action: str | None = None,
    channel: str | None = None,
    job_id: str | None = None,
) -> None:
    """Note orders of which the same is to be said; where acks hold `now` as `packed_at`, they lead here."""
    facts = {
        "stream": settlement.stream,
        "run_id": settlement.run_id,
        "settlement": settlement.number,
        "happened_at": now,
        "status": status,
        "channel": channel,
        "job_id": job_id,
        "order_count": len(packed.keys),
        "packed": packed.compressed(),
        "action": action,
    }
    connection.execute(sa.insert(tables.outcome), facts)


_AS_IN_THE_ACK = (
    "stream",
    "status",
    "channel",
    "job_id",
    "record_key",
    "version",
    "zoho_id",
    "action",
    "family",
    "error_code",
    "error_field",
    "error_message",
)


def note_acks(
    connection: sa.Connection,
    tables: LedgerTables,
    settlement: Settlement,
    now: datetime,
    keys: Collection[str],
    *,
    job_id: str | None = None,
) -> None:
    """Note what the acks of these orders say now, a row each; with `job_id` of those alone that are of this job."""
    ack = tables.ack
    named = (
        sa.literal(settlement.run_id, sa.String),
        sa.literal(settlement.number, sa.Integer),
        sa.literal(now, ack.c.acked_at.type),
        sa.literal(1, sa.Integer),
    )
    query = sa.select(*(ack.c[name] for name in _AS_IN_THE_ACK), *named).where(ack.c.stream == settlement.stream)
    if job_id is not None:
        query = query.where(ack.c.job_id == job_id)
    columns = [*_AS_IN_THE_ACK, "run_id", "settlement", "happened_at", "order_count"]
    for chunk in lookup_chunks(connection, keys):
        these = query.where(among(connection, ack.c.record_key, chunk))
        connection.execute(sa.insert(tables.outcome).from_select(columns, these))


def remove_notes(connection: sa.Connection, tables: LedgerTables, settlement: Settlement) -> None:
    """Remove what a transaction has noted whose answer was lost, before it is made once more."""
    outcome = tables.outcome
    its = (outcome.c.run_id == settlement.run_id, outcome.c.settlement == settlement.number)
    connection.execute(sa.delete(outcome).where(*its))


def prune(ledger: Ledger, *, days: float, rows: int) -> int:
    """Delete outcomes older than `days`, and the oldest above `rows`: one portion. Returns how many rows went.

    Ids count up with time, and only the oldest are ever deleted, so that the first and the last one say how many there
    are, nearly: an id of a transaction that failed is counted too.
    """
    outcome = ledger.tables.outcome
    ids = sa.select(outcome.c.outcome_id).order_by(outcome.c.outcome_id)

    def once(connection: sa.Connection) -> int:
        last = connection.execute(sa.select(sa.func.max(outcome.c.outcome_id))).scalar()
        if last is None:
            return 0
        portion = connection.execute(ids.limit(1).offset(PRUNED_AT_A_TIME - 1)).scalar() or last
        since = ledger.now(connection) - timedelta(days=days)
        old = sa.or_(outcome.c.happened_at < since, outcome.c.outcome_id <= last - rows)
        return connection.execute(sa.delete(outcome).where(outcome.c.outcome_id <= portion, old)).rowcount

    return ledger.transact(once)
