"""What was taken back of runs: what became of each order by that, and which orders are held since.

An order of which a write was taken back is *held*: its ack says so, the target does not write it though it changes, and
`release` makes it due. Each step is noted before the CRM is asked for it, so that an undo that was killed goes on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.codes import LedgerCode
from sync_ledger.history import Settlement, note_acks, remove_notes
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus, LedgerTables
from sync_ledger.undo_tables import WHY_LENGTH

RELEASED_AT_A_TIME = 1_000
UNDO_ACTION = "undo"
"""What an ack has for its action since its order was undone."""


class UndoOutcome(StrEnum):
    """What an undo has done of one order."""

    BEGUN = "begun"
    """The CRM was, or is about to be, asked for it: a later undo goes on."""
    REVERSED = "reversed"
    KEPT = "kept"
    """Somebody or something wrote it since."""
    IMPOSSIBLE = "impossible"


@dataclass(frozen=True, slots=True)
class Undone:
    """What became of one order. `why`, `person` and `later_run` say why it was not reversed; `held`: it waits.

    `person` of one that is reversed had changed the record before the run did. One that is not reversed is held where
    part of it may have been taken back: nobody may call it synced.
    """

    key: str
    outcome: UndoOutcome
    why: str | None = None
    person: str | None = None
    later_run: str | None = None
    held: bool = False


@dataclass(frozen=True, slots=True)
class AckToUndo:
    """What an ack says that counts for an undo. `acked_at` is naive UTC by the ledger's clock."""

    status: AckStatus
    zoho_id: str | None
    run_id: str | None
    error_code: str | None
    acked_at: datetime


@dataclass(frozen=True, slots=True)
class HeldOrders:
    """Orders that are held since a run was undone, and how many of them came once more since."""

    run_id: str
    held: int
    changed: int


# What was undone


def undone_of(
    connection: sa.Connection, tables: LedgerTables, run_id: str, keys: Collection[str] | None = None
) -> dict[str, Undone]:
    """What became of the orders of a run that was undone, or is being undone, by key: of all, or of these."""
    undone = tables.undone
    query = sa.select(undone).where(undone.c.run_id == run_id)
    if keys is None:
        rows = list(connection.execute(query))
    else:
        chunks = lookup_chunks(connection, keys)
        rows = [row for some in chunks for row in connection.execute(query.where(undone.c.record_key.in_(some)))]
    return {
        row.record_key: Undone(
            row.record_key, UndoOutcome(row.outcome), row.why, row.person, row.later_run_id, row.held_at is not None
        )
        for row in rows
    }


def acks_to_undo(connection: sa.Connection, ack: sa.Table, stream: str, keys: Iterable[str]) -> dict[str, AckToUndo]:
    """What the acks of these orders say."""
    found: dict[str, AckToUndo] = {}
    columns = (ack.c.record_key, ack.c.status, ack.c.zoho_id, ack.c.run_id, ack.c.error_code, ack.c.acked_at)
    query = sa.select(*columns).where(ack.c.stream == stream)
    for chunk in lookup_chunks(connection, keys):
        for key, status, *facts in connection.execute(query.where(ack.c.record_key.in_(chunk))):
            found[key] = AckToUndo(AckStatus(status), *facts)
    return found


def begin(lease: Lease, run_id: str, keys: Sequence[str]) -> None:
    """Note that the CRM is about to be asked to take back what a run wrote of these orders, and hold them.

    So no run writes them, should the undo die before it knows what became of it.

    Raises:
        LeaseLostError: another run has taken over.
    """
    ledger, tables = lease.ledger, lease.ledger.tables

    def once() -> None:
        with lease.timed_transaction(settles=0) as (connection, now):
            _note(connection, tables, lease.stream, run_id, [Undone(key, UndoOutcome.BEGUN) for key in keys], now)
            _hold(connection, tables.ack, lease, keys, now)

    ledger.with_retries(once)


