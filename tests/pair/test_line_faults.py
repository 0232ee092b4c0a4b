"""Lines that are refused, lost or moved: no order is called synced whose lines are not, and none is doubled."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from pair_of_plugins import ORDERS
from shop_with_lines import LINES, SUBFORM_NAMES, ShopWithLines

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

MakeShop = Callable[..., ShopWithLines]
WAYS = [("module", "upsert"), ("module", "bulk_write"), ("subform", "upsert"), ("subform", "bulk_write")]


@pytest.fixture
def shop_by(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[MakeShop]:
    """Make a shop whose lines are written in the named way."""
    made: list[ShopWithLines] = []

    def make(way: str, channel: str) -> ShopWithLines:
        shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": way})
        shop.target_config["channel"] = channel
        made.append(shop)
        return shop

    yield make
    for shop in made:
        shop.engine.dispose()


def put(shop: ShopWithLines, order: str, *numbers: int, **values: object) -> None:
    """Insert an order with these lines."""
    shop.insert([order])
    put_lines(shop, order, *numbers, **values)


def put_lines(shop: ShopWithLines, order: str, *numbers: int, **values: object) -> None:
    rows = [shop.line(order, number, id=number, **values) for number in numbers]
    with shop.engine.begin() as connection:
        connection.execute(sa.insert(LINES), rows)


@pytest.mark.parametrize(("way", "channel"), WAYS)
def test_a_line_that_zoho_refuses_is_named_and_its_order_is_not_synced(
    shop_by: MakeShop, way: str, channel: str
) -> None:
    shop = shop_by(way, channel)
    put(shop, "SO-1", 11, 12, note="there")
    put(shop, "SO-2", 21, note="there")
    put_lines(shop, "SO-2", 22, note=None)
    module = "Order_Lines" if way == "module" else "Lines"
    # Mandatory by layout: the fields call does not tell, so only Zoho can refuse it.
    shop.emulator.admin.alter_field(module, "Note", layout_mandatory=True)
    ended = shop.run()
    assert ended.summary["rejected"] == 1, ended.err
    ack = shop.acks()["SO-2"]
    assert (ack.status, ack.family, ack.error_code, ack.error_field) == (
        "rejected",
        "data",
        "MANDATORY_NOT_FOUND",
        "Note",
    )
    assert "line '22'" in ack.error_message
    assert ack.zoho_id == shop.crm()["SO-2"]["id"]
    assert shop.acks()["SO-1"].status == "synced"

    with shop.engine.begin() as connection:
        connection.execute(sa.update(LINES).where(LINES.c.id == 22).values(note="now there"))
    shop.change(["SO-2"])
    assert shop.run().summary["synced"] == 1
    shop.assert_whole()


@pytest.mark.parametrize(("way", "channel"), WAYS)
def test_a_line_that_cannot_be_written_is_refused_before_its_order_is_sent(
    shop_by: MakeShop, way: str, channel: str
) -> None:
    shop = shop_by(way, channel)
    put(shop, "SO-1", 11)
    put(shop, "SO-2", 21, 22, 23, product="NUL \0 inside")
    put_lines(shop, "SO-2", 24, quantity=Decimal("0.1234"), product="x" * 201)
    ended = shop.run()
    assert ended.summary["rejected"] == 1, ended.err
    ack = shop.acks()["SO-2"]
    assert (ack.status, set(ack.error_field.split(","))) == ("rejected", {"Product", "Quantity"})
    for line in (21, 22, 23, 24):
        assert f"line '{line}': " in ack.error_message
    assert ended.err.count("1 order: Product holds a NUL character; INVALID_DATA in field Product (orders SO-2)") == 1
    assert "inside" not in ended.err
    shop.assert_whole(but=["SO-2"])


def test_a_subform_takes_100_rows_and_an_order_with_more_is_refused(shop_by: MakeShop) -> None:
    shop = shop_by("subform", "upsert")
    put(shop, "SO-1", *range(100))
    put(shop, "SO-2", *range(100, 201))
    assert shop.run().summary["rejected"] == 1
    ack = shop.acks()["SO-2"]
    assert (ack.error_code, ack.error_field) == ("LIMIT_EXCEEDED", "Lines")
    shop.assert_whole(but=["SO-2"])


@pytest.mark.parametrize("demanded", [False, True])
@pytest.mark.parametrize("count", [60, 100])
def test_rows_that_are_all_replaced_need_no_larger_call_than_zoho_takes(
    shop_by: MakeShop, count: int, *, demanded: bool
) -> None:
    """A shop that saves an order by deleting its lines and inserting them again."""
    shop = shop_by("subform", "upsert")
    shop.emulator.admin.alter_field("Orders", "Lines", system_mandatory=demanded)
    put(shop, "SO-1", *range(count))
    put(shop, "SO-2", 1_000)
    assert shop.run().summary["synced"] == 2
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(LINES).where(LINES.c.order_id == "SO-1"))
    put_lines(shop, "SO-1", *range(2_000, 2_000 + count))
    shop.change(["SO-1", "SO-2"])
    ended = shop.run()
    assert ended.summary["synced"] == 2, ended.err
    shop.assert_whole()


def test_a_run_killed_among_the_calls_that_replace_rows_is_completed(shop_by: MakeShop) -> None:
    shop = shop_by("subform", "upsert")
    put(shop, "SO-1", *range(60))
    shop.run()
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(LINES).where(LINES.c.order_id == "SO-1"))
    put_lines(shop, "SO-1", *range(2_000, 2_060))
    shop.change(["SO-1"])
    assert shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.upsert:2").code == -signal.SIGKILL
    assert len(shop.crm_lines()) not in {0, 60}
    assert shop.run().code == 0
    shop.assert_whole()


@pytest.mark.parametrize("way", ["module", "subform"])
@pytest.mark.parametrize("kind", ["lost_before", "lost_after"])
def test_a_lost_answer_to_a_call_of_lines_doubles_none(shop_by: MakeShop, way: str, kind: str) -> None:
    shop = shop_by(way, "upsert")
    put(shop, "SO-1", *range(10, 20))
    module = "Order_Lines" if way == "module" else "Orders"
    fault = shop.emulator.admin.add_fault("upsert", kind=kind, module=module, after=int(way == "subform"), times=1)
    shop.run()
    assert shop.emulator.admin.fired(fault) == 1
    shop.run()
    shop.assert_whole()
    assert shop.run().summary["read"] == 0


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
@pytest.mark.parametrize("kind", ["lost_before", "lost_after"])
def test_a_lost_answer_to_a_call_that_only_takes_rows_away_refuses_no_order(
    shop_by: MakeShop, channel: str, kind: str
) -> None:
    shop = shop_by("subform", channel)
    put(shop, "SO-1", *range(10, 20))
    shop.run()
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(LINES).where(LINES.c.id < 13))
    shop.change(["SO-1"])
    before = int(channel == "upsert")  # the order itself
    fault = shop.emulator.admin.add_fault("upsert", kind=kind, module="Orders", after=before, times=1)
    shop.run()
    assert shop.emulator.admin.fired(fault) == 1
    assert shop.acks()["SO-1"].family != "data"
    shop.run()
    shop.assert_whole()


@pytest.mark.parametrize(("way", "channel"), WAYS)
def test_an_empty_answer_to_the_question_for_lines_keeps_none_that_is_gone(
    shop_by: MakeShop, way: str, channel: str
) -> None:
    shop = shop_by(way, channel)
    put(shop, "SO-1", 11, 12)
    put(shop, "SO-2", 21)
    while shop.run().summary["read"]:
        pass
    shop.assert_whole()
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(LINES).where(LINES.c.id == 12))
    shop.change(["SO-1", "SO-2"], notes="with a line less")
    shop.emulator.admin.add_fault("coql", kind="answer_after", canned="empty", times=7)
    while (ended := shop.run()).summary["read"]:
        assert ended.code in (0, 1), ended.err
    shop.assert_whole()


def test_rows_that_somebody_doubled_in_the_crm_are_one_again_after_the_next_change(shop_by: MakeShop) -> None:
    shop = shop_by("subform", "upsert")
    put(shop, "SO-1", 11, 12)
    shop.run()
    _, key, parent = SUBFORM_NAMES
    row = {key: "11", parent: {"id": shop.crm()["SO-1"]["id"]}, "Product": "a double"}
    shop.emulator.admin.put_records("Lines", [row])
    shop.change(["SO-1"])
    assert shop.run().summary["synced"] == 1
    shop.assert_whole()


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_lines_that_move_from_order_to_order_are_kept(shop_by: MakeShop, channel: str) -> None:
    shop = shop_by("module", channel)
    keys = [f"SO-{number}" for number in range(120)]
    shop.insert(keys)
    shop.add_lines(dict.fromkeys(keys, 3))
    assert shop.run().code == 0
    with shop.engine.begin() as connection:
        for old, new in zip(keys, [*keys[60:], *keys[:60]], strict=True):
            moved = connection.scalar(sa.select(sa.func.min(LINES.c.id)).where(LINES.c.order_id == old))
            connection.execute(sa.update(LINES).where(LINES.c.id == moved).values(order_id=new))
    shop.change(keys)
    assert shop.run().summary["synced"] == 120
    shop.assert_whole()


def test_a_line_that_moves_just_before_it_would_be_taken_away_is_kept(shop_by: MakeShop) -> None:
    shop = shop_by("module", "upsert")
    put(shop, "SO-1", 11, 12)
    put(shop, "SO-2", 21)
    shop.run()
    with shop.engine.begin() as connection:
        connection.execute(sa.delete(LINES).where(LINES.c.id == 12))
    shop.change(["SO-1"])
    admin = shop.emulator.admin
    hold = admin.add_fault("coql", kind="hold_before", after=1, times=1)  # the second look, before the delete
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(shop.run)
        admin.wait_held(hold)
        admin.put_records("Order_Lines", [{"line_id": "12", "Order": {"id": shop.crm()["SO-2"]["id"]}}])
        admin.release(hold)
        assert run.result().summary["synced"] == 1
    assert shop.crm_lines()["12"]["order"] == "SO-2"


def test_lines_deselected_later_are_left_alone(shop_by: MakeShop) -> None:
    shop = shop_by("module", "upsert")
    put(shop, "SO-1", 11, 12)
    shop.run()
    shop.tap_config["lines"] = None
    shop.target_config["lines"] = None
    shop.change(["SO-1"])
    assert shop.run().summary["synced"] == 1
    shop.assert_whole()


def test_with_skip_unchanged_a_changed_line_is_a_changed_order(shop_by: MakeShop) -> None:
    shop = shop_by("module", "upsert")
    shop.emulator.admin.remove_field("Orders", "Updated_At")  # were it mapped, each touch would change the order
    shop.target_config["skip_unchanged"] = True
    put(shop, "SO-1", 11, 12)
    put(shop, "SO-2", 21)
    shop.run()
    with shop.engine.begin() as connection:
        connection.execute(sa.update(LINES).where(LINES.c.id == 12).values(note="edited"))
        connection.execute(sa.update(ORDERS).values(updated_at=shop.tick()))
    ended = shop.run()
    assert (ended.summary["synced"], ended.summary["unchanged"]) == (1, 1)
    shop.assert_whole()


MISTAKES = {
    "a stream without lines": ({"property": "positions"}, "lines.property"),
    "a key that is not there": ({"key_property": "nr"}, "lines.key_property"),
    "an unknown module": ({"module": "Order_Line"}, "Did you mean Order_Lines"),
    "a key that is not unique": ({"key_field": "Product"}, "not unique"),
    "a field that is no lookup": ({"order_field": "Product"}, "lines.order_field"),
    "a field that is no subform": ({"write_to": "subform", "subform": "Notes"}, "lines.subform"),
    "a lookup by value": ({"fields": {"Note": {"find_by": "Name"}}}, "find_by"),
    "a field that keeps its value": ({"fields": {"Note": {"null": "keep"}}}, "null: keep"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_in_the_setting_is_told_in_one_line(shop_by: MakeShop, mistake: str) -> None:
    config, says = MISTAKES[mistake]
    shop = shop_by("module", "upsert")
    put(shop, "SO-1", 11)
    shop.target_config["lines"] = config
    ended = shop.run()
    assert ended.code == 2, ended.err
    assert len(ended.errors) == 1
    assert says in ended.errors[0]
    assert shop.acks() == {}


@pytest.mark.parametrize("demanded_by", ["system_mandatory", "layout_mandatory"])
def test_a_new_order_goes_with_the_lines_that_a_mandatory_subform_demands(shop_by: MakeShop, demanded_by: str) -> None:
    shop = shop_by("subform", "upsert")
    put(shop, "SO-1", 11)
    shop.emulator.admin.alter_field("Orders", "Lines", **{demanded_by: True})
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert {key: ack.status for key, ack in shop.acks().items()} == {"SO-1": "synced"}
    assert shop.crm_lines() == shop.legacy_lines()


def test_whole_orders_cannot_be_inserted_and_the_error_says_what_can(shop_by: MakeShop) -> None:
    shop = shop_by("module", "upsert")
    put(shop, "SO-1", 11)
    shop.target_config["operation"] = "insert"
    ended = shop.run()
    assert ended.code != 0
    assert "Set `operation` to upsert or update, or leave `lines` out." in ended.err
    assert shop.acks() == {}
