"""What was last confirmed of an order's contents: the hash of what was sent, kept in its ack."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.tables import AckStatus


class ConfirmedPayload(NamedTuple):
    """What was last sent of an order that is in the CRM; the hash is None where none was taken."""

    version: str
    payload_hash: str | None


def confirmed_payloads(
    connection: sa.Connection, table: sa.Table, stream: str, keys: Iterable[str]
) -> dict[str, ConfirmedPayload]:
    """Look up those of these keys whose last outcome is that they are in the CRM."""
    found: dict[str, ConfirmedPayload] = {}
    query = sa.select(table.c.record_key, table.c.version, table.c.payload_hash).where(
        table.c.stream == stream, table.c.status == AckStatus.SYNCED.value, table.c.zoho_id.is_not(None)
    )
    for chunk in lookup_chunks(connection, keys):
        rows = connection.execute(query.where(table.c.record_key.in_(chunk)))
        found.update((key, ConfirmedPayload(version, payload)) for key, version, payload in rows)
    return found
