"""Orders deleted from the legacy table: which acks are theirs, and what is noted once the CRM knows too."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.partitions import Partition
from sync_ledger.tables import DELETED_VERSION, AckStatus

MARKED = "mark"
"""The action of a deletion that left the record in the CRM, with a field set."""

_DELETED = AckStatus.DELETED.value
_SUBMITTED = AckStatus.SUBMITTED.value
_HELD = AckStatus.HELD.value


@dataclass(frozen=True, slots=True)
class KnownRecord:
    """What the ledger says of an order's record in the CRM; `code` of its last refusal, or of why it is due."""

    zoho_id: str | None
    status: AckStatus
    action: str | None
    code: str | None


def keys_maybe_deleted(
    connection: sa.Connection, ack: sa.Table, stream: str, now: datetime, after: str | None, limit: int
) -> list[str]:
    """The keys of orders in the CRM, in their order, past `after`. Those in a bulk job, or held, are left alone.

    A deletion that Zoho refused is not asked for again, unless the refusal passes by itself and its time has come.
    """
    settled = ack.c.status.not_in([_DELETED, _SUBMITTED, _HELD])
    due = sa.and_(ack.c.status == AckStatus.REJECTED.value, ack.c.next_attempt_at <= now)
    asked_for = sa.or_(ack.c.version != DELETED_VERSION, due)
    return _keys(connection, ack, stream, after, limit, ack.c.zoho_id.is_not(None), settled, asked_for)


def keys_of_deleted(connection: sa.Connection, ack: sa.Table, stream: str, after: str | None, limit: int) -> list[str]:
    """The keys of orders whose deletion the CRM knows, in their order, past `after`."""
    return _keys(connection, ack, stream, after, limit, ack.c.status == _DELETED)


def _keys(
    connection: sa.Connection, ack: sa.Table, stream: str, after: str | None, limit: int, *where: sa.ColumnElement[bool]
) -> list[str]:
    query = sa.select(ack.c.record_key).where(ack.c.stream == stream, *where)
    if after is not None:
        query = query.where(ack.c.record_key > after)
    return list(connection.execute(query.order_by(ack.c.record_key).limit(limit)).scalars())


def count_in_crm(connection: sa.Connection, ack: sa.Table, stream: str, partition: Partition) -> int:
    """How many of the stream's orders in a partition have a record in the CRM."""
    query = sa.select(sa.func.count()).where(
        ack.c.stream == stream, ack.c.zoho_id.is_not(None), ack.c.status != _DELETED
    )
    if not partition.is_whole:
        query = query.where(partition.condition([ack.c.record_key], connection.dialect))
    return int(connection.execute(query).scalar_one())


def known_records(connection: sa.Connection, ack: sa.Table, stream: str, keys: Iterable[str]) -> dict[str, KnownRecord]:
    """What the ledger says of these orders' records."""
    found: dict[str, KnownRecord] = {}
    columns = (ack.c.record_key, ack.c.zoho_id, ack.c.status, ack.c.action, ack.c.error_code)
    query = sa.select(*columns).where(ack.c.stream == stream)
    for chunk in lookup_chunks(connection, keys):
        for key, zoho_id, status, action, code in connection.execute(query.where(ack.c.record_key.in_(chunk))):
            found[key] = KnownRecord(zoho_id, AckStatus(status), action, code)
    return found


def note_deleted(
    connection: sa.Connection, ack: sa.Table, stream: str, versions: Mapping[str, str], action: str, now: datetime
) -> None:
    """Note that the CRM knows of these orders' deletion; `versions` are those of the deletions, by key.

    Nothing stays that could make an order that comes back look known: not its version and not its payload's hash.
    """
    values: dict[str, object] = {
        "status": _DELETED,
        "action": action,
        "acked_at": now,
        "attempts": 1,
        **dict.fromkeys(("payload_hash", "channel", "family", "error_code", "error_field", "error_message")),
        **dict.fromkeys(("next_attempt_at", "failing_since", "job_id")),
    }
    if action != MARKED:
        values["zoho_id"] = None
    by_version: dict[str, list[str]] = {}
    for key, version in versions.items():
        by_version.setdefault(version, []).append(key)
    for version, keys in by_version.items():
        for chunk in lookup_chunks(connection, keys):
            these = sa.and_(ack.c.stream == stream, ack.c.record_key.in_(chunk))
            connection.execute(sa.update(ack).where(these).values(version=version, **values))
