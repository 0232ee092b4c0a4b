"""A success is of this record or none: what people and other orders own is neither overwritten nor renamed."""

from __future__ import annotations

import json
import signal
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


@pytest.fixture
def invoiced(shop: Shop) -> Shop:
    """Orders go by calls, and customers' names are unique in the CRM too, by which an upsert finds records."""
    shop.emulator.admin.alter_field("Orders", "Customer_Name", unique=True)
    shop.target_config = {"channel": "upsert"}
    return shop


def by_person(shop: Shop, method: str, record: str = "", **values: Any) -> Any:
    """One change that a person makes in the CRM; gives the record's id."""
    client, path = Client(shop.emulator), "/crm/v8/Orders"
    if method == "delete":
        answer = client.delete(f"{path}?ids={record}")
    elif method == "create":
        answer = client.post(path, json={"data": [{"Name": "A person's", **values}]})
    else:
        answer = client.put(f"{path}/{record}", json={"data": [values]})
    (item,) = answer.json()["data"]
    assert item["code"] == "SUCCESS", item
    return item["details"]["id"]


def remove(shop: Shop, *keys: str) -> None:
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(ORDERS).where(ORDERS.c.order_id.in_(keys)))


def records(shop: Shop) -> dict[str, dict[str, Any]]:
    return {record["id"]: record for record in shop.emulator.admin.records("Orders")}


def problems(shop: Shop) -> Any:
    asked = CliRunner().invoke(main, ["problems", "--json", "--ack-url", shop.ack_url])
    assert asked.exit_code == 0, asked.output
    return json.loads(asked.stdout)


def state_of(shop: Shop, key: str) -> tuple[str, str | None, str | None]:
    ack = shop.acks()[key]
    return ack.status, ack.error_code, ack.error_field


# Another unique field is mapped: calls


@pytest.mark.parametrize("named", ["first", "last", "all"])
@pytest.mark.parametrize("together", [True, False], ids=["one call", "two runs"])
def test_two_orders_with_one_value_of_another_unique_field_are_two(
    invoiced: Shop, named: str, *, together: bool
) -> None:
    invoiced.emulator.admin.switch(duplicate_named=named)
    invoiced.insert(["A"], customer_name="Zoë", notes="of A")
    if not together:
        assert invoiced.run().summary["synced"] == 1
    invoiced.insert(["B", "C"], customer_name="Zoë")
    invoiced.change(["C"], customer_name="Ann")
    assert invoiced.run().summary["rejected"] == 1
    assert set(invoiced.crm()) == {"A", "C"}
    assert invoiced.crm()["A"]["Notes"] == "of A"
    assert state_of(invoiced, "B") == ("rejected", "DUPLICATE_DATA", "Customer_Name")
    invoiced.assert_all_synced(but=["B"])
    invoiced.change(["B"], customer_name="Ben")
    assert invoiced.run().summary["synced"] == 1
    invoiced.assert_all_synced()


def test_a_known_order_that_takes_anothers_value_is_refused_alone(invoiced: Shop) -> None:
    invoiced.insert(["A"], customer_name="Zoë")
    invoiced.insert(["B"], customer_name="Ben")
    invoiced.run()
    invoiced.change(["A"], notes="new")
    invoiced.change(["B"], customer_name="Zoë")
    ended = invoiced.run()
    assert (ended.summary["synced"], ended.summary["rejected"]) == (1, 1), ended.err
    assert state_of(invoiced, "B") == ("rejected", "DUPLICATE_DATA", "Customer_Name")
    assert {key: record["Customer_Name"] for key, record in invoiced.crm().items()} == {"A": "Zoë", "B": "Ben"}


def test_a_record_that_a_person_made_is_neither_taken_over_nor_renamed(invoiced: Shop) -> None:
    theirs = by_person(invoiced, "create", Customer_Name="Zoë", Notes="a person's")
    before = records(invoiced)[theirs]
    invoiced.insert(["A"], customer_name="Zoë")
    invoiced.insert(["B"], customer_name="Ben")
    ended = invoiced.run()
    assert (ended.summary["synced"], ended.summary["rejected"]) == (1, 1), ended.err
    assert records(invoiced)[theirs] == before
    assert state_of(invoiced, "A") == ("rejected", "DUPLICATE_DATA", "Customer_Name")
    assert theirs not in {ack.zoho_id for ack in invoiced.acks().values()}


