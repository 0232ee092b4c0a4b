"""Forms of contents: of which columns a fingerprint was taken, and how. The ledger remembers each form that acks have.

Contents of two forms say nothing of each other. By an earlier form's columns the tap takes the earlier content anew.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Collection, Iterable
from functools import cached_property

import msgspec
import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.leases import Lease
from sync_ledger.tables import LedgerTables

FORM_DIGITS = 16


class ContentForm(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """What a content is made of; columns are pairs of name and kind, in the byte order of their names."""

    rendering: int
    """Rises when the same values would be written otherwise than before."""
    columns: tuple[tuple[str, str], ...]
    zone: str | None = None
    """Where times without an offset belong, if there are any such columns."""
    lines: str | None = None
    """The property that holds the order's lines."""
    line_columns: tuple[tuple[str, str], ...] = ()

    @cached_property
    def id(self) -> str:
        """What acks name the form by."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:FORM_DIGITS]


def remember_form(lease: Lease, form: ContentForm) -> None:
    """Note a form, if it is new, under the lease of a run whose acks will name it."""
    ledger, described = lease.ledger, msgspec.json.encode(form).decode()

    def once() -> None:
        with ledger.connect() as connection:
            if read_forms(connection, ledger.tables, [form.id]):
                return
        with contextlib.suppress(sa.exc.IntegrityError), lease.transaction() as connection:  # a run beside this one did
            connection.execute(sa.insert(ledger.tables.content_form), {"form": form.id, "described": described})

    ledger.with_retries(once)


def read_forms(connection: sa.Connection, tables: LedgerTables, ids: Collection[str]) -> dict[str, ContentForm]:
    """Look up forms; one that is not there, or cannot be read, is not among them."""
    table, found = tables.content_form, {}
    for chunk in lookup_chunks(connection, ids):
        for name, text in connection.execute(sa.select(table.c.form, table.c.described).where(table.c.form.in_(chunk))):
            try:
                found[name] = msgspec.json.decode(text, type=ContentForm)
            except msgspec.MsgspecError:
                continue
    return found


def keys_with_content(connection: sa.Connection, ack: sa.Table, stream: str, keys: Iterable[str]) -> set[str]:
    """Those of these orders that were read while they could still change without another version."""
    found: set[str] = set()
    query = sa.select(ack.c.record_key).where(ack.c.stream == stream, ack.c.content.is_not(None))
    for chunk in lookup_chunks(connection, keys):
        found.update(connection.execute(query.where(ack.c.record_key.in_(chunk))).scalars())
    return found
