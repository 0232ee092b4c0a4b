"""A table of orders with 12 columns, of any length, always the same; made by the database, millions in seconds."""

from __future__ import annotations

import sqlalchemy as sa

COLUMNS = {
    "order_id": "VARCHAR(20) PRIMARY KEY",
    "order_date": "DATE",
    "ordered_at": "TIMESTAMP",
    "updated_at": "TIMESTAMP NOT NULL",
    "status": "VARCHAR(20)",
    "channel": "VARCHAR(20)",
    "customer_name": "VARCHAR(120)",
    "customer_email": "VARCHAR(100)",
    "country": "VARCHAR(60)",
    "total_amount": "NUMERIC(12, 2)",
    "item_count": "INTEGER",
    "notes": "TEXT",
}
OPENED = "2024-01-01 00:00:00"
STATUSES = ("New", "Paid", "Packed", "Shipped", "Delivered", "Cancelled", "Returned")
CHANNELS = ("Web", "Phone", "Shop", "Marketplace")
COUNTRIES = ("Germany", "France", "Poland")
ORDER_SECONDS = 10
"""From one order to the next: so close that the five millionth is not of the future, which a tap holds back."""

NUMBERS = {
    "sqlite": "WITH RECURSIVE made(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM made WHERE n + 1 < {count})",
    "postgresql": "WITH made AS (SELECT generate_series(0, {count} - 1) AS n)",
}
MOMENTS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S', '{opened}', ({seconds}) || ' seconds') || '.000000'",
    "postgresql": "timestamp '{opened}' + ({seconds}) * interval '1 second'",
}
DAYS = {"sqlite": "date({moment})", "postgresql": "({moment})::date"}


def make_orders(url: str, count: int) -> None:
    """Make the table `orders` with `count` orders in an empty SQLite or PostgreSQL database."""
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        kind = engine.dialect.name
        timestamp = "DATETIME" if kind == "sqlite" else "TIMESTAMP"
        declared = ", ".join(f"{name} {type_.replace('TIMESTAMP', timestamp)}" for name, type_ in COLUMNS.items())
        connection.exec_driver_sql(f"CREATE TABLE orders ({declared})")
        connection.execute(sa.text(_insert(kind, count)))
        connection.exec_driver_sql("CREATE INDEX ix_orders_updated_at ON orders (updated_at)")
    if kind == "postgresql":
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql("VACUUM ANALYZE orders")


def _insert(kind: str, count: int) -> str:
    def moment(seconds: str) -> str:
        return MOMENTS[kind].format(opened=OPENED, seconds=seconds)

    ordered = moment(f"{ORDER_SECONDS} * n")
    values = {
        "order_id": "'SO-' || (1000000 + n)",
        "order_date": DAYS[kind].format(moment=ordered),
        "ordered_at": ordered,
        "updated_at": moment(f"{ORDER_SECONDS} * n + 3600 * (n % 200)"),
        "status": _one_of(STATUSES),
        "channel": _one_of(CHANNELS),
        "customer_name": "'Zoë Müller ' || (n % 9973)",
        "customer_email": "'zoe.mueller.' || (n % 9973) || '@example.org'",
        "country": _one_of(COUNTRIES),
        "total_amount": "(n * 37 % 1000000) / 100.0",
        "item_count": "1 + n % 9",
        "notes": "CASE WHEN n % 3 = 0 THEN 'No. ' || n || ': \"leave it with the neighbour\", 2nd floor' END",
    }
    selected = ", ".join(values[name] for name in COLUMNS)
    return f"INSERT INTO orders {NUMBERS[kind].format(count=count)} SELECT {selected} FROM made"


def _one_of(choices: tuple[str, ...]) -> str:
    cases = " ".join(f"WHEN {at} THEN '{choice}'" for at, choice in enumerate(choices))
    return f"CASE n % {len(choices)} {cases} END"