def test_a_record_that_is_there_already_under_the_key_is_updated(invoiced: Shop) -> None:
    theirs = by_person(invoiced, "create", parent_id="A", Customer_Name="old")
    invoiced.insert(["A", "B"])
    assert invoiced.run().summary["synced"] == 2
    assert invoiced.acks()["A"].zoho_id == theirs
    invoiced.assert_all_synced()


@pytest.mark.parametrize("named", ["first", "last", "all"])
@pytest.mark.parametrize("fate", ["answer lost", "killed"])
def test_a_repeated_insert_finds_its_own_record(invoiced: Shop, fate: str, named: str) -> None:
    """Whichever of its unique fields Zoho names, the record is this order's own."""
    # The field of names stands before that of keys.
    invoiced.emulator.admin.switch(duplicate_named=named)
    keys = [f"SO-{number}" for number in range(12)]
    invoiced.insert(keys)
    if fate == "killed":
        killed = invoiced.run(kill_at="before:target_zoho_crm.confirmation.stream_ledger.StreamLedger.confirm")
        assert killed.code == -signal.SIGKILL
    else:
        invoiced.emulator.admin.add_fault("insert", kind="lost_after", times=1)
    ended = invoiced.run()
    assert ended.summary["synced"] == 12, ended.err
    assert "made again" not in ended.err
    invoiced.assert_all_synced()


@pytest.mark.parametrize("way", ["delete", "emptied"])
def test_known_records_are_written_by_id_and_absent_ones_made_again_in_the_same_run(invoiced: Shop, way: str) -> None:
    invoiced.insert(["A", "B"])
    invoiced.run()
    before = invoiced.acks()["A"].zoho_id
    by_person(invoiced, "delete", before) if way == "delete" else by_person(invoiced, "put", before, parent_id=None)
    invoiced.change(["A", "B"], notes="new")
    ended = invoiced.run()
    assert ended.summary["synced"] == 2, ended.err
    invoiced.assert_all_synced()
    if way == "delete":
        assert "; made again: 1;" in ended.err
        assert invoiced.acks()["A"].zoho_id != before
    else:  # the record is known by its id, and gets its key again
        assert "made again" not in ended.err
        assert invoiced.acks()["A"].zoho_id == before


def test_known_records_cost_one_update_and_no_insert(invoiced: Shop) -> None:
    invoiced.insert(["A", "B"])
    invoiced.run()
    invoiced.change(["A", "B"], notes="new")
    before = invoiced.written_credits()
    assert invoiced.run().summary["synced"] == 2
    writes = [each["method"] for each in invoiced.emulator.admin.requests() if each["path"] == "/crm/v8/Orders"]
    assert writes[-2:] == ["POST", "PUT"]  # new in the first run, known in the second
    assert invoiced.written_credits() == before + 1
    invoiced.assert_all_synced()


def test_an_order_whose_key_another_ones_record_holds_is_named_and_writes_nothing(invoiced: Shop) -> None:
    """Renumbered here and in the CRM, as people do."""
    invoiced.insert(["A"], notes="of A")
    invoiced.run()
    record = invoiced.acks()["A"].zoho_id
    by_person(invoiced, "put", record, parent_id="B")
    before = records(invoiced)[record]
    with invoiced.engine.begin() as connection:
        change = {"order_id": "B", "notes": "of B", "updated_at": invoiced.tick()}
        connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == "A").values(change))
    assert invoiced.run().summary["rejected"] == 1
    assert records(invoiced)[record] == before
    assert state_of(invoiced, "B") == ("rejected", "KEY_CONFLICT", "parent_id")
    assert CliRunner().invoke(main, ["retry", "--ack-url", invoiced.ack_url, "B"]).exit_code == 0
    assert invoiced.run().summary["synced"] == 1
    assert (invoiced.acks()["B"].zoho_id, invoiced.crm()["B"]["Notes"]) == (record, "of B")


# Made again


