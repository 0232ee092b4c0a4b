"""Keys that are numbers: one key however it is written, and the spelling that was first stays."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pair_of_plugins import Shop

CHANNELS = ["upsert", "bulk_write"]


def of_another_tap(shop: Shop, kind: list[str], *keys: str, notes: str) -> Any:
    """One run of another program's tap, whose key is JSON of this type, written so."""
    schema = {"properties": {"id": {"type": kind}, "notes": {"type": ["string"]}}, "type": "object"}
    messages = [{"type": "SCHEMA", "stream": "orders", "schema": schema, "key_properties": ["id"]}]
    lines = [json.dumps(message) for message in messages]
    lines += [
        f'{{"type": "RECORD", "stream": "orders", "record": {{"id": {key}, "notes": "{notes}"}}}}' for key in keys
    ]
    ended = shop.take("\n".join(lines) + "\n")
    assert ended.code == 0, ended.err
    return ended.summary


@pytest.mark.nightly
@pytest.mark.parametrize("kind", [["number"], ["integer"], ["string", "number"]], ids="-".join)
@pytest.mark.parametrize("channel", CHANNELS)
def test_two_spellings_of_a_number_are_one_order(shop: Shop, channel: str, kind: list[str]) -> None:
    shop.target_config = {"channel": channel}
    assert of_another_tap(shop, kind, "7", "8.0", "-0.0", "1000", notes="one")["synced"] == 4
    assert of_another_tap(shop, kind, "7.0", "8", "0", "1e3", notes="two")["synced"] == 4
    assert set(shop.crm()) == {"7", "8", "0", "1000"}
    assert {record["Notes"] for record in shop.crm().values()} == {"two"}
    assert of_another_tap(shop, kind, "7", "7.00", notes="three")["superseded"] == 1


@pytest.mark.parametrize("spelling", ["7.0", "7.00"])
def test_the_spelling_of_a_number_that_was_first_stays(any_shop: Shop, spelling: str) -> None:
    """The ledger of an earlier program, which wrote numbers as they came."""
    shop = any_shop
    assert of_another_tap(shop, ["string"], f'"{spelling}"', notes="one")["synced"] == 1
    for number in ("7", "7.0", "7.000"):
        assert of_another_tap(shop, ["number"], number, notes=number)["synced"] == 1
    assert {key: record["Notes"] for key, record in shop.crm().items()} == {spelling: "7.000"}
    assert set(shop.acks()) == {spelling}


def test_texts_that_look_like_numbers_are_keys_of_their_own(shop: Shop) -> None:
    assert of_another_tap(shop, ["string"], '"7"', '"007"', '"7.0"', '"1e3"', notes="x")["synced"] == 4
    assert set(shop.crm()) == {"7", "007", "7.0", "1e3"}


def test_a_key_column_that_renders_its_numbers_otherwise_doubles_nothing(any_shop: Shop) -> None:
    """The column became a decimal one: 7 is 7.00 now, and the orders are refused by name."""
    shop = any_shop
    shop.tap_config = {"orders_table": "numbered"}

    def table(of: str) -> None:
        at = "DATETIME(6)" if "mysql" in shop.url or "mariadb" in shop.url else "TIMESTAMP"
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE IF EXISTS numbered")
            connection.exec_driver_sql(
                f"CREATE TABLE numbered (id {of} PRIMARY KEY, notes VARCHAR(40), updated_at {at} NOT NULL)"
            )
            for number in (7, 8):
                values = f"({number}, 'x', '2026-01-01 08:00:0{number}.00000{shop.ticks}')"
                connection.exec_driver_sql(f"INSERT INTO numbered VALUES {values}")
        shop.ticks += 1

    table("INTEGER")
    assert shop.run().summary["synced"] == 2
    table("REAL" if shop.url.startswith("sqlite") else "NUMERIC(10, 2)")
    ended = shop.run()
    assert ended.summary["rejected"] == 2, ended.err
    assert set(shop.crm()) == {"7", "8"}
    refused = next(ack for key, ack in shop.acks().items() if key.startswith("7."))
    assert (refused.error_code, "order '7'" in refused.error_message) == ("DUPLICATE_DATA", True)
