"""Deleted orders: in the CRM according to the ledger, and no longer in the table.

The complete table is searched, whatever `filter` says: an order that is only filtered out still exists.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from sync_databases.column_texts import split_as_key
from sync_databases.columns import Column, Kind
from sync_databases.engines import engine_of
from sync_databases.exact_numbers import exact_number
from sync_databases.value_sql import value_sql_for
from sync_ledger.deleted_records import keys_maybe_deleted
from sync_ledger.ledger import Ledger
from sync_ledger.stream_contract import DELETED_AT_PROPERTY, KEY_PROPERTY, VERSION_PROPERTY
from sync_ledger.tables import DELETED_VERSION
from tap_legacy_orders.connections import LEDGER_CHECK, asked_by_key, fetch_rows, reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.record_encoding import LineEncoder
from tap_legacy_orders.tap_errors import TapSyncError
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

DELETED_AT = "_sdc_deleted_at"
"""Singer's usual name for the time at which a deletion was noticed; targets that delete use it."""

DELETED_AT_SCHEMA: dict[str, Any] = {
    "type": ["string", "null"],
    "format": "date-time",
    "description": "When the order was found to be deleted; the record then holds its key and nothing else",
}

KEYS_PER_PAGE = 5_000
KEYS_PER_QUERY = 500


class DeletedOrders:
    """The orders of one stream that were deleted from its table."""

    def __init__(
        self, engine: sa.Engine, table: OrdersTable, ledger: Ledger, stream: str, logger: logging.Logger
    ) -> None:
        """Compare `table` with the acks of `stream` in `ledger`."""
        self._engine = engine
        self._table = replace(table, filter=None)
        self._ledger = ledger
        self._stream = stream
        self._log = logger
        self._queries = UnsyncedQueries(self._table.by_key_alone, value_sql_for(engine.dialect), stream, (), None)
        names = [*(column.name for column in table.key), KEY_PROPERTY, VERSION_PROPERTY, DELETED_AT_PROPERTY]
        self.encoder = LineEncoder(names, [_as_is] * len(names))

    def pages(self) -> Iterator[list[Sequence[Any]]]:
        """Give the deleted orders in columns, as `encoder` takes them.

        Raises:
            TapSyncError: the table has no row at all, which is hardly meant; nothing is given then.
        """
        foreign = 0
        checked = False
        for keys in self._known_keys():
            if not checked and self._table_is_empty():
                raise TapSyncError(
                    f"{self._table.name} has no row at all, and the ledger knows orders of it in the CRM: no deletion "
                    "is sent; check `sqlalchemy_url` and `orders_table`, or set `find_deleted` to false"
                )
            checked = True
            parts = {key: self._split(key) for key in keys if self._table.partition.holds(key)}
            present, refused = self._present([part for part in parts.values() if part is not None])
            deleted = {
                key: part
                for key, part in parts.items()
                if part is not None and part not in refused and key not in present
            }
            foreign += sum(part is None for part in parts.values()) + len(refused)
            if deleted:
                yield self._columns(deleted)
        if foreign:
            self._log.warning(
                "%d orders of the ledger have keys that %s cannot hold; whether they were deleted is not known",
                foreign,
                self._table.name,
            )

    def keys(self) -> Iterator[Sequence[str]]:
        """Give their keys alone, some at a time.

        Raises:
            TapSyncError: as `pages`.
        """
        for columns in self.pages():
            yield columns[-3]

    def _known_keys(self) -> Iterator[list[str]]:
        ack = self._ledger.tables.ack
        with reading(self._ledger.engine, "ledger", LEDGER_CHECK) as connection:
            now = self._ledger.now(connection)
        after = None
        while True:
            with reading(self._ledger.engine, "ledger", LEDGER_CHECK) as connection:
                keys = keys_maybe_deleted(connection, ack, self._stream, now, after, KEYS_PER_PAGE)
            if keys:
                yield keys
            if len(keys) < KEYS_PER_PAGE:
                return
            after = keys[-1]

    def _table_is_empty(self) -> bool:
        with reading(self._engine) as connection:
            return not fetch_rows(connection, self._queries.any_order())

    def _present(self, keys: list[tuple[str, ...]]) -> tuple[set[str], set[tuple[str, ...]]]:
        """The keys that are there, and those that the database refuses as no values of the key's columns."""
        present: set[str] = set()
        refused: set[tuple[str, ...]] = set()
        for start in range(0, len(keys), KEYS_PER_QUERY):
            rows, unfit = asked_by_key(keys[start : start + KEYS_PER_QUERY], self._ask)
            present.update(row[0] for row in rows)
            refused.update(unfit)
        return present, refused

    def _ask(self, keys: Sequence[tuple[str, ...]]) -> list[tuple[Any, ...]]:
        with reading(self._engine) as connection:
            return fetch_rows(connection, self._queries.keys_among(keys))

    def _split(self, key: str) -> tuple[str, ...] | None:
        return split_as_key(self._table.key, engine_of(self._engine.dialect), key)

    def _columns(self, deleted: dict[str, tuple[str, ...]]) -> list[Sequence[Any]]:
        values = zip(*deleted.values(), strict=True)
        keys = [[_value(column, text) for text in texts] for column, texts in zip(self._table.key, values, strict=True)]
        now = datetime.now(timezone.utc).isoformat()
        return [*keys, list(deleted), [DELETED_VERSION] * len(deleted), [now] * len(deleted)]


def _value(column: Column, text: str) -> Any:
    """The key's text as a JSON value of the column's type."""
    if column.kind is Kind.INTEGER and text.removeprefix("-").isdecimal():
        return int(text)
    if column.kind is not Kind.NUMBER:
        return text
    try:
        number = exact_number(text)
    except ValueError:  # SQLite keeps texts in columns for numbers
        return text
    return number if number.is_finite() else text


def _as_is(values: Any) -> Any:
    return values
