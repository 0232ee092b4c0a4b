"""`skip_unchanged`: an order that holds what was last confirmed of it costs no call, and nothing changed is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from pair_of_plugins import ORDERS, Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

CHANNELS = ["upsert", "bulk_write"]


@pytest.fixture(autouse=True)
def _moment_of_change_is_no_field(zoho_emulator: EmulatorProcess) -> None:
    """Were `updated_at` mapped, touching an order would change what is written."""
    zoho_emulator.admin.remove_field("Orders", "Updated_At")


def touch(shop: Shop) -> None:
    """Change nothing but the moment of the last change, on every order."""
    with shop.engine.begin() as connection:
        connection.execute(sa.update(ORDERS).values(updated_at=shop.tick()))


@pytest.mark.parametrize("channel", CHANNELS)
def test_touched_orders_cost_nothing_and_are_acked(any_shop: Shop, channel: str) -> None:
    shop = any_shop
    shop.target_config = {"channel": channel, "skip_unchanged": True}
    shop.insert(f"SO-{number}" for number in range(5_000))
    assert shop.run().summary["synced"] == 5_000
    before, spent, requests = shop.crm(), shop.written_credits(), shop.emulator.admin.stats()["requests"]
    touch(shop)
    second = shop.run()
    assert second.code == 0, second.err
    assert (second.summary["read"], second.summary["unchanged"]) == (5_000, 5_000)
    assert shop.written_credits() == spent
    after = shop.emulator.admin.stats()["requests"]
    asked = {name for name in after if after[name] != requests.get(name)}
    assert not asked & {"upsert", "insert", "update", "delete", "upload", "bulk_create", "coql"}, asked
    assert shop.crm() == before
    shop.assert_all_synced()
    with shop.engine.connect() as connection:
        versions = {str(version) for version in connection.execute(sa.select(ORDERS.c.updated_at)).scalars()}
    acks = shop.acks().values()
    assert len(versions) == len({ack.version for ack in acks}) == 1
    assert {ack.action for ack in acks} == {"unchanged"}
    assert shop.run().summary["read"] == 0


@pytest.mark.parametrize("channel", CHANNELS)
def test_changed_orders_among_touched_ones_are_sent(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel, "skip_unchanged": True}
    keys = [f"SO-{number}" for number in range(60)]
    shop.insert(keys)
    shop.run()
    touch(shop)
    shop.change(keys[:7], notes="new")
    shop.change(keys[7:9], notes=None, total_amount=None)
    second = shop.run()
    assert (second.summary["synced"], second.summary["unchanged"]) == (9, 51)
    shop.assert_all_synced()


def test_one_channel_knows_what_the_other_confirmed(shop: Shop) -> None:
    shop.insert(["SO-1", "SO-2"])
    for channel, expected in (("upsert", "synced"), ("bulk_write", "unchanged"), ("upsert", "unchanged")):
        shop.target_config = {"channel": channel, "skip_unchanged": True}
        touch(shop)
        assert shop.run().summary[expected] == 2


@pytest.mark.nightly
@pytest.mark.parametrize("channel", CHANNELS)
def test_what_was_sent_without_the_setting_is_not_forgotten(shop: Shop, channel: str) -> None:
    """A, B, A again: the hash of the first A must not outlive B."""
    shop.insert(["SO-1"], notes="A")
    on, off = {"channel": channel, "skip_unchanged": True}, {"channel": channel}
    for config, notes in ((on, "A"), (off, "B"), (on, "A")):
        shop.target_config = config
        shop.change(["SO-1"], notes=notes)
        assert shop.run().summary["synced"] == 1
        assert shop.crm()["SO-1"]["Notes"] == notes


def test_an_order_whose_last_outcome_was_a_refusal_is_sent(shop: Shop) -> None:
    shop.target_config = {"channel": "upsert", "skip_unchanged": True}
    shop.insert(["SO-1"], status="New")
    shop.run()
    zoho_id = shop.acks()["SO-1"].zoho_id
    shop.change(["SO-1"], status="Shiped")
    assert shop.run().summary["rejected"] == 1
    shop.change(["SO-1"], status="New")  # as it was when it was synced: the ledger holds an id
    assert shop.acks()["SO-1"].zoho_id == zoho_id
    assert shop.run().summary["synced"] == 1
    shop.assert_all_synced()


def test_another_mapping_is_another_payload(shop: Shop) -> None:
    shop.target_config = {"skip_unchanged": True}
    shop.insert(["SO-1"], customer_name="Ada", notes="hello")
    shop.run()
    shop.target_config = {"skip_unchanged": True, "fields": {"notes": "Customer_Name", "customer_name": "Notes"}}
    touch(shop)
    assert shop.run().summary["synced"] == 1
    assert (shop.crm()["SO-1"]["Customer_Name"], shop.crm()["SO-1"]["Notes"]) == ("hello", "Ada")


@pytest.mark.parametrize(
    ("setting", "before", "after"),
    [
        (
            "orders_url",
            "postgresql://shop:old-password@127.0.0.1/shop",
            "postgresql://shop:new-password@127.0.0.1/shop",
        ),
        ("max_age_seconds", None, 0.1),
        ("delete_batch_files", False, True),
        ("sync_flag_column", None, "is_synced"),
        ("streams", {"orders": {"on_delete": "ignore"}}, {"orders": {"on_delete": "delete"}}),
    ],
    ids=["orders_url", "max_age_seconds", "delete_batch_files", "sync_flag_column", "streams"],
)
def test_a_setting_that_changes_no_payload_sends_nothing_again(
    shop: Shop, setting: str, before: object, after: object
) -> None:
    shop.insert(f"SO-{number}" for number in range(20))
    shop.target_config = {"skip_unchanged": True, setting: before}
    assert shop.run().summary["synced"] == 20
    spent = shop.written_credits()
    touch(shop)
    shop.target_config = {"skip_unchanged": True, setting: after}
    second = shop.run()
    assert second.code == 0, second.err
    assert (second.summary["read"], second.summary["unchanged"]) == (20, 20)
    assert shop.written_credits() == spent


def test_a_job_that_dies_keeps_what_it_was_made_of(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write", "skip_unchanged": True}
    shop.insert(f"SO-{number}" for number in range(20))
    shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.create_job")
    shop.run()
    shop.assert_all_synced()
    touch(shop)
    assert shop.run().summary["unchanged"] == 20
