"""Acks as an audit compares them: what the ledger says of orders and their records, and what is under way now."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, NamedTuple

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.job_journal import Manifest
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus, LedgerTables
from sync_ledger.written_mappings import number_of

ACKS_PER_PAGE = 5_000


class AuditedAck(NamedTuple):
    """What counts of an ack. `acked_at` is naive UTC; `is_due`: it is tried again by itself."""

    version: str
    status: str
    zoho_id: str | None
    acked_at: datetime
    is_due: int
    content: str | None
    content_form: str | None
    mapping_number: int
    """Of the mapping that it was written by (`written_mappings.py`)."""

    @property
    def is_synced(self) -> bool:
        """Whether the order is called synced."""
        return self.status == AckStatus.SYNCED.value


class AuditedAcks:
    """The acks of one stream; each question by a connection of its own."""

    def __init__(self, ledger: Ledger, stream: str) -> None:
        self._ledger = ledger
        self._stream = stream
        self._ack = ledger.tables.ack

    def of(self, keys: Collection[str]) -> dict[str, AuditedAck]:
        """The acks of these keys."""
        found: dict[str, AuditedAck] = {}
        with self._ledger.connect() as connection:
            for chunk in lookup_chunks(connection, keys):
                rows = connection.execute(self._select().where(self._ack.c.record_key.in_(chunk)))
                found.update((key, AuditedAck(*facts)) for key, *facts in rows)
        return found

    def pages(self) -> Iterator[list[tuple[str, AuditedAck]]]:
        """All acks in the order of their keys, page by page."""
        after: str | None = None
        while True:
            query = self._select().order_by(self._ack.c.record_key).limit(ACKS_PER_PAGE)
            if after is not None:
                query = query.where(self._ack.c.record_key > after)
            with self._ledger.connect() as connection:
                page = [(key, AuditedAck(*facts)) for key, *facts in connection.execute(query)]
            if page:
                yield page
            if len(page) < ACKS_PER_PAGE:
                return
            after = page[-1][0]

    def count(self) -> int:
        """How many orders have a record by the ledger."""
        query = sa.select(sa.func.count()).where(self._ack.c.stream == self._stream, self._ack.c.zoho_id.is_not(None))
        with self._ledger.connect() as connection:
            return int(connection.execute(query).scalar_one())

    def keys_since(self, since: datetime) -> Iterator[str]:
        """The keys of acks that were written since then, by the ledger's clock: naive UTC."""
        for page in self.pages():
            yield from (key for key, ack in page if ack.acked_at >= since)

    def under_way(self) -> set[str]:
        """The orders of writes that are sent and not settled: under way, or in doubt."""
        with self._ledger.connect() as connection:
            return keys_not_settled(connection, self._ledger.tables, self._stream)

    def of_other_streams(self, ids: Collection[str]) -> set[str]:
        """Those of these records that are orders of other streams."""
        found: set[str] = set()
        with self._ledger.connect() as connection:
            for chunk in lookup_chunks(connection, ids):
                query = sa.select(self._ack.c.zoho_id).where(
                    self._ack.c.zoho_id.in_(chunk), self._ack.c.stream != self._stream
                )
                found.update(connection.execute(query).scalars())
        return found

    def _select(self) -> sa.Select[Any]:
        ack = self._ack
        is_due = sa.case((ack.c.next_attempt_at.is_not(None), 1), else_=0)
        columns = (ack.c.version, ack.c.status, ack.c.zoho_id, ack.c.acked_at, is_due, ack.c.content)
        further = (ack.c.content_form, number_of(ack))
        return sa.select(ack.c.record_key, *columns, *further).where(ack.c.stream == self._stream)


def keys_not_settled(connection: sa.Connection, tables: LedgerTables, stream: str) -> set[str]:
    """The orders of all writes of a stream that are not settled, of whatever run."""
    query = sa.select(tables.write.c.manifest, tables.write.c.row_count).where(tables.write.c.stream == stream)
    return {key for row in connection.execute(query) for key in Manifest(row.manifest, row.row_count).texts()}
