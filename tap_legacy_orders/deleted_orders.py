"""Deleted orders: in the CRM according to the ledger, and no longer in the table.

The complete table is searched, whatever `filter` says: an order that is only filtered out still exists.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from sync_databases.columns import Column, Kind
from sync_databases.keys import split_key
from sync_databases.value_sql import value_sql_for
from sync_ledger.deleted_records import keys_maybe_deleted
from sync_ledger.ledger import Ledger
from sync_ledger.stream_contract import DELETED_AT_PROPERTY, KEY_PROPERTY, VERSION_PROPERTY
from sync_ledger.tables import DELETED_VERSION
from tap_legacy_orders.connections import LEDGER_CHECK, fetch_rows, reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.ranges import fits
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
        self._queries = UnsyncedQueries(self._table, value_sql_for(engine.dialect), stream, (), None)
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
            foreign += sum(part is None for part in parts.values())
            present = self._present([part for part in parts.values() if part is not None])
            deleted = {key: part for key, part in parts.items() if part is not None and key not in present}
            if deleted:
                yield self._columns(deleted)
        if foreign:
            self._log.warning(
                "%d orders of the ledger have keys that %s cannot hold; whether they were deleted is not known",
                foreign,
                self._table.name,
            )

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

    def _present(self, keys: list[tuple[str, ...]]) -> set[str]:
        present: set[str] = set()
        for start in range(0, len(keys), KEYS_PER_QUERY):
            with reading(self._engine) as connection:
                rows = fetch_rows(connection, self._queries.keys_among(keys[start : start + KEYS_PER_QUERY]))
            present.update(row[0] for row in rows)
        return present

    def _split(self, key: str) -> tuple[str, ...] | None:
        parts = split_key(key, len(self._table.key))
        if parts is None or not all(map(fits, self._table.key, parts)):
            return None
        return parts

    def _columns(self, deleted: dict[str, tuple[str, ...]]) -> list[Sequence[Any]]:
        values = zip(*deleted.values(), strict=True)
        keys = [[_value(column, text) for text in texts] for column, texts in zip(self._table.key, values, strict=True)]
        now = datetime.now(timezone.utc).isoformat()
        return [*keys, list(deleted), [DELETED_VERSION] * len(deleted), [now] * len(deleted)]


def _value(column: Column, text: str) -> Any:
    """The key's text as a JSON value of the column's type."""
    if column.kind is Kind.INTEGER:
        return int(text)
    return Decimal(text) if column.kind is Kind.NUMBER else text


def _as_is(values: Any) -> Any:
    return values
