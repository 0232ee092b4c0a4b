"""An order that changes again under the same version text is sent again: coarse ticks, integers."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from following_pair import FOLLOW, following, until
from pair_of_plugins import Shop

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
