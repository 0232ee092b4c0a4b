"""Orders that long transactions commit late, while others come, are found: followed, and by a plain run after that."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from following_pair import FOLLOW, following, until
from pair_of_plugins import ORDERS, Shop

LATE_SECONDS = 17
CLOCK = {
    "postgresql": "clock_timestamp() AT TIME ZONE 'UTC' - interval '{late} seconds'",
    "mysql": "UTC_TIMESTAMP(6) - INTERVAL {late} SECOND",
    "sqlite": "strftime('%Y-%m-%d %H:%M:%f', 'now', '-{late} seconds')",
}


def commit(shop: Shop, key: str, late: int) -> None:
    """Save an order that was dated so many seconds ago: one statement, so that a slow machine makes it no later."""
    dated: Any = sa.literal_column(CLOCK[shop.engine.dialect.name].format(late=late))
    values = {**shop.order(key), "updated_at": dated}
    with shop.engine.begin() as connection:
        connection.execute(sa.insert(ORDERS).values(values))


def test_orders_committed_late_are_found_while_new_ones_come_and_by_the_run_after(any_shop: Shop) -> None:
    any_shop.tap_config = {**FOLLOW, "lookback_seconds": 20}
    any_shop.target_config = {"max_age_seconds": 0.2}
    commit(any_shop, "SO-0", 0)
    with following(any_shop) as pair:
        until(lambda: len(any_shop.crm()) == 1, pair)
        for number in range(24):  # over two looks as far back as the lookback says
            commit(any_shop, f"new-{number}", 0)
            if number % 2:
                commit(any_shop, f"late-{number}", LATE_SECONDS)
            time.sleep(1)
        assert pair.stop().code == 0
    any_shop.tap_config = {"lookback_seconds": 20, "settle_seconds": 0}
    any_shop.run()
    assert set(any_shop.orders()) - set(any_shop.crm()) == set()


@pytest.mark.parametrize("unit", ["seconds", "milliseconds", "microseconds", "net_ticks", "julian_days"])
def test_a_number_that_is_a_time_is_looked_back_by_time(shop: Shop, unit: str) -> None:
    number_of: dict[str, Callable[[float], float]] = {
        "seconds": round,
        "milliseconds": lambda unix: round(unix * 1_000),
        "microseconds": lambda unix: round(unix * 1_000_000),
        "net_ticks": lambda unix: round(unix + 62_135_596_800) * 10_000_000,
        "julian_days": lambda unix: 2_440_587.5 + unix / 86_400,
    }
    now = time.time()
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(
            f"ALTER TABLE orders ADD COLUMN changed {'REAL' if unit == 'julian_days' else 'INTEGER'}"
        )

    def put(key: str, at: float) -> None:
        with shop.engine.begin() as connection:
            connection.execute(sa.insert(ORDERS).values(shop.order(key)))
            values = {"key": key, "changed": number_of[unit](at)}
            connection.execute(sa.text("UPDATE orders SET changed = :changed WHERE order_id = :key"), values)

    shop.tap_config = {"replication_key": "changed", "settle_seconds": 0}
    put("early", now - 7_200)
    put("SO-1", now)
    shop.run()
    put("late", now - 200)
    assert shop.run().summary["read"] == 1
    assert set(shop.crm()) == {"early", "SO-1", "late"}
