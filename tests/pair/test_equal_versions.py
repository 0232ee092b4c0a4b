"""An order that changes again under the same version text is sent again: coarse ticks, integers."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from flag_shop import FlagShop
from following_pair import FOLLOW, following, until
from pair_of_plugins import Shop

from sync_ledger.ledger import Ledger

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SECONDS_TYPE = {"postgresql": "timestamp(0)", "mysql": "DATETIME"}
"""What ticks in seconds; SQLite keeps what is written."""


def now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


def make_coarse(shop: Shop) -> None:
    """Let `updated_at` hold whole seconds alone."""
    with shop.engine.begin() as connection:
        kind = SECONDS_TYPE.get(shop.engine.dialect.name)
        if shop.engine.dialect.name == "postgresql":
            connection.exec_driver_sql(f"ALTER TABLE orders ALTER updated_at TYPE {kind}")
        elif kind is not None:
            connection.exec_driver_sql(f"ALTER TABLE orders MODIFY updated_at {kind} NOT NULL")


def write(shop: Shop, key: str, updated_at: Any, **values: Any) -> None:
    """Write an order as another program does: its times as texts of seconds."""
    columns = {"updated_at": str(updated_at), **values}
    with shop.engine.begin() as connection:
        setting = ", ".join(f"{name} = :{name}" for name in columns)
        update = sa.text(f"UPDATE orders SET {setting} WHERE order_id = :key")
        if not connection.execute(update, {"key": key, **columns}).rowcount:
            names = ", ".join(columns)
            places = ", ".join(f":{name}" for name in columns)
            insert = sa.text(f"INSERT INTO orders (order_id, {names}) VALUES (:key, {places})")
            connection.execute(insert, {"key": key, **columns})


def notes(shop: Shop) -> dict[str, Any]:
    return {key: record.get("Notes") for key, record in shop.crm().items()}


def second(ago: float = 0) -> datetime:
    return (now() - timedelta(seconds=ago)).replace(microsecond=0)


def test_an_order_changed_again_in_the_second_in_which_it_was_read_is_sent_again(any_shop: Shop) -> None:
    make_coarse(any_shop)
    then = second(ago=4)
    write(any_shop, "SO-1", then, notes="first")
    write(any_shop, "SO-2", then, notes="stays")
    assert any_shop.run().summary["synced"] == 2
    write(any_shop, "SO-1", then, notes="second")  # committed seconds later by a transaction that began then
    ended = any_shop.run()
    assert notes(any_shop) == {"SO-1": "second", "SO-2": "stays"}
    assert ended.summary["read"] == 1
    assert any_shop.run().summary["read"] == 0


@pytest.mark.parametrize("column", ["seconds", "milliseconds"])
def test_an_integer_of_unix_time_is_followed_though_it_stands_still(shop: Shop, column: str) -> None:
    scale = {"seconds": 1, "milliseconds": 1000}[column]
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN changed INTEGER")
    shop.tap_config = {**FOLLOW, "replication_key": "changed"}
    shop.target_config = {"max_age_seconds": 0.2}

    def put(key: str, note: str, at: int) -> None:
        write(shop, key, second(), notes=note, changed=at)

    with following(shop) as pair:
        for number in range(6):
            at = int(now().replace(tzinfo=timezone.utc).timestamp()) * scale
            put(f"SO-{number}", "first", at)
            until(lambda number=number: notes(shop).get(f"SO-{number}") == "first", pair)  # type: ignore[misc]
            put(f"SO-{number}", "second", at)
        until(lambda: set(notes(shop).values()) == {"second"}, pair)
        assert pair.stop().code == 0
    assert len(notes(shop)) == 6


@pytest.fixture
def flag_shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[FlagShop]:
    """A shop on each engine that keeps a flag."""
    shop = FlagShop.open(engine_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


def reset(shop: FlagShop, key: str, then: datetime, note: str) -> None:
    """Change an order under the version that it has, as an application with a flag does."""
    write(shop, key, then, notes=note)
    shop.sql(f"UPDATE orders SET synced = {shop.kind.unset} WHERE order_id = '{key}'")


def test_a_flag_that_was_reset_under_the_same_version_is_no_flag_of_the_earlier_content(flag_shop: FlagShop) -> None:
    make_coarse(flag_shop)
    then = second(ago=4)
    write(flag_shop, "SO-1", then, notes="first")
    assert flag_shop.run().summary["synced"] == 1
    assert set(flag_shop.flagged()) == {"SO-1"}
    reset(flag_shop, "SO-1", then, "second")
    flag_shop.run()
    assert notes(flag_shop) == {"SO-1": "second"}
    assert set(flag_shop.flagged()) == {"SO-1"}


def test_no_flag_is_set_for_what_changed_in_flight_under_the_same_version(flag_shop: FlagShop) -> None:
    make_coarse(flag_shop)
    then = second(ago=4)
    for key in ("SO-1", "SO-2"):
        write(flag_shop, key, then, notes="first")
    hold = flag_shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)

    def change() -> None:
        flag_shop.emulator.admin.wait_held(hold)
        reset(flag_shop, "SO-1", then, "second")
        flag_shop.emulator.admin.release(hold)

    changing = threading.Thread(target=change)
    changing.start()
    flag_shop.run()
    changing.join()
    assert set(flag_shop.flagged()) == {"SO-2"}
    flag_shop.run()
    assert notes(flag_shop) == {"SO-1": "second", "SO-2": "first"}
    assert set(flag_shop.flagged()) == {"SO-1", "SO-2"}


def test_a_change_that_nobody_maps_costs_no_credit(any_shop: Shop) -> None:
    make_coarse(any_shop)
    with any_shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN shelf VARCHAR(20)")
    then = second(ago=4)
    write(any_shop, "SO-1", then, notes="first", shelf="A")
    any_shop.run()
    spent = any_shop.written_credits()
    write(any_shop, "SO-1", then, shelf="B")
    assert any_shop.run().summary["unchanged"] == 1
    assert any_shop.run().summary["read"] == 0
    assert any_shop.written_credits() == spent


def test_a_column_more_or_less_or_in_another_place_sends_nothing_by_itself(any_shop: Shop) -> None:
    make_coarse(any_shop)
    then = second(ago=4)
    write(any_shop, "SO-1", then, notes="first")
    write(any_shop, "SO-2", then, notes="first")
    any_shop.run()
    spent = any_shop.written_credits()
    with any_shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN shelf VARCHAR(20)")
    assert any_shop.run().summary["unchanged"] == 2  # their acks hold the new content, too
    assert any_shop.run().summary["read"] == 0
    any_shop.tap_config["columns"] = ["updated_at", "notes", "order_id"]
    ended = any_shop.run()
    assert ended.summary["read"] == 0
    assert "2 orders are believed to be as they were" in ended.err
    assert any_shop.written_credits() == spent
    del any_shop.tap_config["columns"]
    write(any_shop, "SO-1", then, notes="second")
    with any_shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE orders ADD COLUMN room VARCHAR(20)")
    assert any_shop.run().summary["synced"] == 1  # what an earlier form shows as changed is sent
    assert notes(any_shop) == {"SO-1": "second", "SO-2": "first"}


def test_acks_without_a_content_are_sent_once_more_in_the_window_and_believed_outside(any_shop: Shop) -> None:
    make_coarse(any_shop)
    then, before = second(ago=4), second(ago=900)
    write(any_shop, "SO-1", then, notes="first")
    write(any_shop, "SO-2", before, notes="first")
    any_shop.run()
    ledger = Ledger.open(any_shop.ack_url)
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.ack).values(content=None, content_form=None, payload_hash=None))
    ledger.close()
    assert any_shop.run().summary["synced"] == 1
    assert any_shop.run().summary["read"] == 0
    any_shop.state.unlink()
    assert any_shop.run().summary["read"] == 0


def test_an_order_with_an_empty_version_is_sent_once(any_shop: Shop) -> None:
    any_shop.tap_config["version_column"] = "notes"
    any_shop.insert(["A", "B"], notes="")
    any_shop.insert(["C"], notes=" ")
    assert any_shop.run().summary["synced"] == 3
    assert any_shop.run().summary["read"] == 0
    any_shop.state.unlink()
    assert any_shop.run().summary["read"] == 0
    any_shop.change(["A"], notes="new")
    assert any_shop.run().summary["synced"] == 1
