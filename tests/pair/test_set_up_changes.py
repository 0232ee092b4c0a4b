"""A field that is mapped in mid-life: orders that were written before are counted, named, and written when asked."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from engine_fixtures import fresh_database
from pair_of_plugins import Shop
from shop_with_lines import ShopWithLines

from orders_sync.cli import main
from sync_ledger.ledger import Ledger

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

KEYS = [f"SO-{number:02}" for number in range(12)]
BEFORE_GIFT = "12 orders were written before Gift was mapped"


def command(shop: Shop, *arguments: str, code: int = 0) -> str:
    tap, target = shop.configs()
    files = {
        "plan": ["--tap-config", str(tap), "--target-config", str(target)],
        "doctor": ["--tap-config", str(tap), "--target-config", str(target)],
        "status": ["--ledger-only", "--ack-url", shop.ack_url],
        "resend": ["--ack-url", shop.ack_url],
    }
    ended = CliRunner().invoke(main, [*arguments, *files[arguments[0]]])
    assert ended.exit_code == code, ended.output
    return ended.output


def add_gift(shop: Shop, name: str = "gift", field: str = "Gift") -> None:
    """A column and its field, filled in for all orders at once and without another `updated_at`."""
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(f"ALTER TABLE orders ADD COLUMN {name} VARCHAR(20)")
        connection.execute(sa.text(f"UPDATE orders SET {name} = 'ribbon'"))
    shop.emulator.admin.add_field("Orders", field, "text")


@pytest.fixture(params=["beside", "elsewhere"])
def loaded(
    request: pytest.FixtureRequest, engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> Iterator[Shop]:
    """Twelve synced orders; the ledger beside them, or in a file of its own."""
    with fresh_database("sqlite", tmp_path) as elsewhere:
        shop = Shop(engine_url, zoho_emulator, tmp_path, elsewhere if request.param == "elsewhere" else "")
        shop.insert(KEYS)
        assert shop.run().summary["synced"] == 12
        yield shop
        shop.engine.dispose()


def gifts(shop: Shop) -> dict[str, object]:
    return {key: record.get("Gift") for key, record in shop.crm().items()}


def test_a_column_and_its_field_of_mid_life_are_seen_told_and_resent_for_the_credits_foretold(loaded: Shop) -> None:
    assert "written before" not in loaded.run().err
    add_gift(loaded)
    assert BEFORE_GIFT in command(loaded, "plan")
    assert BEFORE_GIFT in command(loaded, "doctor")
    ended = loaded.run()
    assert f"{BEFORE_GIFT}, and are written again when they change; `orders-sync resend --older-than-mapping`" in (
        ended.err
    )
    assert set(gifts(loaded).values()) == {None}
    loaded.change(KEYS[:2], status="Shipped")
    loaded.run()
    assert "10 orders were written before Gift was mapped; `orders-sync resend" in command(loaded, "status")
    dry = command(loaded, "resend", "--older-than-mapping", "--dry-run")
    assert "10 synced orders, for about 1 credits and what lines and links cost, would be written again" in dry
    assert "10 orders are due" in command(loaded, "resend", "--older-than-mapping", "--yes")
    spent = loaded.written_credits()
    assert loaded.run().summary["synced"] == 10
    assert loaded.written_credits() - spent == 1
    assert gifts(loaded) == dict.fromkeys(KEYS, "ribbon")
    for output in (command(loaded, "status"), command(loaded, "plan"), command(loaded, "doctor"), loaded.run().err):
        assert "written before" not in output
    assert "0 orders are due" in command(loaded, "resend", "--older-than-mapping", "--yes")


def test_the_price_of_a_new_field_is_known_before_a_run_has_written_by_it(any_shop: Shop) -> None:
    shop = any_shop
    shop.insert(KEYS)
    shop.run()
    add_gift(shop)
    tap, target = shop.configs()
    files = ("--tap-config", str(tap), "--target-config", str(target))
    assert BEFORE_GIFT in command(shop, "plan")
    dry = command(shop, "resend", "--older-than-mapping", "--dry-run", *files)
    assert "12 synced orders, for about 2 credits" in dry
    without = command(shop, "resend", "--older-than-mapping", "--dry-run")
    assert "a field counts once the pair has run with it" in without
    assert "12 orders are due" in command(shop, "resend", "--older-than-mapping", "--yes", *files)
    assert shop.run().summary["synced"] == 12
    assert gifts(shop) == dict.fromkeys(KEYS, "ribbon")
    assert "0 synced orders" in command(shop, "resend", "--older-than-mapping", "--dry-run", *files)


def test_a_new_content_that_is_noted_without_a_call_is_no_write(shop: Shop) -> None:
    """Each order is compared, its ack gets the content with the new column, and the CRM lacks it all the same."""
    shop.tap_config["change_detection"] = "content"
    shop.insert(KEYS)
    shop.run()
    add_gift(shop)
    assert shop.run().summary["unchanged"] == 12
    ended = shop.run()
    assert ended.summary["read"] == 0
    assert BEFORE_GIFT in ended.err


def test_orders_of_a_job_that_another_run_adopts_were_written_by_the_mapping_of_the_job(shop: Shop) -> None:
    shop.target_config |= {"channel": "bulk_write"}
    shop.insert(KEYS)
    assert shop.run(kill_at="before:target_zoho_crm.api.client.ZohoClient.job").code != 0
    add_gift(shop)
    ended = shop.run()
    assert "Adopting a bulk write job of 12 orders" in ended.err
    assert BEFORE_GIFT in command(shop, "status")


@pytest.mark.nightly
def test_fields_that_come_one_after_the_other_are_counted_each_for_itself(shop: Shop) -> None:
    shop.insert(KEYS)
    shop.run()
    add_gift(shop)
    shop.insert(["N-1", "N-2"])
    shop.run()
    add_gift(shop, "ribbon", "Ribbon")
    shop.emulator.admin.add_field("Orders", "Bow", "text")
    shop.target_config["fields"] = {"Bow": {"default": "red"}}
    assert shop.run().code == 0
    status = command(shop, "status")
    assert BEFORE_GIFT in status
    assert "14 orders were written before Bow and Ribbon were mapped" in status
    assert [each["orders"] for each in json.loads(command(shop, "status", "--json"))["streams"][0]["older"]] == [12, 14]
    shop.target_config["fields"] = {"Bow": {"default": "red"}, "Ribbon": {"source": "status"}}
    shop.run()
    assert "0 orders are due" not in command(shop, "resend", "--older-than-mapping", "--yes")
    shop.run()
    assert "written before" not in shop.run().err


def test_a_field_that_is_not_written_any_more_makes_no_order_older(shop: Shop) -> None:
    add_gift(shop)
    shop.insert(KEYS)
    shop.run()
    shop.tap_config["columns"] = ["order_id", "status", "updated_at"]
    assert "written before" not in shop.run().err.replace("orders were written before, and", "")
    del shop.tap_config["columns"]
    shop.run()
    assert "written before" not in command(shop, "status")


@pytest.mark.nightly
@pytest.mark.parametrize("mark", [None, "another"])
def test_a_ledger_of_version_4_remembers_from_the_first_run_on(any_shop: Shop, mark: str | None) -> None:
    any_shop.insert(KEYS)
    any_shop.run()
    make_version_4(any_shop, mark=mark)
    ended = any_shop.run()
    assert ended.code == 0, ended.err
    what = "12 orders were written before the mapping was as it is now"
    assert (what in ended.err) is (mark is not None)
    if mark:
        assert "12 orders are due" in command(any_shop, "resend", "--older-than-mapping", "--yes")
        any_shop.run()
    assert "written before" not in command(any_shop, "status")
    add_gift(any_shop)
    assert BEFORE_GIFT in any_shop.run().err


def make_version_4(shop: Shop, *, mark: str | None) -> None:
    ledger = Ledger.open(shop.ack_url)
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.version).values(version=4))
        connection.execute(sa.update(ledger.tables.stream).values(mapping_mark=mark))
        ledger.tables.mapping.drop(connection)
        connection.exec_driver_sql("ALTER TABLE zoho_sync_ack DROP COLUMN mapping_number")
    ledger.close()


def test_a_field_of_lines_that_comes_later_is_counted_by_orders(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path)
    shop.insert_whole(["SO-1", "SO-2"], most_lines=3)
    shop.run()
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE order_lines ADD COLUMN weight INTEGER")
    shop.emulator.admin.add_field("Order_Lines", "Weight", "integer")
    assert "2 orders were written before Weight of the lines was mapped, and are written again when" in shop.run().err
    assert "2 orders are due" in command(shop, "resend", "--older-than-mapping", "--yes")
    shop.run()
    assert "written before" not in shop.run().err
    shop.engine.dispose()
