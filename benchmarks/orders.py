"""A table of orders with 12 columns, of any length, always the same."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

COLUMNS = {
    "order_id": "VARCHAR(20) PRIMARY KEY",
    "order_date": "DATE",
    "ordered_at": "DATETIME",
    "updated_at": "DATETIME NOT NULL",
    "status": "VARCHAR(20)",
    "channel": "VARCHAR(20)",
    "customer_name": "VARCHAR(120)",
    "customer_email": "VARCHAR(100)",
    "country": "VARCHAR(60)",
    "total_amount": "NUMERIC(12, 2)",
    "item_count": "INTEGER",
    "notes": "TEXT",
}
OPENED = datetime(2024, 1, 1)  # noqa: DTZ001 - the legacy columns are naive
STATUSES = ("New", "Paid", "Packed", "Shipped", "Delivered", "Cancelled", "Returned")
CHANNELS = ("Web", "Phone", "Shop", "Marketplace")


def make_orders(path: Path, count: int) -> None:
    """Make a SQLite database with `count` orders."""
    declared = ", ".join(f"{name} {kind}" for name, kind in COLUMNS.items())
    places = ", ".join("?" * len(COLUMNS))
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(f"CREATE TABLE orders ({declared})")
        connection.executemany(f"INSERT INTO orders VALUES ({places})", _orders(count))
        connection.execute("CREATE INDEX ix_orders_updated_at ON orders (updated_at)")
    connection.close()


def _orders(count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        ordered = OPENED + timedelta(seconds=60 * number)
        yield (
            f"SO-{1_000_000 + number}",
            ordered.date().isoformat(),
            f"{ordered}.000000",
            f"{ordered + timedelta(hours=number % 200)}.000000",
            STATUSES[number % 7],
            CHANNELS[number % 4],
            f"Zoë Müller {number % 9973}",
            f"zoe.mueller.{number % 9973}@example.org",
            ("Germany", "France", "Poland")[number % 3],
            (number * 37 % 1_000_000) / 100,
            1 + number % 9,
            None if number % 3 else f'No. {number}: "leave it with the neighbour", 2nd floor',
        )
