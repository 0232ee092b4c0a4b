"""docs/recipes/adventureworks.md, business-central.md: their statements for SQL Server, which no server runs here."""

from __future__ import annotations

from datetime import datetime
from typing import Any, cast

import pytest
import sqlalchemy as sa
from recipes.recipe_shop import Page
from sqlalchemy.dialects import mssql

from sync_databases.drivers import create_engine
from sync_databases.engines import engine_of
from sync_databases.value_sql import value_sql_for
from sync_ledger.tables import ledger_tables
from tap_legacy_orders.order_lines import OrderLines, find_lines_table
from tap_legacy_orders.orders_table import OrdersTable, find_orders_table
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

APPLICATION = "437dbf0e-84ff-417a-965d-ed2bb9650972"
METADATA = sa.MetaData()
HEADER = sa.Table(
    "SalesOrderHeader",
    METADATA,
    sa.Column("SalesOrderID", sa.Integer(), primary_key=True),
    sa.Column("RevisionNumber", mssql.TINYINT(), nullable=False),
    sa.Column("OrderDate", sa.DateTime(), nullable=False),
    sa.Column("ShipDate", sa.DateTime()),
    sa.Column("Status", mssql.TINYINT(), nullable=False),
    sa.Column("SalesOrderNumber", sa.Unicode(25), nullable=False),
    sa.Column("CustomerID", sa.Integer(), nullable=False),
    sa.Column("TotalDue", mssql.MONEY(), nullable=False),
    sa.Column("rowguid", mssql.UNIQUEIDENTIFIER(), nullable=False),
    sa.Column("ModifiedDate", sa.DateTime(), nullable=False),
    schema="Sales",
)
DETAIL = sa.Table(
    "SalesOrderDetail",
    METADATA,
    sa.Column("SalesOrderID", sa.Integer(), primary_key=True),
    sa.Column("SalesOrderDetailID", sa.Integer(), primary_key=True),
    sa.Column("OrderQty", sa.SmallInteger(), nullable=False),
    sa.Column("ProductID", sa.Integer(), nullable=False),
    sa.Column("UnitPrice", mssql.MONEY(), nullable=False),
    sa.Column("LineTotal", sa.Numeric(38, 6), nullable=False),
    sa.Column("ModifiedDate", sa.DateTime(), nullable=False),
    schema="Sales",
)
SALES_HEADER = sa.Table(
    f"CRONUS$Sales Header${APPLICATION}",
    METADATA,
    sa.Column("timestamp", mssql.TIMESTAMP(), nullable=False),
    sa.Column("Document Type", sa.Integer(), primary_key=True),
    sa.Column("No_", sa.Unicode(20), primary_key=True),
    sa.Column("Sell-to Customer No_", sa.Unicode(20), nullable=False),
    sa.Column("Sell-to Customer Name", sa.Unicode(100), nullable=False),
    sa.Column("Order Date", sa.DateTime(), nullable=False),
    sa.Column("Shipment Date", sa.DateTime(), nullable=False),
    sa.Column("Currency Code", sa.Unicode(10), nullable=False),
    sa.Column("Status", sa.Integer(), nullable=False),
    sa.Column("$systemModifiedAt", sa.DateTime(), nullable=False),
)
SALES_LINE = sa.Table(
    f"CRONUS$Sales Line${APPLICATION}",
    METADATA,
    sa.Column("timestamp", mssql.TIMESTAMP(), nullable=False),
    sa.Column("Document Type", sa.Integer(), primary_key=True),
    sa.Column("Document No_", sa.Unicode(20), primary_key=True),
    sa.Column("Line No_", sa.Integer(), primary_key=True),
    sa.Column("No_", sa.Unicode(20), nullable=False),
    sa.Column("Description", sa.Unicode(100), nullable=False),
    sa.Column("Quantity", sa.Numeric(38, 20), nullable=False),
    sa.Column("Quantity Shipped", sa.Numeric(38, 20), nullable=False),
    sa.Column("Unit Price", sa.Numeric(38, 20), nullable=False),
    sa.Column("Line Amount", sa.Numeric(38, 20), nullable=False),
)
LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001 - the ledger's moments are naive UTC