def conclude(
    lease: Lease,
    run_id: str,
    concluded: Sequence[Undone],
    *,
    deleted: Collection[str],
    let_go: Collection[str],
    number: int,
) -> None:
    """Note what became of these orders: those that are reversed stay held, and the history has them.

    `deleted` are those whose record was deleted; `let_go` those that were held for this alone, if they are not
    reversed. `number` counts the conclusions of an undo.

    Raises:
        LeaseLostError: another run has taken over.
    """
    ledger, tables, settlement = lease.ledger, lease.ledger.tables, Settlement(lease.stream, lease.run_id, number)
    held = [each.key for each in concluded if each.outcome is UndoOutcome.REVERSED]
    others = [
        each.key
        for each in concluded
        if each.outcome is not UndoOutcome.REVERSED and not each.held and each.key in let_go
    ]

    def once() -> None:
        with lease.timed_transaction() as (connection, now):
            _note(connection, tables, lease.stream, run_id, concluded, now)
            _let_go(connection, tables.ack, lease.stream, others, now)
            _hold(connection, tables.ack, lease, held, now)
            _forget_records(connection, tables.ack, lease.stream, [key for key in held if key in deleted])
            _hold_by_this_alone(connection, tables.undone, lease.stream, run_id, held)
            remove_notes(connection, tables, settlement)  # of an attempt whose answer was lost
            note_acks(connection, tables, settlement, now, held)

    ledger.with_retries(once)


def _note(
    connection: sa.Connection, tables: LedgerTables, stream: str, run_id: str, notes: Sequence[Undone], now: datetime
) -> None:
    undone = tables.undone
    for chunk in lookup_chunks(connection, [each.key for each in notes]):
        its = (undone.c.run_id == run_id, undone.c.record_key.in_(chunk))
        connection.execute(sa.delete(undone).where(*its))
    if notes:
        connection.execute(sa.insert(undone), [_row(each, run_id, stream, now) for each in notes])


def _row(each: Undone, run_id: str, stream: str, now: datetime) -> dict[str, object]:
    return {
        "run_id": run_id,
        "record_key": each.key,
        "stream": stream,
        "outcome": each.outcome.value,
        "why": each.why and each.why[:WHY_LENGTH],
        "person": each.person and each.person[:WHY_LENGTH],
        "later_run_id": each.later_run,
        "happened_at": now,
        "held_at": now if each.held or each.outcome in {UndoOutcome.BEGUN, UndoOutcome.REVERSED} else None,
    }


def _hold(connection: sa.Connection, ack: sa.Table, lease: Lease, keys: Sequence[str], now: datetime) -> None:
    """Hold orders: nothing stays in their acks by which they would look as they were before they were undone.

    What an ack that is held already says of changes since stays; one that was refused is such a change.
    """
    nothing = ("channel", "family", "error_field", "error_message", "next_attempt_at", "failing_since", "job_id")
    values: dict[str, object] = {
        "status": AckStatus.HELD.value,
        "error_code": LedgerCode.UNDONE.value,
        "attempts": 0,
        **dict.fromkeys((*nothing, "payload_hash", "field_marks")),
    }
    by_us = {"action": UNDO_ACTION, "run_id": lease.run_id, "acked_at": now}
    for chunk in lookup_chunks(connection, keys):
        these = (ack.c.stream == lease.stream, ack.c.record_key.in_(chunk))
        connection.execute(sa.update(ack).where(*these, ack.c.status == AckStatus.SYNCED.value).values(values))
        refused = values | {"error_code": LedgerCode.CHANGED_WHILE_HELD.value}
        connection.execute(sa.update(ack).where(*these, ack.c.status != AckStatus.HELD.value).values(refused))
        connection.execute(sa.update(ack).where(*these).values(by_us))


def _let_go(connection: sa.Connection, ack: sa.Table, stream: str, keys: Sequence[str], now: datetime) -> None:
    """Let orders be again what they were, though a call of nothing new may go once; what came since is due."""
    synced = {"status": AckStatus.SYNCED.value, "error_code": None}
    for chunk in lookup_chunks(connection, keys):
        these = (ack.c.stream == stream, ack.c.record_key.in_(chunk), ack.c.status == AckStatus.HELD.value)
        changed = ack.c.error_code == LedgerCode.CHANGED_WHILE_HELD.value
        connection.execute(sa.update(ack).where(*these, changed).values(_due(now)))
        connection.execute(sa.update(ack).where(*these).values(synced))


def _due(now: datetime) -> dict[str, object]:
    return {
        "status": AckStatus.REJECTED.value,
        "family": "transient",
        "error_code": LedgerCode.RELEASED.value,
        "next_attempt_at": now,
        "attempts": 0,
        "payload_hash": None,
    }


