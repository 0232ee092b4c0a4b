"""`unsynced_by: sync_flag`: the shop's own flag says what is unsynced, and is set where the CRM has it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_fixtures import fresh_database
from flag_shop import (
    WITHOUT_COMPARE,
    FlagShop,
    all_in_flight_are_changed,
    switched_back_and_forth_writes_nothing,
)
from following_pair import FOLLOW, following, until

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[FlagShop]:
    shop = FlagShop.open(sqlite_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


@pytest.fixture
def any_shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[FlagShop]:
    shop = FlagShop.open(engine_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()


@pytest.mark.parametrize(
    ("engine", "kind"),
    [
        ("sqlite", "boolean"),
        ("sqlite", "null"),
        ("postgresql", "boolean"),
        ("postgresql", "number"),
        ("postgresql", "letter"),
        ("mariadb", "boolean"),
        ("mariadb", "letter"),
    ],
)
def test_the_flag_is_set_with_the_ack_and_a_refused_order_keeps_it_unset(
    engine: str, kind: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    with fresh_database(engine, tmp_path) as url:
        shop = FlagShop.open(url, zoho_emulator, tmp_path, kind)
        shop.insert([f"SO-{number}" for number in range(60)])
        shop.change(["SO-0"], total_amount=None, customer_name="too long " * 30)
        first = shop.run()
        assert (first.code, first.summary["synced"], first.summary["rejected"]) == (0, 59, 1), first.err
        shop.assert_all_flagged(but=["SO-0"])
        assert shop.run().summary["read"] == 0  # not sent again until it changes
        shop.change(["SO-0", "SO-1"], customer_name="short")
        assert shop.run().summary["synced"] == 2
        shop.assert_all_flagged()
        assert shop.run().summary["read"] == 0
        shop.engine.dispose()


def test_an_order_changed_while_in_flight_keeps_its_flag_unset(shop: FlagShop) -> None:
    shop.insert(["SO-1", "SO-2"])
    _change_in_flight(shop)
    assert shop.run().code == 0
    assert set(shop.flagged()) == {"SO-2"}
    shop.assert_no_flag_without_its_write()
    shop.run_until_quiet()
    shop.assert_all_flagged()


def test_the_check_fails_where_the_comparison_is_taken_out(shop: FlagShop) -> None:
    shop.insert(["SO-1", "SO-2"])
    _change_in_flight(shop)
    assert shop.run_by(WITHOUT_COMPARE).code == 0
    assert set(shop.flagged()) == {"SO-1", "SO-2"}
    with pytest.raises(AssertionError, match="flags without their write: \\['SO-1'\\]"):
        shop.assert_no_flag_without_its_write()


def _change_in_flight(shop: FlagShop) -> None:
    """Have SO-1 changed while the next call is on its way."""
    hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)

    def change() -> None:
        shop.emulator.admin.wait_held(hold)
        shop.change(["SO-1"], notes="second thoughts")
        shop.emulator.admin.release(hold)

    threading.Thread(target=change).start()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_flag_that_a_kill_swallowed_is_set_by_the_next_run_which_sends_nothing(shop: FlagShop, when: str) -> None:
    shop.insert(f"SO-{number}" for number in range(5))
    assert shop.run(kill_at=f"{when}:target_zoho_crm.confirmation.sync_flags.SyncFlags.set").code == -9
    assert {ack.status for ack in shop.acks().values()} == {"synced"}
    assert len(shop.flagged()) == (0 if when == "before" else 5)
    before = shop.written_credits()
    healed = shop.run()
    assert (healed.code, healed.summary["unchanged"]) == (0, 5 if when == "before" else 0), healed.err
    assert shop.written_credits() == before
    shop.assert_all_flagged()


def test_a_set_up_that_changes_to_the_flag_sets_all_flags_and_sends_nothing(any_shop: FlagShop) -> None:
    shop = any_shop
    shop.by_ack_table()
    shop.insert(f"SO-{number}" for number in range(120))
    assert shop.run().summary["synced"] == 120
    assert not shop.flagged()
    shop.change(["SO-7"], notes="newer")
    before = shop.written_credits()
    shop.by_flag()
    changed = shop.run()
    assert (changed.summary["synced"], changed.summary["unchanged"]) == (1, 119), changed.err
    assert shop.written_credits() == before + 1
    shop.assert_all_flagged()
    switched_back_and_forth_writes_nothing(shop)


def test_a_person_has_a_refused_order_tried_again(shop: FlagShop) -> None:
    from click.testing import CliRunner  # noqa: PLC0415

    from orders_sync.cli import main  # noqa: PLC0415

    shop.emulator.admin.add_fault(kind="record_error", code="INVALID_DATA", keys=["SO-1"], times=1)
    shop.insert(["SO-1"])
    shop.run()
    assert shop.run().summary["read"] == 0
    asked = CliRunner().invoke(main, ["retry", "--ack-url", shop.ack_url, "SO-1"])
    assert asked.exit_code == 0, asked.output
    assert shop.run().summary["synced"] == 1
    shop.assert_all_flagged()


def test_a_late_commit_of_any_age_is_found_by_its_flag(shop: FlagShop) -> None:
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    shop.insert(["SO-2"], updated_at=shop.tick().replace(year=2001))
    assert shop.run().summary["synced"] == 1
    shop.assert_all_flagged()


def test_a_ledger_elsewhere_needs_the_orders_url(shop: FlagShop, tmp_path: Path) -> None:
    shop.insert(f"SO-{number}" for number in range(5))
    with fresh_database("sqlite", tmp_path) as other:
        shop.ack_url = other
        refused = shop.run()
        assert refused.code == 2
        assert "orders_url" in refused.errors[-1]
        assert not shop.crm()
        shop.target_config["orders_url"] = shop.url
        assert shop.run().summary["synced"] == 5
        assert shop.run().summary["read"] == 0
        shop.assert_all_flagged()


def test_a_flag_that_only_one_of_the_two_means_is_refused_by_name(shop: FlagShop) -> None:
    shop.insert(["SO-1"])
    for ours in (None, "is_gift"):
        shop.target_config["sync_flag_column"] = ours
        refused = shop.run()
        assert refused.code == 2
        assert "'synced'" in refused.errors[-1]
        assert "sync_flag_column" in refused.errors[-1]
    assert not shop.crm()


def test_a_trigger_that_takes_the_flag_for_a_change_ends_the_run_and_the_order_is_sent_once(shop: FlagShop) -> None:
    shop.sql(
        "CREATE TRIGGER touch AFTER UPDATE ON orders BEGIN UPDATE orders SET synced = FALSE, "
        "updated_at = '2026-02-01 00:00:00.000000' WHERE order_id = NEW.order_id; END"
    )
    shop.insert(["SO-1"])
    refused = shop.run()
    assert refused.code == 2
    assert "trigger" in refused.errors[-1]
    before = shop.written_credits()
    assert shop.run().code == 2
    assert shop.written_credits() == before


def test_follow_mode_sets_the_flag_of_each_order_as_it_comes(any_shop: FlagShop) -> None:
    shop = any_shop
    shop.tap_config |= FOLLOW
    shop.target_config["max_age_seconds"] = 0.2
    shop.insert(["SO-1"])
    with following(shop) as pair:
        until(lambda: set(shop.flagged()) == {"SO-1"}, pair)
        shop.insert(["SO-2"])
        until(lambda: set(shop.flagged()) == {"SO-1", "SO-2"}, pair)
        shop.change(["SO-1"], notes="second thoughts")
        until(lambda: shop.crm()["SO-1"].get("Notes") == "second thoughts", pair)
        until(lambda: set(shop.flagged()) == {"SO-1", "SO-2"}, pair)
        ended = pair.stop()
    assert (ended.code, ended.summary["read"]) == (0, 3), ended.err
    shop.assert_all_flagged()


@pytest.mark.nightly
def test_each_order_in_flight_is_changed_meanwhile_and_in_the_end_all_are_in_the_crm_and_flagged(
    any_shop: FlagShop,
) -> None:
    any_shop.emulator.admin.settings(job_seconds=3)
    changed = all_in_flight_are_changed(any_shop, 300, job_rows=150)
    assert changed == 300
    switched_back_and_forth_writes_nothing(any_shop)


def test_the_flag_of_an_order_is_set_whose_key_is_a_blob_in_a_column_of_texts(shop: FlagShop) -> None:
    shop.insert(["SO-1", "SO-2", "41"])
    with shop.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE orders SET order_id = x'ab12' WHERE order_id = 'SO-2'")
    assert shop.run().summary["synced"] == 3
    with shop.engine.connect() as connection:
        unset = connection.exec_driver_sql("SELECT count(*) FROM orders WHERE NOT synced").scalar_one()
    assert unset == 0
    assert shop.run().summary["read"] == 0
