"""Records that two orders claim: which acks have a record's id, and what becomes of an ack whose record is lost."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

import sqlalchemy as sa

from sync_databases.chunks import among, lookup_chunks
from sync_ledger.bindings import read_bindings
from sync_ledger.codes import LedgerCode
from sync_ledger.keys_alike import keys_folded_alike
from sync_ledger.tables import MESSAGE_LENGTH, AckStatus, LedgerTables


class Claim(NamedTuple):
    """An order whose ack has a record's id."""

    stream: str
    key: str


def claims_on(connection: sa.Connection, ack: sa.Table, ids: Iterable[str]) -> Mapping[str, Sequence[Claim]]:
    """Find the orders of all streams whose acks have these record ids, by id; an order that is deleted claims none."""
    found: dict[str, list[Claim]] = {}
    query = sa.select(ack.c.zoho_id, ack.c.stream, ack.c.record_key).where(ack.c.status != AckStatus.DELETED.value)
    for chunk in lookup_chunks(connection, ids):
        for zoho_id, stream, key in connection.execute(query.where(among(connection, ack.c.zoho_id, chunk))):
            found.setdefault(zoho_id, []).append(Claim(stream, key))
    return found


def owners_in_module(
    connection: sa.Connection, tables: LedgerTables, stream: str, keys: Collection[str], folded: Mapping[str, str]
) -> dict[str, Claim]:
    """Which of these keys are those of an order that another stream of the module has there, or on its way: by key.

    `folded` maps those keys to their folded form that differ from it.
    """
    ack, bindings = tables.ack, read_bindings(connection, tables)
    own = bindings[stream]
    owners: dict[str, Claim] = {}
    for other in bindings.values():
        if not other.meets(own):
            continue
        twins = keys_folded_alike(connection, ack, other.stream, keys, folded)
        owners.update((key, Claim(other.stream, twin)) for key, twin in twins.items())
        there = sa.or_(ack.c.zoho_id.is_not(None), ack.c.status == AckStatus.SUBMITTED.value)
        query = sa.select(ack.c.record_key).where(ack.c.stream == other.stream, there)
        for chunk in lookup_chunks(connection, keys):
            found = connection.execute(query.where(ack.c.record_key.in_(chunk))).scalars()
            owners.update((key, Claim(other.stream, key)) for key in found)
    return owners


def disown(
    connection: sa.Connection, ack: sa.Table, claim: Claim, zoho_id: str, now: datetime, *, message: str
) -> bool:
    """Take a record from an order, since another order was written to it. Tells whether it was called synced until now.

    An order that was refused already, or is in a job, only loses the id: what it is sent for comes to its own end.
    """
    this = (ack.c.stream == claim.stream, ack.c.record_key == claim.key, ack.c.zoho_id == zoho_id)
    refused = sa.update(ack).where(*this, ack.c.status == AckStatus.SYNCED.value)
    was_synced = connection.execute(
        refused.values(
            status=AckStatus.REJECTED.value,
            family="data",
            error_code=LedgerCode.KEY_CONFLICT.value,
            error_field=None,
            error_message=message[:MESSAGE_LENGTH],
            next_attempt_at=None,
            payload_hash=None,
            acked_at=now,
        )
    ).rowcount
    connection.execute(sa.update(ack).where(*this).values(zoho_id=None))
    return bool(was_synced)