def _forget_records(connection: sa.Connection, ack: sa.Table, stream: str, keys: Sequence[str]) -> None:
    for chunk in lookup_chunks(connection, keys):
        these = (ack.c.stream == stream, ack.c.record_key.in_(chunk))
        connection.execute(sa.update(ack).where(*these).values(zoho_id=None))


def _hold_by_this_alone(
    connection: sa.Connection, undone: sa.Table, stream: str, run_id: str, keys: Sequence[str]
) -> None:
    """Let orders that an undo of another run holds be held by this one: one `release` lets them go."""
    others = (undone.c.stream == stream, undone.c.run_id != run_id, undone.c.held_at.is_not(None))
    for chunk in lookup_chunks(connection, keys):
        these = sa.update(undone).where(*others, undone.c.record_key.in_(chunk))
        connection.execute(these.values(held_at=None))


def reversed_keys(connection: sa.Connection, tables: LedgerTables, run_ids: Collection[str]) -> set[str]:
    """The orders of these runs that were taken back."""
    undone = tables.undone
    its = (undone.c.run_id.in_(list(run_ids)), undone.c.outcome == UndoOutcome.REVERSED.value)
    return set(connection.execute(sa.select(undone.c.record_key).where(*its)).scalars())


# What is held


def has_held(connection: sa.Connection, tables: LedgerTables, stream: str) -> bool:
    """Whether any order of a stream is held: a look at an index."""
    undone = tables.undone
    query = sa.select(sa.literal(1)).where(undone.c.stream == stream, undone.c.held_at.is_not(None)).limit(1)
    return connection.execute(query).first() is not None


def held_among(connection: sa.Connection, ack: sa.Table, stream: str, keys: Iterable[str]) -> set[str]:
    """Those of these orders that are held."""
    found: set[str] = set()
    query = sa.select(ack.c.record_key).where(ack.c.stream == stream, ack.c.status == AckStatus.HELD.value)
    for chunk in lookup_chunks(connection, keys):
        found.update(connection.execute(query.where(ack.c.record_key.in_(chunk))).scalars())
    return found


def held_of(connection: sa.Connection, tables: LedgerTables, stream: str) -> list[HeldOrders]:
    """The orders of a stream that are held, by the run that was undone."""
    ack, undone = tables.ack, tables.undone
    changed = sa.func.sum(sa.case((ack.c.error_code == LedgerCode.CHANGED_WHILE_HELD.value, 1), else_=0))
    same = sa.and_(ack.c.stream == undone.c.stream, ack.c.record_key == undone.c.record_key)
    query = (
        sa.select(undone.c.run_id, sa.func.count(), changed)
        .join(ack, same)
        .where(undone.c.stream == stream, undone.c.held_at.is_not(None), ack.c.status == AckStatus.HELD.value)
        .group_by(undone.c.run_id)
        .order_by(undone.c.run_id)
    )
    return [HeldOrders(run_id, count, int(changed or 0)) for run_id, count, changed in connection.execute(query)]


def release(ledger: Ledger, run_id: str) -> int:
    """Let the orders go that are held since a run was undone: they are due, as they are now. Returns how many.

    In transactions of 1,000 orders: after an interruption a second call goes on.

    Raises:
        DatabaseError: the ledger cannot be read or written.
    """
    count, more = 0, True
    while more:
        some, more = ledger.transact(partial(_release, ledger=ledger, run_id=run_id))
        count += some
    return count


def _release(connection: sa.Connection, *, ledger: Ledger, run_id: str) -> tuple[int, bool]:
    """Let the next ones go: how many, and whether there may be more."""
    ack, undone = ledger.tables.ack, ledger.tables.undone
    held = (undone.c.run_id == run_id, undone.c.held_at.is_not(None))
    rows = connection.execute(
        sa.select(undone.c.stream, undone.c.record_key)
        .where(*held)
        .order_by(undone.c.record_key)
        .limit(RELEASED_AT_A_TIME)
    ).all()
    if not rows:
        return 0, False
    due = sa.update(ack).values(_due(ledger.now(connection)))
    count = 0
    for chunk in lookup_chunks(connection, [row.record_key for row in rows]):
        these = (ack.c.stream == rows[0].stream, ack.c.status == AckStatus.HELD.value, ack.c.record_key.in_(chunk))
        count += connection.execute(due.where(*these)).rowcount
        connection.execute(sa.update(undone).where(*held, undone.c.record_key.in_(chunk)).values(held_at=None))
    return count, True
