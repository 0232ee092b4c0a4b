"""A record is one order's: where Zoho writes an order to another order's record, neither is called synced.

A job is matched by another unique field. A call never is (test_whose_record.py): it finds another order's record where
the key field takes two keys for one that our folding does not.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from emulator_client import Client
from pair_of_plugins import ORDERS, Shop
from shop_with_lines import ShopWithLines

from orders_sync.cli import main

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

CHANNELS = ["upsert", "bulk_write"]
LIKE_KEYS = ["Á", "A"]
NAMED = ["name", "null", "absent"]
"""What `duplicate_field` of an update holds."""


def with_unique_names(shop: Shop) -> Shop:
    """Make customers' names unique too, in a CRM that matches orders by them, calls and jobs alike."""
    shop.emulator.admin.alter_field("Orders", "Customer_Name", unique=True)
    shop.emulator.admin.switch(bulk_duplicate_checks="all")
    return shop


def in_one_record(shop: Shop, channel: str) -> list[str]:
    """Set the CRM up to write two orders to one record, by this channel; gives their keys."""
    shop.target_config["channel"] = channel
    if channel == "bulk_write":
        with_unique_names(shop)
        return ["A", "B"]
    shop.emulator.admin.alter_field("Orders", "parent_id", folding="accents")
    return LIKE_KEYS


def problems(shop: Shop) -> Any:
    asked = CliRunner().invoke(main, ["problems", "--json", "--ack-url", shop.ack_url])
    assert asked.exit_code == 0, asked.output
    return json.loads(asked.stdout)["problems"]


def assert_in_conflict(shop: Shop, keys: Iterable[str]) -> None:
    """Each of the two is refused by name, has no record, and is listed with the other one and the record's id."""
    acks, (record,) = shop.acks(), {each["id"] for each in shop.emulator.admin.records("Orders")}
    listed = problems(shop)
    assert {each["code"] for each in listed} == {"KEY_CONFLICT"}
    assert all(each["meaning"] and each["remedy"] for each in listed)
    messages = [text["message"] for each in listed for text in each["messages"]]
    for key, other in zip(keys, reversed(list(keys)), strict=True):
        ack = acks[key]
        assert (ack.status, ack.error_code, ack.family) == ("rejected", "KEY_CONFLICT", "data")
        assert (ack.zoho_id, ack.next_attempt_at) == (None, None)
        assert key in [key for each in listed for key in each["sample_keys"]]
        assert any(record in message and repr(other) in message for message in messages), messages


def mend(shop: Shop) -> None:
    """What the remedy says."""
    shop.emulator.admin.alter_field("Orders", "Customer_Name", unique=False)
    shop.emulator.admin.alter_field("Orders", "parent_id", folding="casefold")
    asked = CliRunner().invoke(main, ["retry", "--ack-url", shop.ack_url, "--code", "KEY_CONFLICT"])
    assert asked.exit_code == 0, asked.output


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("channel", CHANNELS)
def test_an_order_in_another_orders_record_is_a_conflict_of_both(shop: Shop, channel: str, named: str) -> None:
    keys = in_one_record(shop, channel)
    shop.emulator.admin.switch(duplicate_field_on_update=named)
    shop.insert(keys[:1], customer_name="Zoë")
    assert shop.run().summary["synced"] == 1
    shop.insert(keys[1:], customer_name="Zoë")
    second = shop.run()
    assert (second.code, second.summary["synced"], second.summary["rejected"]) == (0, 0, 1), second.err
    assert set(shop.crm()) == {keys[1]}  # what Zoho made of the first one
    assert f"order {keys[0]!r} is no longer called synced" in second.err
    assert_in_conflict(shop, keys)
    assert shop.run().summary["read"] == 0
    mend(shop)
    mended = shop.run()
    assert (mended.summary["synced"], mended.summary["rejected"]) == (2, 0), mended.err
    shop.assert_all_synced()


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("channel", CHANNELS)
def test_two_orders_of_one_call_or_job_in_one_record_are_in_conflict(shop: Shop, channel: str, named: str) -> None:
    keys = in_one_record(shop, channel)
    shop.emulator.admin.switch(duplicate_field_on_update=named)
    shop.insert(keys, customer_name="Zoë")
    first = shop.run()
    assert (first.summary["synced"], first.summary["rejected"]) == (0, 2), first.err
    assert_in_conflict(shop, keys)
    mend(shop)
    assert shop.run().summary["synced"] == 2
    shop.assert_all_synced()


@pytest.mark.parametrize("known", [True, False], ids=["A has an ack", "A is in the job"])
def test_a_conflict_in_an_adopted_job(shop: Shop, *, known: bool) -> None:
    with_unique_names(shop)
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(["A"], customer_name="Zoë")
    if known:
        assert shop.run().summary["synced"] == 1
        shop.insert(["B"], customer_name="Zoë")
    else:
        shop.insert(["B"], customer_name="Zoë")
    killed = shop.run(kill_at="before:target_zoho_crm.api.client.ZohoClient.download")
    assert killed.code == -signal.SIGKILL
    adopting = shop.run()
    assert adopting.code == 0, adopting.err
    assert "Adopting a bulk write job" in adopting.err
    assert_in_conflict(shop, ["A", "B"])


