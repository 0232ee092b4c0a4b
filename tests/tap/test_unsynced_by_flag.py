"""`unsynced_by: sync_flag`: which orders the tap streams, by which index, and which columns it refuses for a flag."""

from __future__ import annotations

import pytest
import sqlalchemy as sa
from small_shop import LONG_AGO, Shop

from sync_databases.flags import index_columns, index_statement
from sync_databases.row_fingerprints import teach_fingerprints
from sync_databases.sqlite_texts import teach_texts
from sync_databases.value_sql import value_sql_for
from sync_ledger.tables import AckStatus
from tap_legacy_orders.orders_table import OrdersTable, find_orders_table
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

BY_FLAG = {"unsynced_by": "sync_flag", "sync_flag_column": "synced"}


def _with_flag(shop: Shop, ddl: str = "INTEGER DEFAULT 0") -> None:
    shop.sql(f"ALTER TABLE orders ADD COLUMN synced {ddl}")
    shop.config |= BY_FLAG


def _put(shop: Shop, *numbers: int) -> None:
    for number in numbers:
        row = {"i": number, "u": shop.moment(number)}
        shop.sql("INSERT INTO orders (id, name, updated_at) VALUES (:i, 'n', :u)", row)


def _flag(shop: Shop, where: str, value: str = "1") -> None:
    shop.sql(f"UPDATE orders SET synced = {value} WHERE {where}")


def test_orders_are_streamed_whose_flag_is_unset_wherever_the_bookmark_stands(either_shop: Shop) -> None:
    shop = either_shop
    _with_flag(shop)
    _put(shop, 1, 2, 3, 4, 5)
    _flag(shop, "id IN (2, 4)")
    _flag(shop, "id = 5", "NULL")
    first = shop.run()
    assert first.keys == ["1", "3", "5"]
    assert shop.run(first.state).keys == ["1", "3", "5"]  # no ack, no flag: not before one of them is there
    _flag(shop, "id IN (1, 3)")
    assert shop.run(first.state).keys == ["5"]


def test_acks_say_what_becomes_of_an_order_whose_flag_is_unset(either_shop: Shop) -> None:
    shop = either_shop
    _with_flag(shop)
    _put(shop, *range(1, 9))
    version = {str(number): str(shop.moment(number)) for number in range(1, 9)}
    shop.ack("1", version["1"])  # synced: a run died before it set the flag
    shop.ack("2", version["2"], AckStatus.REJECTED)
    shop.ack("3", version["3"], AckStatus.PARKED)
    shop.ack("4", version["4"], AckStatus.SUBMITTED)
    shop.ack("5", "older", AckStatus.SUBMITTED)
    shop.ack("6", "older")
    shop.ack("7", "older", AckStatus.REJECTED)
    shop.ack("8", version["8"], AckStatus.REJECTED, LONG_AGO)
    run = shop.run()
    assert sorted(run.keys) == ["1", "6", "7", "8"]
    assert run.bookmark() == version["5"]  # it was left out


def test_an_index_tells_which_flags_are_unset(shop: Shop) -> None:
    _with_flag(shop, "INTEGER DEFAULT 0 NOT NULL")
    rows = [{"i": number, "u": shop.moment(number)} for number in range(4000)]
    shop.sql("INSERT INTO orders (id, name, updated_at, synced) VALUES (:i, 'n', :u, 1)", *rows)
    _flag(shop, "id IN (7, 3000)", "0")
    teach_fingerprints(shop.engine)
    teach_texts(shop.engine)
    shop.engine.dispose()
    table = _table(shop)
    database = value_sql_for(shop.engine.dialect)
    assert table.flag is not None
    columns = index_columns(database, "synced", "updated_at", ["id"])
    shop.sql(index_statement(database, sa.table("orders"), table.flag, columns))
    if shop.engine.dialect.name != "sqlite":
        shop.sql("ANALYZE TABLE orders" if shop.engine.dialect.name in {"mysql", "mariadb"} else "ANALYZE orders")
    queries = UnsyncedQueries(table, database, "orders", table.columns, shop.ledger.tables.ack)
    page = queries.range_page(None, str(shop.moment(9999)), None, 25_000, LONG_AGO)
    sql = str(page.compile(shop.engine, compile_kwargs={"literal_binds": True}))
    explain = "EXPLAIN QUERY PLAN " if shop.engine.dialect.name == "sqlite" else "EXPLAIN "
    with shop.engine.connect() as connection:
        plan = str(connection.exec_driver_sql(explain + sql.replace("%%", "%")).all())
    assert "orders_unsynced" in plan, plan


def _table(shop: Shop) -> OrdersTable:
    with shop.engine.connect() as connection:
        return find_orders_table(shop.engine, connection, shop.config)


@pytest.mark.parametrize(
    ("config", "says"),
    [
        ({"sync_flag_column": None}, "sync_flag_column: `unsynced_by` is sync_flag; name the column"),
        ({"sync_flag_column": "sinced"}, "sync_flag_column: orders has no column 'sinced'; it has synced"),
        (
            {"sync_flag_column": "updated_at"},
            "sync_flag_column: 'updated_at' of orders is of type DATETIME, which is no",
        ),
        ({"sync_flag_column": "id"}, "sync_flag_column: 'id' is key, replication key or version"),
        (
            {"orders_table": "seen", "key_column": "id", "replication_key": "updated_at"},
            "orders_table: seen is a view, in which SQLite sets no flag",
        ),
    ],
)
def test_what_can_be_no_flag_is_refused_by_name(either_shop: Shop, config: dict[str, object], says: str) -> None:
    shop = either_shop
    _with_flag(shop)
    shop.sql("CREATE VIEW seen AS SELECT * FROM orders")
    with pytest.raises(TapConfigError) as refused:
        shop.run(**config)
    assert str(refused.value).startswith(says)
    assert "\n" not in str(refused.value)
