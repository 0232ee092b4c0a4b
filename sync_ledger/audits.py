"""Audits as the ledger remembers them: a receipt each, and the differences that a person accepted."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Receipt:
    """What an audit compared and found; times are naive UTC by the ledger's clock.

    `scope` says which orders and fields, `found` how many of each kind. The hashes are fingerprints of all that was
    read of each side, None where not all of it was.
    """

    began_at: datetime
    ended_at: datetime
    scope: Mapping[str, Any]
    found: Mapping[str, int]
    orders: int
    records: int
    equal: int
    credits: int
    database_hash: str | None = None
    crm_hash: str | None = None


def write_receipt(ledger: Ledger, stream: str, receipt: Receipt) -> str:
    """Keep a receipt; gives its id.

    Raises:
        DatabaseError: the ledger cannot be written.
    """
    table, audit_id = ledger.tables.audit, uuid.uuid4().hex
    facts = {name: getattr(receipt, name) for name in Receipt.__slots__}
    facts |= {name: msgspec.json.encode(facts[name]).decode() for name in ("scope", "found")}
    row = {"audit_id": audit_id, "stream": stream, **facts}
    ledger.transact(lambda connection: connection.execute(sa.insert(table), row))
    return audit_id


def last_receipt(connection: sa.Connection, table: sa.Table, stream: str) -> Receipt | None:
    """The last audit of a stream; None where there was none."""
    query = sa.select(*(table.c[name] for name in Receipt.__slots__)).where(table.c.stream == stream)
    row = connection.execute(query.order_by(table.c.ended_at.desc()).limit(1)).first()
    if row is None:
        return None
    facts = dict(row._mapping)  # noqa: SLF001 - a public name of SQLAlchemy's
    return Receipt(**facts | {name: msgspec.json.decode(facts[name]) for name in ("scope", "found")})


def accept(ledger: Ledger, stream: str, fingerprints: Mapping[str, str]) -> None:
    """Note that a person accepts these differences, by the orders' keys.

    Raises:
        DatabaseError: the ledger cannot be written.
    """
    table = ledger.tables.accepted

    def once(connection: sa.Connection) -> None:
        now = ledger.now(connection)
        for chunk in lookup_chunks(connection, fingerprints):
            connection.execute(sa.delete(table).where(table.c.stream == stream, table.c.record_key.in_(chunk)))
            rows = [
                {"stream": stream, "record_key": key, "fingerprint": fingerprints[key], "accepted_at": now}
                for key in chunk
            ]
            connection.execute(sa.insert(table), rows)

    if fingerprints:
        ledger.transact(once)


def accepted(ledger: Ledger, stream: str, keys: Collection[str]) -> dict[str, str]:
    """The fingerprints of accepted differences, by key."""
    table, found = ledger.tables.accepted, dict[str, str]()
    with ledger.connect() as connection:
        for chunk in lookup_chunks(connection, keys):
            query = sa.select(table.c.record_key, table.c.fingerprint)
            rows = connection.execute(query.where(table.c.stream == stream, table.c.record_key.in_(chunk)))
            found.update((key, fingerprint) for key, fingerprint in rows)
    return found
