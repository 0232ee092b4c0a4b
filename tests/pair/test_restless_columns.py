"""Comparisons by content: one in a while where asked for, and none that goes on for a column that never rests."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import Finished, Shop

from sync_ledger.ledger import Ledger
from sync_ledger.order_samples import OrderSample, read_sample, write_sample
from sync_ledger.partitions import WHOLE
from sync_processes.exit_codes import ExitCode

if TYPE_CHECKING:
    from collections.abc import Sequence

KEYS = [f"SO-{number:02}" for number in range(30)]


def set_all(shop: Shop, keys: Sequence[str] = KEYS, **values: Any) -> None:
    """Change orders without a trace in a column of changes."""
    table = sa.table("orders", sa.column("order_id"), *map(sa.column, values))
    with shop.engine.begin() as connection:
        connection.execute(sa.update(table).where(table.c.order_id.in_(keys)).values(values))


@pytest.fixture
def loaded(any_shop: Shop) -> Shop:
    any_shop.tap_config["change_detection"] = "content"
    any_shop.insert(KEYS)
    ledger = Ledger.open(any_shop.ack_url)
    ledger.ensure_tables()  # as `orders-sync init` does: without a ledger no sample is kept
    ledger.close()
    assert any_shop.run().summary["synced"] == 30
    return any_shop


def warnings(ended: Finished) -> list[str]:
    return [line for line in ended.err.splitlines() if "that were looked at differ" in line]


def test_a_column_that_differs_in_each_comparison_is_named_and_stops_the_second_one(loaded: Shop) -> None:
    """As `now()` in a view does."""
    set_all(loaded, notes="read at 10:00")
    ended = loaded.run()
    (line,) = warnings(ended)
    assert "orders: 30 of 30 orders that were looked at differ in notes since the last comparison" in line
    assert ended.summary["synced"] == 30
    before, written = loaded.crm(), loaded.written_credits()
    set_all(loaded, notes="read at 10:05")
    for _ in range(2):  # and so does the next one, as long as it differs
        stopped = loaded.tap()
        assert stopped.code == ExitCode.LOOK_FIRST
        (line,) = stopped.errors
        assert "30 of 30 orders that were looked at differ in notes since the last comparison, and did before" in line
        assert "leave it out by `exclude`" in line
        assert '"type":"RECORD"' not in stopped.out
        set_all(loaded, notes="read at 10:10")
    assert (loaded.crm(), loaded.written_credits()) == (before, written)
    loaded.tap_config["exclude"] = ["notes"]
    assert loaded.run().code == ExitCode.OK
    set_all(loaded, notes="read at 10:15")
    assert loaded.run().summary["read"] == 0


@pytest.mark.nightly
def test_changes_of_most_orders_pass_where_no_column_differs_in_each_or_the_guard_is_set(shop: Shop) -> None:
    shop.tap_config["change_detection"] = "content"
    shop.insert(KEYS)
    shop.run()
    for number in range(3):
        set_all(shop, KEYS[:15], notes=f"changed {number}")
        set_all(shop, KEYS[15:], customer_name=f"changed {number}")
        ended = shop.run()
        assert (ended.summary["synced"], warnings(ended)) == (30, [])
    shop.tap_config["max_change_percent"] = 100
    for number in range(3):
        set_all(shop, notes=f"a change of all {number}")
        assert shop.run().summary["synced"] == 30


def test_a_suspicion_ends_after_three_days(loaded: Shop) -> None:
    shop = loaded
    set_all(shop, status="Paid")
    assert len(warnings(shop.run())) == 1
    ledger = Ledger.open(shop.ack_url)
    with ledger.begin() as connection:
        kept = read_sample(connection, ledger.tables, "orders", WHOLE.name)
        assert len(kept.orders) == 30
        long_ago = {name: at - timedelta(days=3) for name, at in kept.suspects.items()}
        assert set(long_ago) == {"status"}
        sample = OrderSample(columns=kept.columns, orders=kept.orders, suspects=long_ago)
        write_sample(connection, ledger.tables, "orders", WHOLE.name, sample)
    ledger.close()
    set_all(shop, status="Shipped")
    ended = shop.run()
    assert (ended.code, len(warnings(ended))) == (ExitCode.OK, 1)


@pytest.mark.nightly
def test_runs_between_two_comparisons_send_new_orders_alone(any_shop: Shop) -> None:
    any_shop.tap_config |= {"change_detection": "content", "content_every": "1h", "page_size": 4}
    any_shop.insert(KEYS[:10])
    assert any_shop.run().summary["synced"] == 10
    set_all(any_shop, KEYS[:3], notes="changed")
    any_shop.insert(KEYS[10:12])
    between = any_shop.run()
    assert between.summary["synced"] == 2
    assert "Reading the orders of orders from key SO-09 on: all are compared by content every 1:00:00" in between.err
    assert any_shop.run().summary["read"] == 0
    any_shop.tap_config["content_every"] = "1s"  # which is over by now
    compared = any_shop.run()
    assert "Comparing all 12 orders" in compared.err
    assert compared.summary["synced"] == 3
    any_shop.tap_config["content_every"] = "soon"
    assert "content_every: 'soon' is no time such as 30m, 1h or 1d" in any_shop.tap().errors[-1]
    any_shop.tap_config |= {"change_detection": None, "content_every": "1h"}
    assert "content_every: changes are found by updated_at, and no" in any_shop.tap().errors[-1]
