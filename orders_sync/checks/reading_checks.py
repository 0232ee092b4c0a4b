"""How the database finds the orders of a run after the first: its own plan, and the index that would help."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from orders_sync.checks.findings import EXPECTED, Findings, Result
from orders_sync.checks.query_plans import QueryPlan, TableAccess, can_explain, explain
from sync_databases.database_clock import database_now
from sync_databases.engines import Family, engine_of
from sync_databases.value_sql import value_sql_for
from sync_ledger.ledger import Ledger
from tap_legacy_orders.connections import reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

SUBJECT = "Reading"
SMALL_ROWS = 10_000
"""Up to so many rows a database is right to read them all, whatever indexes there are."""

_BEGINNING = 255
"""Characters of an endless text in an index of MySQL or MariaDB, which takes up to 768."""


def check_reading(findings: Findings, tap: TapLegacyOrders, table: OrdersTable, *, indexed: bool) -> None:
    """Ask for the plan of a page that begins at the newest order; `indexed` says that an index begins there.

    No query is run but for the newest order.
    """
    name = engine_of(tap.engine.dialect).name
    if not can_explain(tap.engine.dialect):
        findings.skip([SUBJECT], f"the plans of {name} are not read here")
        return
    try:
        plan = _plan(tap, table)
    except EXPECTED as error:
        findings.add_error(SUBJECT, error)
        return
    if plan is None:
        findings.add(SUBJECT, Result.OK, f"{table.name} has no order yet, so there is no plan to read")
        return
    ours = {"o", table.name, "zoho_sync_ack"}  # a view reads tables of other names
    accesses = [each for each in plan.accesses if table.is_view or each.alias in ours]
    message = "; ".join(_describe(access, table) for access in accesses)
    if plan.cost is not None:
        message += f"; cost {plan.cost:,.2f} by {name}'s own measure"
    if any(_is_large(access) for access in accesses):
        remedy = f"{table.name} has an index that is not used: ANALYZE shows the database how large its tables are."
        if table.is_view:
            remedy = f"{table.name} is a view: look which index the tables behind it need."
        elif not indexed:
            remedy = helpful_index(table, tap.engine.dialect)
        findings.add(SUBJECT, Result.WARNING, message, remedy)
    else:
        findings.add(SUBJECT, Result.OK, message)


def helpful_index(table: OrdersTable, dialect: sa.Dialect) -> str:
    """The statement that makes the index by which pages are read in order: the change column, then the whole key.

    Of an endless text MySQL and MariaDB index the beginning, and other engines than SQLite and PostgreSQL nothing.
    """
    columns = [sa.Column(column.name, column.type) for column in table.columns]
    there = sa.Table(table.name, sa.MetaData(), *columns, schema=table.schema)
    names = [table.replication.name]
    engine = engine_of(dialect)
    endless = [] if engine.indexes_endless_texts else [c.name for c in table.key if _is_endless(c.type)]
    by_beginning = engine.family is Family.MYSQL
    names += [c.name for c in table.key if c.name not in names and (by_beginning or c.name not in endless)]
    name = f"ix_{table.name}_{table.replication.name}"[: dialect.max_identifier_length]
    lengths = dict.fromkeys(endless, _BEGINNING)
    options: dict[str, Any] = {"mysql_length": lengths, "mariadb_length": lengths} if by_beginning and lengths else {}
    index = sa.Index(name, *(there.c[each] for each in names), postgresql_concurrently=True, **options)
    return f"{str(CreateIndex(index).compile(dialect=dialect)).strip()};"


def _is_endless(sql_type: sa.types.TypeEngine[object]) -> bool:
    """Whether these are texts or bytes without a length."""
    return isinstance(sql_type, (sa.String, sa.LargeBinary)) and getattr(sql_type, "length", None) is None


def _plan(tap: TapLegacyOrders, table: OrdersTable) -> QueryPlan | None:
    database = value_sql_for(tap.engine.dialect)
    ack = None
    ledger = Ledger(tap.engine, tap.config.get("ack_schema"))
    if tap.ledger_beside_orders and not ledger.missing_tables():
        ack = ledger.tables.ack
    with reading(tap.engine) as connection:
        queries = UnsyncedQueries(table, database, tap.stream_name, table.columns, ack)
        newest = connection.execute(queries.newest(None)).scalar()
        if newest is None:
            return None
        now = database_now(connection)
        return explain(connection, queries.range_page(newest, newest, None, tap.config["page_size"], now))


def _is_large(access: TableAccess) -> bool:
    return access.index is None and (access.rows is None or access.rows > SMALL_ROWS)


def _describe(access: TableAccess, table: OrdersTable) -> str:
    name = table.name if access.alias == "o" else access.alias
    if access.index is not None:
        return f"{name} by index {access.index}"
    return f"{name} row by row" + ("" if access.rows is None else f", all {access.rows:,}")