@pytest.mark.parametrize("way", ["delete", "emptied"])
@pytest.mark.parametrize("channel", CHANNELS)
def test_orders_that_are_made_again_are_counted_and_named_with_both_ids(shop: Shop, channel: str, way: str) -> None:
    shop.target_config = {"channel": channel}
    keys = [f"SO-{number}" for number in range(5)]
    shop.insert(keys)
    first = shop.run()
    assert "made again" not in first.err
    before = {key: shop.acks()[key].zoho_id for key in keys}
    for key in keys[:3]:
        by_person(shop, "delete", before[key]) if way == "delete" else by_person(
            shop, "put", before[key], parent_id=None
        )
    shop.change(keys, notes="new")
    second = shop.run()
    assert "; made again: 3;" in second.err
    assert f"'SO-0' (record {before['SO-0']} before, {shop.acks()['SO-0'].zoho_id} now)" in second.err
    now = {key: shop.acks()[key].zoho_id for key in keys}
    assert [(each["key"], each["earlier_id"], each["zoho_id"]) for each in problems(shop)["made_again"]] == [
        (key, before[key], now[key]) for key in keys[:3]
    ]
    shown = CliRunner().invoke(main, ["problems", "--ack-url", shop.ack_url]).output
    assert f"'SO-0': record {before['SO-0']} before, {now['SO-0']} now" in shown
    shop.change(keys, notes="newer")
    third = shop.run()
    assert "made again" not in third.err
    assert len(problems(shop)["made_again"]) == 3
    dismissed = CliRunner().invoke(main, ["dismiss", "--ack-url", shop.ack_url, *keys[:2]])
    assert dismissed.exit_code == 0, dismissed.output
    assert [each["key"] for each in problems(shop)["made_again"]] == keys[2:3]
    assert {ack.status for ack in shop.acks().values()} == {"synced"}


def test_orders_made_again_by_a_killed_run_are_named_by_the_next(any_shop: Shop) -> None:
    shop = any_shop
    shop.insert(["A"])
    shop.run()
    before = shop.acks()["A"].zoho_id
    by_person(shop, "delete", before)
    shop.change(["A"])
    killed = shop.run(kill_at="before:target_zoho_crm.confirmation.stream_ledger.StreamLedger.confirm")
    assert killed.code == -signal.SIGKILL
    assert "; made again: 1;" in shop.run().err
    ack = shop.acks()["A"]
    assert (ack.zoho_id, ack.earlier_zoho_id) == (shop.crm()["A"]["id"], before)
    shop.assert_all_synced()