def test_an_order_whose_record_was_taken_before_its_own_job_is_read(shop: Shop) -> None:
    """A dead run's job made A's record, and B takes it: whichever outcome comes first, both are in conflict."""
    keys = in_one_record(shop, "upsert")
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(keys[:1])
    shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.create_job")
    shop.emulator.admin.wait_jobs()
    shop.target_config = {"channel": "upsert"}
    shop.insert(keys[1:])
    assert shop.run().code == 0
    acks, (record,) = shop.acks(), {each["id"] for each in shop.emulator.admin.records("Orders")}
    assert {acks[key].error_code for key in keys} == {"KEY_CONFLICT"}
    assert {acks[key].zoho_id for key in keys} == {None}
    assert all(record in acks[key].error_message for key in keys)


@pytest.mark.parametrize("named", NAMED)
@pytest.mark.parametrize("channel", CHANNELS)
def test_orders_that_are_in_the_crm_already_are_no_conflict(shop: Shop, channel: str, named: str) -> None:
    """Whatever Zoho says of new and of known records, with acks and without."""
    with_unique_names(shop).emulator.admin.switch(duplicate_field_on_insert=named, duplicate_field_on_update=named)
    shop.target_config = {"channel": channel}
    keys = [f"SO-{number}" for number in range(150)]
    shop.insert(keys)
    assert shop.run().summary["synced"] == 150
    shop.change(keys)
    assert shop.run().summary["synced"] == 150
    forgotten = CliRunner().invoke(main, ["forget", "--ack-url", shop.ack_url, "--yes"])
    assert forgotten.exit_code == 0, forgotten.output
    shop.state.unlink()
    again = shop.run()
    assert (again.code, again.summary["synced"]) == (0, 150), again.err
    assert problems(shop) == []
    shop.assert_all_synced()


def test_a_run_that_died_before_its_acks_leaves_no_conflict(shop: Shop) -> None:
    with_unique_names(shop)
    shop.insert([f"SO-{number}" for number in range(5)])
    killed = shop.run(kill_at="before:target_zoho_crm.confirmation.stream_ledger.StreamLedger.confirm")
    assert killed.code == -signal.SIGKILL
    assert shop.run().summary["synced"] == 5
    shop.assert_all_synced()


def give_key(shop: Shop, record: str, key: str) -> None:
    given = Client(shop.emulator).put(f"/crm/v8/Orders/{record}", json={"data": [{"parent_id": key}]})
    assert given.json()["data"][0]["code"] == "SUCCESS"


def rename(shop: Shop, old: str, new: str) -> None:
    """Give an order another key, here and in the CRM, as people do."""
    record = shop.crm()[old]["id"]
    give_key(shop, record, new)
    with shop.engine.begin() as connection:
        change = {"order_id": new, "updated_at": shop.tick()}
        connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == old).values(change))


def test_a_renamed_order_is_a_conflict_and_goes_once_somebody_retries_it(shop: Shop) -> None:
    shop.insert(["A"])
    shop.run()
    rename(shop, "A", "B")
    assert shop.run().summary["rejected"] == 1
    assert_in_conflict(shop, ["A", "B"])
    assert CliRunner().invoke(main, ["retry", "--ack-url", shop.ack_url, "B"]).exit_code == 0
    assert shop.run().summary["synced"] == 1
    acks, crm = shop.acks(), shop.crm()
    assert (acks["B"].status, acks["B"].zoho_id) == ("synced", crm["B"]["id"])
    assert (acks["A"].status, set(crm)) == ("rejected", {"B"})


def test_the_record_of_an_order_that_is_deleted_may_become_anothers(shop: Shop) -> None:
    shop.emulator.admin.add_field("Orders", "Is_Gone", "boolean")
    shop.tap_config = {"find_deleted": True}
    shop.target_config = {"on_delete": "mark", "delete_field": "Is_Gone", "max_delete_percent": 100}
    shop.insert(["A", "B"])
    shop.run()
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(ORDERS).where(ORDERS.c.order_id == "A"))
    assert shop.run().summary["deleted"] == 1
    marked = shop.acks()["A"]
    assert (marked.status, marked.zoho_id) == ("deleted", shop.crm()["A"]["id"])
    give_key(shop, marked.zoho_id, "C")
    shop.insert(["C"])
    assert shop.run().summary["synced"] == 1
    assert shop.acks()["C"].zoho_id == marked.zoho_id


@pytest.mark.nightly
@pytest.mark.parametrize("way", ["module", "subform"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_no_lines_go_to_another_orders_record(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, channel: str, way: str
) -> None:
    """The second order overwrote the first one's record; what is not its own, the lines that are there, stays."""
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": way})
    first, second = keys = in_one_record(shop, channel)
    shop.emulator.admin.switch(duplicate_field_on_update="null")
    shop.insert([first], customer_name="Zoë")
    shop.add_lines({first: 3})
    assert shop.run().summary["synced"] == 1
    lines = set(shop.crm_lines())
    shop.insert([second], customer_name="Zoë")
    shop.add_lines({second: 2})
    assert shop.run().summary["rejected"] == 1
    assert_in_conflict(shop, keys)
    assert set(shop.crm_lines()) == lines
    mend(shop)
    assert shop.run().summary["synced"] == 2
    if way == "module":
        shop.assert_whole()
    shop.engine.dispose()


def test_fail_fast_stops_at_a_conflict(shop: Shop) -> None:
    keys = in_one_record(shop, "upsert")
    shop.target_config = {"on_rejection": "fail_fast"}
    shop.insert(keys[:1])
    shop.run()
    shop.insert(keys[1:])
    ended = shop.run()
    assert ended.code == 1
    assert "order 'A': KEY_CONFLICT" in ended.errors[-1]
    assert_in_conflict(shop, keys)
