"""SQL Server and Oracle: the statements are in their dialect, though no server runs them here."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timezone

import pytest
import sqlalchemy as sa
from small_shop import LONG_AGO
from sqlalchemy.dialects import mssql, oracle

from sync_databases.columns import Column, Kind, kind_of, may_be_null, padded_length
from sync_databases.drivers import create_engine
from sync_databases.engines import ORACLE, SQL_SERVER, engine_of
from sync_databases.flag_statements import FlagStatements
from sync_databases.flags import FlaggedTable, index_columns, index_statement
from sync_databases.latest_sql import date_and_time
from sync_databases.value_sql import value_sql_for
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.tables import ledger_tables
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.positions import Position, place_at
from tap_legacy_orders.unsynced_queries import UnsyncedQueries, due_keys

URLS = {"mssql": "mssql+pymssql://", "oracle": "oracle+oracledb://"}
ENGINES = {"mssql": SQL_SERVER, "oracle": ORACLE}
AFTER = "2024-01-01 00:00:00.1234567"


def _queries(
    engine: str, replication: sa.types.TypeEngine[object], *, composite: bool = False, partition: Partition = WHOLE
) -> UnsyncedQueries:
    dialect = create_engine(sa.make_url(URLS[engine])).dialect
    number = Column("order_id", sa.BigInteger(), Kind.INTEGER, nullable=False)
    region = Column("region", sa.String(10), Kind.TEXT, nullable=False)
    changed = Column("updated_at", replication, kind_of(replication, ENGINES[engine]), nullable=False)
    key = (region, number) if composite else (number,)
    table = OrdersTable(
        name="orders",
        schema="sales",
        is_view=False,
        columns=(*key, changed),
        key=key,
        replication=changed,
        version=changed,
        filter="status = 'open'",
        partition=partition,
    )
    return UnsyncedQueries(
        table, value_sql_for(dialect), "orders", table.columns, ledger_tables(engine_of(dialect)).ack
    )


def _sql(queries: UnsyncedQueries, statement: sa.Select[object]) -> str:
    compiled = statement.compile(dialect=queries.database.dialect)
    return " ".join(str(compiled).split())


def _after(queries: UnsyncedQueries, *key: str) -> Position:
    table, database = queries.table, queries.database
    places = [place_at(database, column, text, None) for column, text in zip(table.key, key, strict=True)]
    return Position(place_at(database, table.replication, AFTER, None), tuple(places))


def test_a_page_on_sql_server() -> None:
    queries = _queries("mssql", mssql.DATETIME2(7))
    sql = _sql(queries, queries.range_page("2023-12-31", "2024-02-01", _after(queries, "42"), 25_000, LONG_AGO))
    assert sql.startswith("SELECT TOP ")
    assert "CONVERT(VARCHAR(8000), o.updated_at, 121)" in sql.replace("convert(", "CONVERT(")
    assert "o.updated_at >= convert(DATETIME2(7)," in sql
    assert "CAST(CAST(CAST(o.order_id AS NVARCHAR(4000)) AS NVARCHAR(255)) AS VARBINARY(510))" in sql
    assert "FROM sales.orders WHERE (status = 'open')) AS o LEFT OUTER JOIN" in sql
    assert sql.endswith("ORDER BY o.updated_at, o.order_id")
    assert "LIMIT" not in sql


def test_a_rowversion_is_read_below_those_of_open_transactions() -> None:
    queries = _queries("mssql", mssql.TIMESTAMP())
    newest = _sql(queries, queries.newest(None))
    assert newest.startswith("SELECT TOP 1 ") or "SELECT TOP " in newest
    assert "o.updated_at < min_active_rowversion()" in newest
    assert newest.endswith("ORDER BY o.updated_at DESC")
    page = _sql(queries, queries.range_page("00000000000007D0", "00000000000007D9", None, 100, LONG_AGO))
    assert "o.updated_at <= convert(BINARY(8), " in page
    assert "o.updated_at >= convert(BINARY(8), " in page


def test_a_counter_is_compared_as_a_number() -> None:
    queries = _queries("mssql", sa.BigInteger())
    page = _sql(queries, queries.range_page("41", "9000000000", None, 100, LONG_AGO))
    assert "o.updated_at <= convert(BIGINT, " in page
    assert "o.updated_at >= convert(BIGINT, " in page


@pytest.mark.parametrize(
    ("engine", "kind", "sql"),
    [
        (
            "mssql",
            Kind.INTEGER,
            "dateadd(SECOND, ((t - t % 10000) * 36) / 100 + ((t % 10000 - t % 100) * 60) / 100 + ",
        ),
        (
            "mssql",
            Kind.TEXT,
            "dateadd(SECOND, datediff(SECOND, '00:00:00', CAST(t AS DATETIME)), CAST(d AS DATETIME2(0)))",
        ),
        ("oracle", Kind.INTEGER, "CAST(d AS TIMESTAMP) + numtodsinterval("),
        ("oracle", Kind.TEXT, "to_timestamp(to_char(d, 'YYYY-MM-DD ') || t, 'YYYY-MM-DD HH24:MI:SS')"),
    ],
)
def test_a_date_with_the_time_beside_it(engine: str, kind: Kind, sql: str) -> None:
    """As SAP Business One has UpdateDate and UpdateTS."""
    database = value_sql_for(create_engine(sa.make_url(URLS[engine])).dialect)
    date, at = sa.column("d", sa.Date()), sa.column("t", sa.Integer() if kind is Kind.INTEGER else sa.String())
    compiled = date_and_time(database, date, at, kind).compile(dialect=database.dialect)
    assert str(compiled).startswith(sql)


def test_a_page_on_oracle() -> None:
    queries = _queries("oracle", oracle.TIMESTAMP())
    sql = _sql(queries, queries.range_page("2023-12-31", "2024-02-01", _after(queries, "42"), 25_000, LONG_AGO))
    assert "o.updated_at >= to_timestamp(" in sql
    assert "to_char(o.updated_at, 'YYYY-MM-DD HH24:MI:SS.FF9')" in sql
    assert "to_char(o.order_id, 'TM9') AS" in sql
    assert "o.order_id > to_number(:param_" in sql
    assert "FETCH FIRST" in sql or "ROWNUM" in sql
    assert "LIMIT" not in sql
    assert "::" not in sql


@pytest.mark.parametrize("engine", URLS)
@pytest.mark.parametrize("composite", [False, True])
def test_no_cast_wraps_a_column_in_a_range_condition(engine: str, composite: bool) -> None:  # noqa: FBT001
    """A cast on the column would keep its index from being used."""
    queries = _queries(engine, sa.DateTime(), composite=composite)
    key = ("EU", "42") if composite else ("42",)
    after = _after(queries, *key)
    for statement in (
        queries.range_page("2023-12-31", "2024-02-01", after, 10, LONG_AGO),
        queries.outside_page("2025-01-01", after, 10, LONG_AGO),
        queries.newest("2024-01-01"),
        queries.count_late("2024-01-01", "2024-01-02", "2024-01-03"),
        queries.by_key([key, key], "2024-01-01", "2025-01-01"),
    ):
        where = _sql(queries, statement).partition(" WHERE ")[2].partition("WHERE")[2] or _sql(queries, statement)
        for operator in (" >= ", " > ", " <= "):
            for left in where.split(operator)[:-1]:
                assert left.endswith(("o.updated_at", "o.order_id", "o.region", "next_attempt_at")), left[-60:]


@pytest.mark.parametrize("engine", URLS)
def test_the_ledgers_due_keys_compile(engine: str) -> None:
    queries = _queries(engine, sa.DateTime())
    sql = _sql(queries, due_keys(ledger_tables(ENGINES[engine], "ledger").ack, "orders", LONG_AGO, "k", 10))
    assert "ledger.zoho_sync_ack" in sql


def test_sql_servers_special_types_keep_their_digits_and_take_their_own_bounds() -> None:
    moment = datetime(2024, 1, 1, 12, 0, 0, 123456)  # noqa: DTZ001 - naive UTC
    zone = timezone.utc

    def bound(sql_type: sa.types.TypeEngine[object]) -> tuple[str, str]:
        queries = _queries("mssql", sql_type)
        column = queries.table.replication
        element = queries.database.bound(column, "x")
        return str(element.compile(dialect=queries.database.dialect)), (
            queries.database.timestamp_text(column, moment, zone) if column.kind is not Kind.BINARY else ""
        )

    assert bound(mssql.DATETIMEOFFSET(7)) == (
        "convert(DATETIMEOFFSET(7), %(param_1)s, 121)",
        "2024-01-01 12:00:00.123456+00:00",
    )
    assert bound(mssql.DATETIME())[1] == "2024-01-01 12:00:00.123"
    assert bound(mssql.TIMESTAMP())[0] == "convert(BINARY(8), %(param_1)s, 2)"
    queries = _queries("mssql", mssql.DATETIME2(7))
    assert "convert(VARCHAR(8000), o.updated_at, 121) AS" in _sql(
        queries, queries.outside_page(None, None, 1, LONG_AGO)
    )


def test_a_partition_is_plain_sql_on_each_engine() -> None:
    sql = {}
    for engine in URLS:
        queries = _queries(engine, sa.DateTime(), composite=True, partition=Partition(2, 4))
        sql[engine] = _sql(queries, queries.range_page(None, "2024-02-01", None, 10, LONG_AGO))
    text = "CAST(CAST(o.order_id AS NVARCHAR(4000)) AS NVARCHAR(4000)) COLLATE Latin1_General_BIN2"
    assert f"(datalength(replace({text}, '7', '')) / 2) * 3" in sql["mssql"]
    assert sql["mssql"].count(" % 4 = 1") == 1
    assert "coalesce(length(CAST(o.region AS VARCHAR2(4000))), 0) * 14" in sql["oracle"]
    assert "coalesce(length(replace(to_char(o.order_id, 'TM9'), '7', '')), 0) * 3" in sql["oracle"]
    assert sql["oracle"].count(", 4) = 1") == 1


@pytest.mark.parametrize(
    ("engine", "sql_type", "unset", "to"),
    [
        ("mssql", mssql.BIT(), "orders.synced IS NULL OR orders.synced = 0", "1"),
        ("oracle", oracle.NUMBER(1), "orders.synced IS NULL OR orders.synced != 1", "1"),
        ("oracle", sa.CHAR(1), "orders.synced IS NULL OR orders.synced != 'Y'", "'Y'"),
    ],
)
def test_the_sync_flag_is_set_by_key_and_version(
    engine: str, sql_type: sa.types.TypeEngine[object], unset: str, to: str
) -> None:
    queries = _queries(engine, sa.DateTime())
    database = queries.database
    flag = Column("synced", sql_type, kind_of(sql_type, ENGINES[engine]), nullable=True)
    key, changed = queries.table.key[0], queries.table.replication
    named = FlaggedTable(table="orders", schema="sales", key=("order_id",), version="updated_at", flag="synced")
    statements = FlagStatements(database, named, {each.name: each for each in (key, changed, flag)})
    sql = " ".join(str(statements.single().compile(dialect=database.dialect)).split())
    sql = sql.replace("sales.orders.", "orders.")
    assert sql.startswith(f"UPDATE sales.orders SET synced={to} WHERE ({unset}) AND orders.order_id = ")
    assert sql.count("orders.updated_at") == 1
    reading = UnsyncedQueries(replace(queries.table, flag=flag), database, "orders", queries.columns, None)
    page = _sql(reading, reading.range_page(None, "2024-02-01", None, 25_000, LONG_AGO))
    assert f"WHERE ({unset.replace('orders.', 'o.')}) AND o.updated_at <= " in page
    columns = index_columns(database, "synced", "updated_at", ["order_id"])
    assert index_statement(database, sa.table("orders", schema="sales"), flag, columns) == (
        "CREATE INDEX orders_unsynced ON sales.orders (synced, updated_at, order_id)"
    )


@pytest.mark.parametrize("engine", URLS)
@pytest.mark.parametrize("kind", [sa.CHAR(8), sa.NCHAR(8)])
def test_a_text_of_fixed_length_is_selected_without_its_padding(engine: str, kind: sa.types.TypeEngine[object]) -> None:
    dialect = create_engine(sa.make_url(URLS[engine])).dialect
    length = padded_length(kind, ENGINES[engine])
    padded = Column("code", kind, Kind.TEXT, nullable=False, padded_length=length)
    value_sql = value_sql_for(dialect)
    assert str(value_sql.fetched(padded, sa.column("code")).compile(dialect=dialect)) == "rtrim(code)"
    assert "rtrim" not in str(value_sql.text(padded, sa.column("code")).compile(dialect=dialect))
    assert may_be_null(kind, Kind.TEXT, ENGINES[engine]) is (engine == "oracle")  # to which an empty text is NULL
    assert padded_length(sa.VARCHAR(8), ENGINES[engine]) is None