@pytest.mark.parametrize("way", ["module", "subform"])
def test_lines_go_with_the_record_that_is_made_again(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, way: str
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": way})
    shop.emulator.admin.alter_field("Orders", "Customer_Name", unique=True)
    shop.target_config["channel"] = "upsert"
    shop.insert(["A", "B"])
    shop.add_lines({"A": 3, "B": 2})
    assert shop.run().summary["synced"] == 2
    by_person(shop, "delete", shop.acks()["A"].zoho_id)
    shop.change(["A", "B"], notes="new")
    ended = shop.run()
    assert ended.summary["synced"] == 2, ended.err
    assert "; made again: 1;" in ended.err
    shop.assert_all_synced()
    if way == "module":
        shop.assert_whole()
    shop.engine.dispose()


def test_an_insert_for_a_known_record_is_named(shop: Shop) -> None:
    shop.target_config = {"operation": "insert", "channel": "upsert"}
    shop.insert(["A"])
    shop.run()
    by_person(shop, "put", shop.acks()["A"].zoho_id, parent_id=None)
    shop.change(["A"])
    assert "; made again: 1;" in shop.run().err


# Keys that some folding takes for one

TWINS = {
    "ohm": ("\u2126-1", "\u03c9-1"),
    "kelvin": ("\u212a-1", "K-1"),
    "sharp s": ("\u1e9e-1", "SS-1"),
    "small sharp s": ("stra\u00dfe", "STRASSE"),
    "full width": ("\uff21\uff11", "A1"),
    "ligature": ("\ufb01n", "FIN"),
    "combining": ("A\u030a-1", "\u00c5-1"),
    "no-break space": ("SO-1\u00a0", "SO-1"),
}


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_keys_that_some_folding_takes_for_one_are_refused_by_name(shop: Shop, channel: str, name: str) -> None:
    shop.emulator.admin.alter_field("Orders", "parent_id", folding="compatible")
    shop.target_config = {"channel": channel}
    one, other = TWINS[name]
    shop.insert([one, other, "X"])
    assert shop.run().summary["rejected"] == 2
    assert set(shop.crm()) == {"X"}
    for key, twin in ((one, other), (other, one)):
        assert state_of(shop, key) == ("rejected", "DUPLICATE_DATA", "parent_id")
        assert repr(twin) in shop.acks()[key].error_message


@pytest.mark.parametrize("name", TWINS)
@pytest.mark.parametrize("channel", CHANNELS)
def test_a_key_like_that_of_an_order_that_is_gone_from_the_table_is_refused_by_name(
    shop: Shop, channel: str, name: str
) -> None:
    shop.emulator.admin.alter_field("Orders", "parent_id", folding="compatible")
    shop.target_config = {"channel": channel}
    one, other = TWINS[name]
    shop.insert([one])
    shop.run()
    before = records(shop)
    remove(shop, one)
    shop.insert([other])
    assert shop.run().summary["rejected"] == 1
    assert records(shop) == before
    assert state_of(shop, other) == ("rejected", "DUPLICATE_DATA", "parent_id")
    assert (shop.acks()[one].status, set(before)) == ("synced", {shop.acks()[one].zoho_id})


@pytest.mark.parametrize("channel", CHANNELS)
def test_keys_whose_acks_have_two_records_are_proven_two(shop: Shop, channel: str) -> None:
    """Written while the key field told cases apart; the CRM tells Ohm sign and omega apart still."""
    shop.emulator.admin.alter_field("Orders", "parent_id", folding="upper", case_sensitive=True)
    shop.target_config = {"channel": channel}
    keys = ["SO-1", "so-1"]
    shop.insert(keys)
    assert shop.run().summary["synced"] == 2
    shop.emulator.admin.alter_field("Orders", "parent_id", case_sensitive=False)
    shop.change(keys[:1])
    assert shop.run().summary["synced"] == 1
    shop.insert(["So-1"])
    shop.change(keys)
    ended = shop.run()
    assert state_of(shop, "So-1") == ("rejected", "DUPLICATE_DATA", "parent_id"), ended.err
    assert len(records(shop)) == 2


def test_an_order_that_has_a_record_goes_on_beside_a_stranger_with_a_like_key(shop: Shop) -> None:
    shop.insert(["SO-1"])
    shop.run()
    shop.change(["SO-1"], notes="new")
    shop.insert(["so-1"])
    ended = shop.run()
    assert (ended.summary["synced"], ended.summary["rejected"]) == (1, 1), ended.err
    assert shop.crm()["SO-1"]["Notes"] == "new"
    assert state_of(shop, "so-1") == ("rejected", "DUPLICATE_DATA", "parent_id")


@pytest.mark.parametrize("channel", CHANNELS)
def test_keys_that_a_stronger_folding_takes_for_one_are_a_conflict(shop: Shop, channel: str) -> None:
    """A CRM that takes letters with and without accents for one: none of the two is called synced falsely."""
    shop.emulator.admin.alter_field("Orders", "parent_id", folding="accents")
    shop.target_config = {"channel": channel}
    shop.insert(["\u00e9-1"])
    shop.run()
    shop.insert(["e-1"])
    shop.run()
    assert {ack.error_code for ack in shop.acks().values()} == {"KEY_CONFLICT"}


def test_a_key_that_a_stronger_folding_finds_in_anothers_record_is_not_written_there(invoiced: Shop) -> None:
    invoiced.emulator.admin.alter_field("Orders", "parent_id", folding="accents")
    invoiced.insert(["\u00e9-1"])
    invoiced.run()
    before = records(invoiced)
    invoiced.insert(["e-1"])
    assert invoiced.run().summary["rejected"] == 1
    assert records(invoiced) == before
    assert state_of(invoiced, "e-1") == ("rejected", "KEY_CONFLICT", "parent_id")
    assert state_of(invoiced, "\u00e9-1")[0] == "synced"
