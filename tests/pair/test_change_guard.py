"""Too many changes at once: nothing is sent, one line says so, and the exit code is that of a look first."""

from __future__ import annotations

import json
from typing import Any

import pytest
import sqlalchemy as sa
from following_pair import FOLLOW, PATIENCE_SECONDS, following, until
from pair_of_plugins import ORDERS, Shop

from sync_processes.exit_codes import ExitCode
from tap_legacy_orders.change_guard import FOLLOWED_SECONDS, ChangeCount, ChangeGuard
from tap_legacy_orders.reading_scope import choose_scope
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TooManyChangesError

KEYS = [f"SO-{number:02}" for number in range(20)]


@pytest.fixture
def loaded(any_shop: Shop) -> Shop:
    any_shop.insert(KEYS)
    assert any_shop.run().summary["synced"] == 20
    return any_shop


def touch(shop: Shop, keys: list[str], **values: Any) -> None:
    shop.change(keys, status="Shipped", **values)


@pytest.mark.parametrize(
    "limit", [{"max_changes": 5}, {"max_change_percent": 25}, {"max_changes": 9, "max_change_percent": 25}]
)
def test_an_update_of_too_many_orders_writes_none(loaded: Shop, limit: dict[str, Any]) -> None:
    loaded.tap_config |= {**limit, "page_size": 4}
    touch(loaded, KEYS[:6])
    before, written = loaded.crm(), loaded.written_credits()
    ended = loaded.tap()
    assert ended.code == ExitCode.LOOK_FIRST
    (line,) = ended.errors
    assert "more than 5 of the 20 orders of orders that are in the CRM changed" in line
    assert '"type":"RECORD"' not in ended.out
    assert (loaded.crm(), loaded.written_credits()) == (before, written)


def test_new_orders_and_retries_are_no_changes(loaded: Shop) -> None:
    loaded.tap_config["max_changes"] = 2
    touch(loaded, KEYS[:2])
    loaded.insert([f"N-{number}" for number in range(9)])
    assert loaded.run().summary["synced"] == 11


def test_changes_that_only_contents_show_are_counted_before_the_first_record(shop: Shop) -> None:
    shop.tap_config |= {"change_detection": "content", "max_changes": 5, "page_size": 4}
    shop.insert(KEYS)
    assert shop.run().summary["synced"] == 20
    with shop.engine.begin() as connection:
        connection.execute(sa.text("UPDATE orders SET status = 'Paid', customer_name = 'x'"))
    assert shop.tap().code == ExitCode.LOOK_FIRST
    shop.tap_config["max_changes"] = 20
    assert shop.run().summary["synced"] == 20


def test_a_column_more_is_no_change(any_shop: Shop) -> None:
    any_shop.tap_config |= {"change_detection": "content", "max_changes": 1}
    any_shop.insert(KEYS)
    assert any_shop.run().summary["synced"] == 20
    with any_shop.engine.begin() as connection:
        connection.execute(sa.text("ALTER TABLE orders ADD COLUMN shelf VARCHAR(20)"))
    touch(any_shop, KEYS[:1])
    summary = any_shop.run().summary
    assert (summary["synced"], summary["unchanged"]) == (1, 19)


def test_deletions_count_as_changes_and_none_is_made(loaded: Shop) -> None:
    loaded.tap_config |= {"find_deleted": True, "max_changes": 5}
    loaded.target_config |= {"on_delete": "delete", "max_delete_percent": 100}
    touch(loaded, KEYS[:3])
    delete(loaded, KEYS[3:6])
    before = loaded.crm()
    ended = loaded.tap()
    assert ended.code == ExitCode.LOOK_FIRST
    (line,) = ended.errors
    assert "more than 5 of the 20 orders of orders that are in the CRM changed" in line
    assert '"type":"RECORD"' not in ended.out
    assert loaded.crm() == before
    loaded.tap_config["max_changes"] = 6
    assert loaded.run().code == ExitCode.OK
    assert len(loaded.crm()) == 17


def delete(shop: Shop, keys: list[str]) -> None:
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(ORDERS).where(ORDERS.c.order_id.in_(keys)))


def test_a_run_that_follows_stops_before_it_writes_what_one_update_changed(any_shop: Shop) -> None:
    any_shop.tap_config |= FOLLOW | {"max_change_percent": 25, "page_size": 4}
    any_shop.target_config["max_age_seconds"] = 0.1
    any_shop.insert(KEYS)
    with following(any_shop) as pair:
        until(lambda: all_synced(any_shop, 20), pair)
        touch(any_shop, KEYS[:2])
        until(lambda: [any_shop.crm()[key]["Status"] for key in KEYS[:2]] == ["Shipped"] * 2, pair)
        any_shop.insert(f"N-{number}" for number in range(9))  # new ones are no changes
        until(lambda: all_synced(any_shop, 29), pair)
        before, written = any_shop.crm(), any_shop.written_credits()
        with any_shop.engine.begin() as connection:
            values = {"status": "Lost", "updated_at": any_shop.tick()}
            connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id.in_(KEYS[2:9])).values(values))
        codes = [process.wait(PATIENCE_SECONDS) for process in pair.both()]
    assert codes[0] == ExitCode.LOOK_FIRST
    line, beside = [line for line in pair.log.splitlines() if "| ERROR " in line]
    assert "the tap did not finish" in beside
    assert "more than 7 of the 29 orders of orders that are in the CRM changed within an hour" in line
    assert (any_shop.crm(), any_shop.written_credits()) == (before, written)


def all_synced(shop: Shop, count: int) -> bool:
    if len(shop.crm()) < count:
        return False  # before that there may be no ledger
    acks = shop.acks().values()
    return len(acks) == count and all(ack.status == "synced" for ack in acks)


def test_a_run_that_follows_counts_each_order_once_and_for_an_hour(shop: Shop) -> None:
    shop.insert(KEYS)
    shop.run()
    now = 0.0
    tap = TapLegacyOrders(config=json.loads(shop.configs()[0].read_text()))
    source = tap.orders_source("orders", tap.orders_table.columns, None)
    count = ChangeCount(ChangeGuard(5, None), source, None, within=FOLLOWED_SECONDS, clock=lambda: now)
    touch(shop, KEYS[:4])
    for _ in range(3):
        count.before(choose_scope(source, None))
    shop.run()
    touch(shop, KEYS[4:6])
    now = FOLLOWED_SECONDS - 1
    with pytest.raises(TooManyChangesError, match="nothing is sent"):
        count.before(choose_scope(source, None))
    now = FOLLOWED_SECONDS + 1
    count.before(choose_scope(source, None))
    touch(shop, KEYS[6:10])
    with pytest.raises(TooManyChangesError):
        count.before(choose_scope(source, None))
