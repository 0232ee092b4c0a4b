"""Orders that are gone: deleted or marked where that is asked for, never by mistake, and back when they return."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import pytest
import sqlalchemy as sa
from emulator_client import Client
from pair_of_plugins import ORDERS, Finished, Shop, finish, start
from shop_with_lines import LINES, ShopWithLines

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

DELETE = {"on_delete": "delete"}
MARK = {"on_delete": "mark", "delete_field": "Is_Gone"}
CHANNELS = ["upsert", "bulk_write"]


@pytest.fixture
def gone_shop(any_shop: Shop) -> Shop:
    """1,000 orders, all in the CRM, on each engine."""
    return filled(any_shop, 1_000)


@pytest.fixture
def small_shop(shop: Shop) -> Shop:
    return filled(shop, 10)


def filled(shop: Shop, count: int) -> Shop:
    shop.emulator.admin.add_field("Orders", "Is_Gone", "boolean")
    shop.tap_config = {"find_deleted": True}
    shop.insert(f"SO-{number}" for number in range(count))
    first = shop.run()
    assert (first.code, first.summary["synced"]) == (0, count), first.err
    return shop


def remove(shop: Shop, keys: Iterable[str]) -> None:
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(ORDERS).where(ORDERS.c.order_id.in_(list(keys))))


def statuses(shop: Shop, keys: Iterable[str]) -> set[tuple[Any, ...]]:
    acks = shop.acks()
    return {(acks[key].status, acks[key].action, acks[key].zoho_id is None) for key in keys}


def requests(shop: Shop, endpoint: str) -> int:
    return int(shop.emulator.admin.stats()["requests"].get(endpoint, 0))


def sentence(ended: Finished) -> str:
    return next(line for line in ended.err.splitlines() if ": read " in line)


GONE = [f"SO-{number}" for number in range(0, 1_000, 8)]


def test_gone_orders_are_deleted_a_hundred_ids_a_call(gone_shop: Shop) -> None:
    shop = gone_shop
    shop.target_config = DELETE
    remove(shop, GONE)
    second = shop.run()
    assert second.code == 0, second.err
    assert (second.summary["read"], second.summary["deleted"]) == (125, 125)
    assert requests(shop, "delete") == 2
    assert set(shop.crm()) == set(shop.orders())
    assert statuses(shop, GONE) == {("deleted", "delete", True)}
    third = shop.run()
    assert third.summary["read"] == 0
    assert requests(shop, "delete") == 2


def test_gone_orders_are_marked(gone_shop: Shop) -> None:
    shop = gone_shop
    shop.target_config = MARK
    remove(shop, GONE)
    second = shop.run()
    assert second.code == 0, second.err
    assert second.summary["deleted"] == 125
    crm = shop.crm()
    assert len(crm) == 1_000
    assert {key for key, record in crm.items() if record.get("Is_Gone")} == set(GONE)
    assert statuses(shop, GONE) == {("deleted", "mark", False)}
    assert requests(shop, "update") == 2
    assert shop.run().summary["read"] == 0


def test_gone_orders_are_ignored(gone_shop: Shop) -> None:
    shop = gone_shop
    remove(shop, GONE)
    second = shop.run()
    assert second.code == 0, second.err
    assert second.summary["unchanged"] == 125
    assert "125 orders were deleted at the source and stay in the CRM" in second.err
    assert len(shop.crm()) == 1_000
    assert statuses(shop, GONE) == {("synced", "insert", False)}


@pytest.mark.parametrize("on_delete", [DELETE, MARK])
def test_a_record_that_holds_another_key_by_now_is_not_deleted(small_shop: Shop, on_delete: dict[str, str]) -> None:
    """A restored CRM gives ids anew, and a person may exchange the keys of two records."""
    shop = small_shop
    shop.target_config = {**on_delete, "max_delete_percent": 100}
    ids = {key: record["id"] for key, record in shop.crm().items()}
    for record, key in (("SO-3", "for a moment"), ("SO-4", "SO-3"), ("SO-3", "SO-4")):
        answer = Client(shop.emulator).put(f"/crm/v8/Orders/{ids[record]}", json={"data": [{"parent_id": key}]})
        assert answer.json()["data"][0]["code"] == "SUCCESS"
    remove(shop, ["SO-3", "SO-5"])
    ended = shop.run()
    assert (ended.code, ended.summary["deleted"]) == (0, 2), ended.err
    assert f"order 'SO-3' was deleted, and its record {ids['SO-3']} is left alone" in ended.err
    left = {key for key, record in shop.crm().items() if not record["Is_Gone"]}
    assert left == set(ids) - {"SO-5"}
    assert shop.run().summary["read"] == 0


@pytest.mark.parametrize("settings", [MARK, DELETE | {"max_delete_percent": 100}])
def test_an_emptied_table_deletes_nothing(gone_shop: Shop, settings: dict[str, Any]) -> None:
    shop = gone_shop
    shop.target_config = settings
    remove(shop, shop.orders())
    tap = shop.tap()
    assert tap.code == 1
    assert "has no row at all" in tap.errors[-1]
    assert '"RECORD"' not in tap.out
    _, target = shop.configs()
    (shop.folder / "emptied.singer").write_text(tap.out)
    ended = finish(
        start(forked.command("target-zoho-crm", ["--config", target, "--input", shop.folder / "emptied.singer"]))
    )
    assert (ended.code, ended.summary["read"]) == (1, 0)  # the tap ended before its stream did
    assert len(shop.crm()) == 1_000
    assert statuses(shop, shop.crm()) == {("synced", "insert", False)}


def test_a_loss_of_sixty_percent_is_refused_and_all_else_is_done(gone_shop: Shop) -> None:
    shop = gone_shop
    shop.target_config = DELETE
    remove(shop, [f"SO-{number}" for number in range(600)])
    shop.insert(["NEW-1"])
    shop.change(["SO-999"], notes="changed")
    refused = shop.run()
    assert refused.code == 1
    assert "600 of 1,001 orders in the CRM were deleted at the source, 59.9 %" in refused.errors[-1]
    assert "max_delete_percent" in refused.errors[-1]
    assert (refused.summary["synced"], refused.summary["left unsynced"]) == (2, 600)
    assert len(shop.crm()) == 1_001
    assert not any(record.get("Is_Gone") for record in shop.crm().values())
    shop.target_config = DELETE | {"max_delete_percent": 60}
    allowed = shop.run()
    assert (allowed.code, allowed.summary["deleted"]) == (0, 600), allowed.err


def test_a_source_of_another_kind_that_deletes_all_is_refused(shop: Shop) -> None:
    """The target's own guard, for taps that do not look at their table first."""
    head = {
        "type": "SCHEMA",
        "stream": "sales",
        "key_properties": ["id"],
        "schema": {
            "properties": {"id": {"type": "string"}, "_sdc_deleted_at": {"type": ["string", "null"]}},
        },
    }
    shop.target_config = DELETE | {"max_delete_percent": 100}
    keys = ("A", "B")
    feed(shop, [head, *({"type": "RECORD", "stream": "sales", "record": {"id": key}} for key in keys)])
    gone = [{"id": key, "_sdc_deleted_at": "2026-01-01T00:00:00Z"} for key in keys]
    refused = feed(shop, [head, *({"type": "RECORD", "stream": "sales", "record": each} for each in gone)])
    assert refused.code == 1
    assert "an emptied source is taken for a fault" in refused.errors[-1]
    assert set(shop.crm()) == {"A", "B"}
    one = feed(shop, [head, {"type": "RECORD", "stream": "sales", "record": gone[0]}])
    assert (one.code, one.summary["deleted"]) == (0, 1), one.err
    back = [gone[1], {"id": "B"}]  # deleted and made again within one run
    both = feed(shop, [head, *({"type": "RECORD", "stream": "sales", "record": each} for each in back)])
    assert both.code == 0, both.err
    assert set(shop.crm()) == {"B"}


