"""Whether the replication key is set at each change of an order, as far as the database and its names give evidence."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import sqlalchemy as sa

from orders_sync.checks.findings import EXPECTED, Findings, Result
from orders_sync.checks.reading_checks import SUBJECT as READING
from orders_sync.checks.reading_checks import check_reading, helpful_index
from sync_databases.columns import Kind
from sync_databases.reflection import primary_key
from sync_databases.value_sql import value_sql_for
from tap_legacy_orders.change_columns import likely_change_columns
from tap_legacy_orders.change_detection import asks_for_content
from tap_legacy_orders.connections import reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.text_dates import SORTED_WAYS, sorts_by_no_time, unsorted_dates
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

SUBJECT = "Replication key"
_SORTED_WAYS = f"{SORTED_WAYS[0].upper()}{SORTED_WAYS[1:]}."
SEVERAL = 2
_OTHER_WAYS = (
    "Let the database set it (docs/database.md#add-a-change-column), name another column by `replication_key`, or set "
    "`change_detection` to content."
)


def check_replication_key(findings: Findings, tap: TapLegacyOrders, table: OrdersTable) -> None:
    """Judge it, and read by it once, which also tries the filter."""
    name = table.replication.name
    queries = UnsyncedQueries(table, value_sql_for(tap.engine.dialect), tap.stream_name, table.columns, None)
    try:
        with reading(tap.engine) as connection:
            undated = connection.execute(queries.any_undated()).first() is not None
            newest = connection.execute(queries.newest(None)).scalar()
            is_one = newest is not None and _all_are(newest, connection, queries)
            indexes = [] if table.is_view else sa.inspect(connection).get_indexes(table.name, table.schema)
            primary = primary_key(sa.inspect(connection), table.name, table.schema)
    except EXPECTED as error:
        findings.add_error("Filter" if table.filter else SUBJECT, error)
        return
    if undated and newest is None and not table.by_content:
        message = f"{name} is empty in every order: each run reads all of them, and sees no change"
        findings.add(SUBJECT, Result.ERROR, message, _OTHER_WAYS)
        findings.skip([READING], f"{name} is empty")
        return
    if table.must_sort and isinstance(newest, str) and sorts_by_no_time(newest, datetime.now(timezone.utc)):
        findings.add(SUBJECT, Result.ERROR, unsorted_dates(name, newest), _SORTED_WAYS)
        findings.skip([READING], f"{name} does not sort by time")
        return
    if table.changed_at is not None and not table.by_content:
        found = f"{name}: computed for each order, so every run reads the complete table"
        unset = f"{found}; it is empty in some orders, which are read in every run"
        findings.add(SUBJECT, Result.WARNING if undated else Result.OK, unset if undated else found)
        return
    firsts = {each["column_names"][0] for each in indexes if each["column_names"]} | set(primary[:1])
    asked = asks_for_content(tap.config)
    trouble = [] if asked else _unfit(table)
    if undated and not table.by_content:
        message = f"{name} is empty in some orders; each run reads these, but sees no change that leaves it empty"
        trouble.append((message, f"Fill {name} in the legacy system."))
    if is_one and not table.by_content and not asked:
        message = f"{name} is {newest} in every order; if it is not set at each change, changes are lost"
        trouble.append(
            (message, f"Change an order in the legacy system, and look whether {name} changes. {_OTHER_WAYS}")
        )
    if not table.is_view and name not in firsts:
        message = f"{name} ({table.replication.type}) has no index; every run reads the complete table"
        trouble.append((message, helpful_index(table, tap.engine.dialect)))
    for message, remedy in trouble:
        findings.add(SUBJECT, Result.WARNING, message, remedy)
    if not trouble:
        found = "none: `change_detection` is content" if asked else f"{name} ({table.replication.type})"
        findings.add(SUBJECT, Result.OK, found)
    check_reading(findings, tap, table, indexed=name in firsts)


def _all_are(newest: str, connection: sa.Connection, queries: UnsyncedQueries) -> bool:
    """Whether there are several orders, and this is the replication key of each."""
    one: sa.Select[Any] = sa.select(sa.literal_column("1")).select_from(queries.orders)
    if len(connection.execute(one.limit(2)).all()) < SEVERAL:
        return False
    other = sa.or_(queries.replication_text != newest, queries.replication_text.is_(None))
    return connection.execute(one.where(other).limit(1)).first() is None


def _unfit(table: OrdersTable) -> list[tuple[str, str]]:
    """What its name and type say against it, each with what to do."""
    column = table.replication
    found = []
    if table.by_content:
        message = "no column says when an order changed: each run compares all orders with what was last sent"
        likely = ", ".join(each.name for each in likely_change_columns(table.columns))
        hint = f"Perhaps {likely} is set at each change; else let" if likely else "Let"
        return [(message, f"{hint} it be, or add such a column in the legacy system and name it by `replication_key`.")]
    if column in table.key:
        message = f"{column.name} is part of the key, which no change of an order changes: only new orders are found"
        found.append((message, "Name the column that is set at each change, or use `sync_flag_column`."))
    elif not likely_change_columns([column]):
        message = f"{column.name} is not named like a column that is set at each change; if it is not, changes are lost"
        others = ", ".join(each.name for each in likely_change_columns(table.columns))
        hint = f"Perhaps {others} is; else change" if others else "Change"
        found.append((message, f"{hint} an order in the legacy system, and look whether {column.name} changes."))
    if column.kind is Kind.DATE:
        message = f"{column.name} has days and no times: what changes twice a day is found by comparing contents"
        found.append((message, "Name a column with times, if there is one."))
    return found
