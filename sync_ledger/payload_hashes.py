"""What was last confirmed of an order's contents: the hash of what was sent, kept in its ack."""

from __future__ import annotations

from collections.abc import Iterable

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.tables import AckStatus


def confirmed_payloads(connection: sa.Connection, table: sa.Table, stream: str, keys: Iterable[str]) -> dict[str, str]:
    """Look up the payload hashes of those keys whose last outcome is that they are in the CRM."""
    found: dict[str, str] = {}
    query = sa.select(table.c.record_key, table.c.payload_hash).where(
        table.c.stream == stream,
        table.c.status == AckStatus.SYNCED.value,
        table.c.payload_hash.is_not(None),
        table.c.zoho_id.is_not(None),
    )
    for chunk in lookup_chunks(connection, keys):
        rows = connection.execute(query.where(table.c.record_key.in_(chunk)))
        found.update((key, payload) for key, payload in rows)
    return found
