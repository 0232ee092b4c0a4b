"""What an audit found put right in the ledger: records are bound, orders made due, or noted as deleted.

Each is done only where the ack is as the audit saw it: a run that has written since knows better.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import sqlalchemy as sa

from sync_databases.chunks import chunks_of
from sync_databases.keys import NO_VERSION
from sync_ledger.audited_acks import AuditedAck
from sync_ledger.codes import LedgerCode
from sync_ledger.deleted_records import note_deleted
from sync_ledger.ledger import Ledger
from sync_ledger.tables import DELETED_VERSION, AckStatus

BOUND = "bound"
"""The action of an ack that an audit bound to a record that was there."""

GONE = "gone"
"""The action of an ack whose order and record were both gone."""

ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class Repair:
    """What to do about one order: `seen` is its ack as the audit saw it, None for none.

    With a `version` it is bound to the record as synced at that version; without one it is due, so that the next run
    writes it, for what `code` says. `folded_key` as the ledger keeps it.
    """

    seen: AuditedAck | None
    zoho_id: str | None
    version: str | None
    folded_key: str | None = None
    code: LedgerCode = LedgerCode.RESEND_ASKED


def repair_acks(ledger: Ledger, stream: str, repairs: Mapping[str, Repair]) -> int:
    """Bind orders to records, or make them due, by key; gives how many were still as they were seen.

    In transactions of 1,000 orders.

    Raises:
        DatabaseError: the ledger cannot be written.
    """
    count = 0
    for keys in chunks_of(repairs, ROWS_AT_A_TIME):
        some = {key: repairs[key] for key in keys}
        count += ledger.transact(partial(_repair, ledger=ledger, stream=stream, repairs=some))
    return count


def _repair(connection: sa.Connection, *, ledger: Ledger, stream: str, repairs: Mapping[str, Repair]) -> int:
    ack, now, count = ledger.tables.ack, ledger.now(connection), 0
    for key, repair in repairs.items():
        facts = {
            "zoho_id": repair.zoho_id,
            "status": AckStatus.REJECTED.value if repair.version is None else AckStatus.SYNCED.value,
            "family": "transient" if repair.version is None else None,
            "error_code": repair.code.value if repair.version is None else None,
            "next_attempt_at": now if repair.version is None else None,
            "action": BOUND,
            "payload_hash": None,
            "attempts": 0,
            "failing_since": None,
            "acked_at": now,
        }
        here = (ack.c.stream == stream, ack.c.record_key == key)
        if repair.seen is not None:
            count += connection.execute(
                sa.update(ack).where(*here, *_is_as_seen(ack, repair.seen)).values(facts)
            ).rowcount
        elif connection.execute(sa.select(ack.c.version).where(*here)).first() is None:
            row = {"stream": stream, "record_key": key, "version": repair.version or NO_VERSION, **facts}
            connection.execute(sa.insert(ack), {**row, "folded_key": repair.folded_key})
            count += 1
    return count


def note_gone(ledger: Ledger, stream: str, seen: Mapping[str, AuditedAck]) -> int:
    """Note orders as deleted that are in the table no more, and whose records are gone; gives how many.

    Raises:
        DatabaseError: the ledger cannot be written.
    """
    count = 0
    for keys in chunks_of(seen, ROWS_AT_A_TIME):
        count += ledger.transact(
            partial(_note_gone, ledger=ledger, stream=stream, seen={key: seen[key] for key in keys})
        )
    return count


def _note_gone(connection: sa.Connection, *, ledger: Ledger, stream: str, seen: Mapping[str, AuditedAck]) -> int:
    ack = ledger.tables.ack
    here = [
        key
        for key, each in seen.items()
        if connection.execute(
            sa.select(ack.c.version).where(ack.c.stream == stream, ack.c.record_key == key, *_is_as_seen(ack, each))
        ).first()
        is not None
    ]
    note_deleted(connection, ack, stream, dict.fromkeys(here, DELETED_VERSION), GONE, ledger.now(connection))
    return len(here)


def _is_as_seen(ack: sa.Table, seen: AuditedAck) -> list[sa.ColumnElement[bool]]:
    same_record = ack.c.zoho_id.is_(None) if seen.zoho_id is None else ack.c.zoho_id == seen.zoho_id
    return [ack.c.version == seen.version, ack.c.status == seen.status, ack.c.acked_at == seen.acked_at, same_record]