def feed(shop: Shop, messages: list[dict[str, Any]]) -> Finished:
    _, target = shop.configs()
    path = shop.folder / "messages.singer"
    path.write_text("".join(json.dumps(each) + "\n" for each in messages))
    return finish(start(forked.command("target-zoho-crm", ["--config", target, "--input", path])))


@pytest.mark.parametrize(("settings", "channel"), [(DELETE, "upsert"), (MARK, "bulk_write")])
def test_an_order_that_comes_back_is_sent_anew(any_shop: Shop, settings: dict[str, Any], channel: str) -> None:
    shop = filled(any_shop, 10)
    shop.target_config = settings | {"channel": channel, "skip_unchanged": True}
    before = shop.orders()["SO-3"]
    remove(shop, ["SO-3"])
    assert shop.run().summary["deleted"] == 1
    with shop.engine.begin() as connection:  # restored as it was, long before the bookmark
        connection.execute(sa.insert(ORDERS), [before._asdict()])
    shop.change(["SO-9"])
    back = shop.run()
    assert (back.summary["read"], back.summary["synced"]) == (2, 2), back.err
    assert not shop.crm()["SO-3"].get("Is_Gone")
    shop.assert_all_synced()
    assert shop.run().summary["read"] == 0


def test_a_record_that_somebody_deleted_in_the_crm_counts_as_deleted(small_shop: Shop) -> None:
    shop = small_shop
    shop.target_config = DELETE
    fault = shop.emulator.admin.add_fault("delete", kind="lost_after", times=1)
    remove(shop, ["SO-1"])
    second = shop.run()
    assert (second.code, second.summary["deleted"]) == (0, 1), second.err
    assert shop.emulator.admin.fired(fault) == 1
    assert requests(shop, "delete") == 2
    assert "SO-1" not in shop.crm()


