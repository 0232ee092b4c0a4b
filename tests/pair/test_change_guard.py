"""Too many changes at once: nothing is sent, one line says so, and the exit code is that of a look first."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import Shop

from sync_processes.exit_codes import ExitCode

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
