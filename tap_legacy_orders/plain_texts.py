"""Values that are their own texts: where SQLite has texts without a backslash, no text is worked out for each row.

`sqlite_texts.py` has the rule for all values; a page with any other value is read by that.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa

from sync_databases.columns import Column, Storage
from sync_databases.value_sql import Element, ValueSql
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.row_layout import Row, RowLayout
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

_TEXT_OR_NULL = frozenset({str, type(None)})


def may_be_plain(table: OrdersTable, database: ValueSql, columns: Sequence[Column]) -> bool:
    """Whether key, version and position of this table's rows may be values of these columns as they are."""
    if not database.engine.values_have_types or len(table.key) > 1 or not table.version_is_replication:
        return False
    if table.flag is not None or table.has_ties:
        return False
    gone_by = (*table.key, table.replication)
    sent = {column.name for column in columns}
    return all(each.storage is Storage.TEXT and each.name in sent for each in gone_by)


class PlainQueries(UnsyncedQueries):
    """The statements for such a table, which select no texts beside the values."""

    def __init__(
        self, table: OrdersTable, database: ValueSql, stream: str, columns: Sequence[Column], ack: sa.Table | None
    ) -> None:
        super().__init__(table, database, stream, columns, ack)
        names = [column.name for column in columns]
        key, position = (names.index(column.name) for column in (table.key[0], table.replication))
        self.layout = RowLayout(len(names), key_at=key, version_at=position, position_at=position)

    def selected(self, *more: Element) -> sa.Select[Any]:
        """Select the record's columns and `more`."""
        return sa.select(*self._values, *more)

    def is_complete(self, rows: Sequence[Row]) -> bool:
        """Whether the texts of these rows are their values; a backslash may be a byte's that is no UTF-8."""
        layout = self.layout
        for at in (layout.key_at, layout.position_at):
            values = [row[at] for row in rows]
            if not set(map(type, values)) <= _TEXT_OR_NULL or "\\" in "".join(filter(None, values)):
                return False
        return True