def test_a_kill_amid_the_deletions_loses_none(gone_shop: Shop) -> None:
    shop = gone_shop
    shop.target_config = DELETE
    remove(shop, GONE)
    shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.delete")
    second = shop.run()
    assert second.code == 0, second.err
    assert set(shop.crm()) == set(shop.orders())
    assert statuses(shop, GONE) == {("deleted", "delete", True)}


def test_an_order_that_is_only_filtered_out_is_not_gone(small_shop: Shop) -> None:
    shop = small_shop
    shop.target_config = DELETE
    shop.tap_config = {"find_deleted": True, "filter": "order_id = 'SO-1'"}
    assert shop.run().summary["read"] == 0
    assert len(shop.crm()) == 10


def test_a_ledger_elsewhere_finds_the_same(small_shop: Shop) -> None:
    shop = small_shop
    shop.ack_url = f"sqlite:///{shop.folder}/elsewhere.sqlite"
    shop.state.unlink()
    assert shop.run().summary["synced"] == 10
    shop.target_config = DELETE
    remove(shop, ["SO-4"])
    assert shop.run().summary["deleted"] == 1
    assert set(shop.crm()) == set(shop.orders())


def test_workflows_run_for_a_deletion_only_where_they_are_asked_for(small_shop: Shop) -> None:
    shop = small_shop
    for trigger, expected in (([], 0), (["workflow"], 1)):
        shop.target_config = DELETE | {"trigger": trigger}
        remove(shop, [next(iter(shop.orders()))])
        assert shop.run().summary["deleted"] == 1
        by_way = shop.emulator.admin.stats()["automations_by_way"]
        assert by_way.get("delete", {}).get("workflow", 0) == expected


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"on_delete": "mark"}, "delete_field"),
        ({"on_delete": "mark", "delete_field": "Is_Gon"}, "Is_Gone"),
    ],
)
def test_a_mark_that_cannot_be_set_is_refused(small_shop: Shop, settings: dict[str, Any], says: str) -> None:
    small_shop.target_config = settings
    ended = small_shop.run()
    assert ended.code == 2
    assert says in ended.errors[0]


def test_composite_and_numeric_keys(shop: Shop) -> None:
    with shop.engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE sales (region VARCHAR(9), number INTEGER, notes VARCHAR(9), updated_at TIMESTAMP, "
            "PRIMARY KEY (region, number))"
        )
        for number in range(6):
            connection.exec_driver_sql(f"INSERT INTO sales VALUES ('E|U', {number}, 'x', '2026-01-01 08:00:00')")
    shop.tap_config = {"find_deleted": True, "orders_table": "sales"}
    shop.target_config = DELETE
    assert shop.run().summary["synced"] == 6
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("DELETE FROM sales WHERE number = 5")
    out = shop.tap().out
    (gone,) = [json.loads(line)["record"] for line in out.splitlines() if '"RECORD"' in line]
    assert gone.pop("_sdc_deleted_at")
    assert gone == {"region": "E|U", "number": 5, "_sync_key": "E\\|U|5", "_sync_version": "(deleted)"}
    assert shop.run().summary["deleted"] == 1
    assert len(shop.crm()) == 5


@pytest.mark.parametrize("way", ["module", "subform"])
def test_the_lines_of_a_deleted_order_go_with_it(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, way: str
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": way})
    shop.tap_config["find_deleted"] = True
    shop.target_config |= DELETE
    keys = [f"SO-{number}" for number in range(20)]
    shop.insert_whole(keys, most_lines=5)
    assert shop.run().code == 0
    with shop.engine.begin() as connection:
        for table in (ORDERS, LINES):
            connection.execute(sa.delete(table).where(table.c.order_id.in_(keys[:3])))
    second = shop.run()
    assert (second.code, second.summary["deleted"]) == (0, 3), second.err
    assert set(shop.crm()) == set(keys[3:])
    shop.assert_whole()
    shop.engine.dispose()


def test_a_deletion_that_zoho_refuses_is_told_and_not_asked_for_again(small_shop: Shop) -> None:
    shop = small_shop
    shop.target_config = DELETE
    remove(shop, ["SO-1"])
    no = {"code": "NO_PERMISSION", "details": {}, "message": "permission denied", "status": "error"}
    fault = shop.emulator.admin.add_fault("delete", kind="answer", status=400, body=json.dumps({"data": [no]}))
    second = shop.run()
    assert (second.code, second.summary["rejected"]) == (0, 1), second.err
    ack = shop.acks()["SO-1"]
    assert (ack.status, ack.error_code, ack.zoho_id) == ("rejected", "NO_PERMISSION", shop.crm()["SO-1"]["id"])
    assert shop.run().summary["read"] == 0
    shop.emulator.admin.remove_fault(fault)
    shop.insert(["SO-1"])
    assert shop.run().summary["synced"] == 1
    remove(shop, ["SO-1"])
    assert shop.run().summary["deleted"] == 1
