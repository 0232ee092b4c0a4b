"""A shop with millions of orders that are all synced: made, and its ledger filled, by SQL alone."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from scripts.servers import mariadb_database, postgresql_database
from sync_databases.sqlite_texts import teach_texts
from sync_databases.value_sql import value_sql_for
from sync_ledger.ledger import Ledger
from tap_legacy_orders.connections import open_engine, reading
from tap_legacy_orders.orders_table import find_orders_table
from tap_legacy_orders.unsynced_queries import UnsyncedQueries

STREAM = "orders"

_NUMBERS = {
    "postgresql": "SELECT n FROM generate_series(1, {rows}) AS s (n)",
    "mysql": "SELECT seq AS n FROM seq_1_to_{rows}",
    "sqlite": "WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {rows}) SELECT n FROM s",
}
_CHANGED_AT = {
    "postgresql": "timestamp '2020-01-01 00:00:00' + n * interval '10 seconds'",
    "mysql": "timestamp '2020-01-01 00:00:00' + interval 10 * n second",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S.000000', '2020-01-01', (10 * n) || ' seconds')",
}
_CHANGED_JUST_NOW = {
    "postgresql": "(now() AT TIME ZONE 'UTC') - interval '10 seconds'",
    "mysql": "utc_timestamp(6) - interval 10 second",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f000', 'now', '-10 seconds')",
}
_ANALYZE = {"postgresql": "VACUUM ANALYZE", "mysql": "ANALYZE TABLE", "sqlite": "ANALYZE"}
_MOMENT = {"postgresql": "timestamp", "mysql": "datetime(6)", "sqlite": "datetime"}


@contextmanager
def scratch_database(engine: str, folder: Path) -> Iterator[str]:
    """Make a database of its own, for SQLite a file in `folder`, and drop it afterwards.

    Raises:
        NoServerError: no server of this kind is to be had.
    """
    if engine == "sqlite":
        path = folder / "orders.sqlite"
        path.touch()
        yield f"sqlite:///{path}"
        path.unlink()
        return
    with postgresql_database() if engine == "postgresql" else mariadb_database() as url:
        yield url


@dataclass
class LargeShop:
    """Orders of 12 columns, and their acks."""

    url: str
    rows: int

    def make(self) -> None:
        """Make the orders and an ack of each, at the version that the tap will see."""
        self.make_orders()
        self._acknowledge()
        self._analyze("orders", "zoho_sync_ack")

    def make_orders(self) -> None:
        """Make the orders alone."""
        engine = sa.create_engine(self.url)
        name = engine.dialect.name
        with engine.begin() as connection:
            connection.exec_driver_sql(_orders_table(name))
            connection.execute(sa.text(f"INSERT INTO orders {_orders(name, self.rows)}"))
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE INDEX ix_orders_updated_at ON orders (updated_at, order_id)")
        engine.dispose()

    def _acknowledge(self) -> None:
        ledger = Ledger.open(self.url)
        ledger.ensure_tables()
        ledger.close()
        reader, ack = open_engine(self.url), ledger.tables.ack
        with reading(reader) as connection:  # its session settings are what versions depend on
            table = find_orders_table(reader, connection, {"orders_table": "orders"})
        reader.dispose()
        engine = sa.create_engine(self.url)
        teach_texts(engine)
        queries = UnsyncedQueries(table, value_sql_for(engine.dialect), STREAM, (), None)
        facts: dict[str, Any] = {"status": "synced", "action": "insert", "channel": "bulk_write", "attempts": 1}
        names = ["stream", "record_key", "version", "zoho_id", *facts, "run_id", "acked_at"]
        values = [sa.literal(STREAM), queries.key_text, queries.version_text, sa.literal("4876876000000333001")]
        values += [*map(sa.literal, facts.values()), sa.literal(uuid.uuid4().hex), sa.func.current_timestamp()]
        with engine.begin() as connection:
            connection.execute(sa.insert(ack).from_select(names, sa.select(*values).select_from(queries.orders)))
        engine.dispose()

    def _analyze(self, *tables: str) -> None:
        engine = sa.create_engine(self.url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            for table in tables:
                connection.exec_driver_sql(f"{_ANALYZE[engine.dialect.name]} {table}")
        engine.dispose()

    def change(self, orders: int) -> None:
        """Change some orders all over the table, as of some seconds ago."""
        engine = sa.create_engine(self.url)
        keys = [f"SO-{1 + number * (self.rows // orders)}" for number in range(orders)]
        moment = _CHANGED_JUST_NOW[engine.dialect.name]
        statement = sa.text(f"UPDATE orders SET updated_at = {moment}, status = 'Changed' WHERE order_id IN :keys")
        with engine.begin() as connection:
            connection.execute(statement.bindparams(sa.bindparam("keys", expanding=True)), {"keys": keys})
        engine.dispose()


def _orders_table(engine: str) -> str:
    moment = _MOMENT[engine]
    return (
        f"CREATE TABLE orders (order_id varchar(20) PRIMARY KEY, order_date date, ordered_at {moment}, "
        f"updated_at {moment} NOT NULL, status varchar(20), channel varchar(20), customer_name varchar(120), "
        "customer_email varchar(100), country varchar(60), total_amount numeric(12, 2), item_count integer, notes text)"
    )


def _orders(engine: str, rows: int) -> str:
    changed = _CHANGED_AT[engine]
    joined = "concat({})" if engine == "mysql" else "({})"
    mark = ", " if engine == "mysql" else " || "

    def text(*parts: str) -> str:
        return joined.format(mark.join(parts))

    columns = [
        text("'SO-'", "n"),
        "'2026-01-01'" if engine == "sqlite" else "date '2026-01-01'",
        changed,
        changed,
        "'Shipped'",
        "'Web'",
        text("'Zoe Mueller '", "(n % 9973)"),
        text("'zoe.'", "(n % 9973)", "'@example.org'"),
        "'Germany'",
        "(n % 100000) / 100.0",
        "1 + n % 9",
        "CASE WHEN n % 3 = 0 THEN 'leave it with the neighbour, 2nd floor' END",
    ]
    return f"SELECT {', '.join(columns)} FROM ({_NUMBERS[engine].format(rows=rows)}) AS numbers"
