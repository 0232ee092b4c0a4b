"""A user's mistake: one clear line that says what is wrong and what to do, an exit code, and nothing lost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import METADATA, ORDERS, Finished, Shop

Break = Callable[[Shop], Any]


def set_tap(**changes: Any) -> Break:
    return lambda shop: shop.tap_config.update(changes)


def set_target(**changes: Any) -> Break:
    return lambda shop: shop.target_config.update(changes)


def without_replication_key(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE plain (order_id VARCHAR(40) PRIMARY KEY, note VARCHAR(40))")
    shop.tap_config |= {"orders_table": "plain", "follow": True}


def missing_scope(shop: Shop) -> None:
    token = shop.emulator.admin.grant(scopes=["ZohoCRM.settings.ALL", "ZohoCRM.org.READ"])
    shop.target_config["refresh_token"] = token


def not_unique(shop: Shop) -> None:
    shop.emulator.admin.alter_field("Orders", "parent_id", unique=False)


def no_key_field(shop: Shop) -> None:
    shop.emulator.admin.remove_field("Orders", "parent_id")


TAP_MISTAKES: dict[str, tuple[Break, str, int]] = {
    "unreachable database": (set_tap(sqlalchemy_url="postgresql://me:hush@127.0.0.1:1/shop"), "127.0.0.1", 2),
    "not a database URL": (set_tap(sqlalchemy_url="shop.db"), "sqlalchemy_url", 2),
    "missing table": (set_tap(orders_table="order"), "orders", 2),
    "no usable replication key": (without_replication_key, "replication_key", 2),
    "unknown column": (set_tap(columns=["order_id", "totl_amount"]), "totl_amount", 2),
    "ledger not writable": (set_tap(ack_url="sqlite:////no/such/folder/ledger.sqlite"), "ack_url", 2),
}
TARGET_MISTAKES: dict[str, tuple[Break, str, int]] = {
    "ledger not writable": (set_target(ack_url="sqlite:////no/such/folder/ledger.sqlite"), "ack_url", 2),
    "wrong refresh token": (set_target(refresh_token="1000.wrong"), "refresh_token", 2),
    "wrong client secret": (set_target(client_secret="wrong"), "client_secret", 2),
    "a client of another data centre": (set_target(client_id="1000.ELSEWHERE"), "data_center", 2),
    "unknown data centre": (set_target(data_center="mars"), "data_center", 2),
    "missing scope": (missing_scope, "ZohoCRM.modules.ALL", 2),
    "unknown module": (set_target(module="Order"), "Did you mean Orders", 2),
    "unknown key field": (set_target(key_field="Parent"), "Parent", 2),
    "key field absent": (no_key_field, "parent_id", 2),
    "key field not unique": (not_unique, "Do not allow duplicate values", 2),
    "unknown field in the mapping": (set_target(fields={"notes": "Notez"}), "Did you mean Notes", 2),
    "a setting of the wrong type": (set_target(bulk_rows="many"), "bulk_rows", 2),
    "unknown timezone": (set_target(timezone="Mars/Olympus"), "timezone", 2),
    "plain http": (set_target(api_url="http://crm.example.com"), "api_url", 2),
}


def assert_clear(ended: Finished, says: str) -> None:
    assert len(ended.errors) == 1, ended.err
    assert says in ended.errors[0]
    assert "Traceback" not in ended.err
    assert "hush" not in ended.err


@pytest.mark.parametrize("mistake", TAP_MISTAKES)
def test_the_taps_user_is_told(shop: Shop, mistake: str) -> None:
    breaks, says, code = TAP_MISTAKES[mistake]
    breaks(shop)
    ended = shop.tap()
    assert ended.code == code, ended.err
    assert_clear(ended, says)
    assert '"RECORD"' not in ended.out


@pytest.mark.parametrize("mistake", TARGET_MISTAKES)
def test_the_targets_user_is_told_and_nothing_is_lost(shop: Shop, mistake: str) -> None:
    breaks, says, code = TARGET_MISTAKES[mistake]
    shop.insert(["SO-1", "SO-2"])
    breaks(shop)
    ended = shop.run()
    assert ended.code == code, ended.err
    ended.err = "\n".join(line for line in ended.err.splitlines() if "target-zoho-crm" in line or "Trace" in line)
    assert_clear(ended, says)
    assert not ended.out.strip()

    shop.target_config.clear()
    shop.emulator.admin.reset()
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_a_ledger_that_may_only_be_read_is_no_ledger(shop: Shop, postgresql_url: str) -> None:
    owner = sa.create_engine(postgresql_url)
    METADATA.create_all(owner)
    url = sa.make_url(postgresql_url)
    name = f"reader_{url.database}"[:60]
    with owner.begin() as connection:
        connection.execute(sa.insert(ORDERS), [shop.order("SO-1")])
        connection.exec_driver_sql(f'CREATE ROLE "{name}" LOGIN')
        connection.exec_driver_sql(f'GRANT SELECT ON orders TO "{name}"')
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    reader = url.set(username=name).render_as_string(hide_password=False)
    try:
        shop.target_config = {"ack_url": reader}
        shop.tap_config = {"sqlalchemy_url": reader, "ack_url": reader}
        assert shop.tap().code == 0  # it reads alone; the tables are the target's to make
        ended = shop.run()
    finally:
        with owner.begin() as connection:
            connection.exec_driver_sql(f'DROP OWNED BY "{name}"')
            connection.exec_driver_sql(f'DROP ROLE "{name}"')
        owner.dispose()
    assert ended.code == 2
    assert_clear(ended, "ack_url")