class DescribedTables:
    """Stands for SQLAlchemy's inspector: gives the tables above as a server would describe them."""

    default_schema_name = "dbo"

    def __init__(self, dialect: sa.Dialect) -> None:
        self.dialect = dialect
        self.tables = {(table.schema, table.name): table for table in METADATA.tables.values()}

    def get_schema_names(self) -> list[str]:
        return ["dbo", "Sales"]

    def get_table_names(self, schema: str | None = None) -> list[str]:
        return [name for owner, name in self.tables if owner == schema]

    def get_view_names(self, _schema: str | None = None) -> list[str]:
        return []

    def get_columns(self, name: str, schema: str | None = None) -> list[dict[str, Any]]:
        return [{"name": c.name, "type": c.type, "nullable": c.nullable} for c in self.tables[schema, name].columns]

    def get_pk_constraint(self, name: str, schema: str | None = None) -> dict[str, Any]:
        return {"constrained_columns": [column.name for column in self.tables[schema, name].primary_key]}


class Described:
    """The statements of a recipe."""

    def __init__(self, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = create_engine(sa.make_url("mssql+pymssql://"))
        monkeypatch.setattr(sa, "inspect", lambda _connection: DescribedTables(self.engine.dialect))
        connection = cast("sa.Connection", self.engine)  # all that is asked of it is its dialect
        config = Page.read(name).tap
        self.orders: OrdersTable = find_orders_table(self.engine, connection, config)
        lines = find_lines_table(self.engine, connection, config["lines"], self.orders)
        self.lines = OrderLines(self.engine, self.orders, lines, zone=None, warn=None)  # type: ignore[arg-type]
        ack = ledger_tables(engine_of(self.engine.dialect)).ack
        self.database = value_sql_for(self.engine.dialect)
        self.queries = UnsyncedQueries(self.orders, self.database, "orders", self.orders.columns, ack)

    def sql(self, statement: sa.Select[Any]) -> str:
        return " ".join(str(statement.compile(dialect=self.engine.dialect)).split())

    def lines_sql(self, *keys: str) -> str:
        return self.sql(self.lines.statement(keys))


def test_business_central_is_read_by_the_rowversions_of_orders_and_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    described = Described("business-central", monkeypatch)
    assert described.orders.key[0].name == "No_"
    header, line = (f"[CRONUS$Sales {part}${APPLICATION}]" for part in ("Header", "Line"))
    latest = (
        f"(SELECT max(v.at) AS max_1 FROM (VALUES ({header}.timestamp), ((SELECT max(c0.timestamp) AS max_2 "
        f"FROM (SELECT {line}.[Document No_] AS [Document No_], {line}.timestamp AS timestamp FROM {line} "
        f"WHERE ([Document Type] = 1)) AS c0 WHERE c0.[Document No_] = {header}.[No_]))) AS v (at)) AS _sync_changed_at"
    )
    newest = described.sql(described.queries.newest(None))
    assert f"{latest} FROM {header} WHERE ([Document Type] = 1)) AS o" in newest
    assert newest.endswith(
        "WHERE o._sync_changed_at IS NOT NULL AND o._sync_changed_at < min_active_rowversion() "
        "ORDER BY o._sync_changed_at DESC"
    )
    page = described.sql(described.queries.range_page("00000000000007D0", "00000000000007D9", None, 100, LONG_AGO))
    assert "o._sync_changed_at <= convert(BINARY(8), %(param_4)s, 2)" in page
    assert "o._sync_changed_at >= convert(BINARY(8), %(param_5)s, 2)" in page
    assert page.endswith("ORDER BY o._sync_changed_at, o.[No_]")
    assert "CAST(o.[No_] AS NVARCHAR(4000)) AS _sync_key" in page
    lines = described.lines_sql("SO-1")
    assert "_sync_changed_at" not in lines  # nothing is computed where orders are looked up by key
    assert f"FROM {line} WHERE ([Document Type] = 1)) AS l ON l.[Document No_] = o.[No_]" in lines
    assert lines.endswith("ORDER BY l.[Document No_], l.[Line No_]")


def test_adventureworks_is_compared_by_content_along_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    described = Described("adventureworks", monkeypatch)
    assert described.orders.by_content
    assert described.sql(described.queries.newest(None)).startswith("SELECT CAST(max(o.[SalesOrderID]) AS NVARCHAR")
    page = described.sql(described.queries.range_page(None, "75123", None, 100, LONG_AGO, by_content=True))
    assert "FROM [Sales].[SalesOrderHeader] AS o LEFT OUTER JOIN zoho_sync_ack ON" in page
    assert page.endswith("ORDER BY o.[SalesOrderID]")  # once: SQL Server refuses a column that is named twice
    lines = described.lines_sql("43659")
    assert "JOIN [Sales].[SalesOrderDetail] AS l ON l.[SalesOrderID] = o.[SalesOrderID]" in lines
    assert lines.endswith("ORDER BY l.[SalesOrderID], l.[SalesOrderDetailID]")
