"""Orders that long transactions commit late, while others come, are found: followed, and by a plain run after that."""

from __future__ import annotations

import time
from typing import Any

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
