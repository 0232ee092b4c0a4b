"""What acks know of fields that may belong to people: fingerprints of what was written, in a text of the target's."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.codes import LedgerCode


class MarkedRecord(NamedTuple):
    """An order's record by the ledger, its marks, and the code of its last refusal; each None where there is none."""

    zoho_id: str | None
    marks: str | None
    code: str | None

    @property
    def is_in_crm(self) -> bool:
        """Whether the CRM has, or had, a record of the order, as far as the ledger knows."""
        return self.zoho_id is not None or self.code == LedgerCode.RECORD_NOT_AS_KNOWN


def marked_records(
    connection: sa.Connection, ack: sa.Table, stream: str, keys: Iterable[str]
) -> dict[str, MarkedRecord]:
    """Look up what is known of these orders, by key; an order without an ack is left out."""
    found: dict[str, MarkedRecord] = {}
    columns = (ack.c.record_key, ack.c.zoho_id, ack.c.field_marks, ack.c.error_code)
    query = sa.select(*columns).where(ack.c.stream == stream)
    for chunk in lookup_chunks(connection, keys):
        rows = connection.execute(query.where(ack.c.record_key.in_(chunk)))
        found.update((key, MarkedRecord(*facts)) for key, *facts in rows)
    return found


def note_marks(connection: sa.Connection, ack: sa.Table, stream: str, marks: Mapping[str, str]) -> None:
    """Note marks by key, where there is an ack."""
    update = (
        sa.update(ack)
        .where(ack.c.stream == stream, ack.c.record_key == sa.bindparam("of_key"))
        .values(field_marks=sa.bindparam("new_marks"))
    )
    connection.execute(update, [{"of_key": key, "new_marks": text} for key, text in marks.items()])
