"""What an undo leaves behind: no order is called taken back, or synced, that may be neither."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import forked
import sqlalchemy as sa
from audited_shop import delete_records
from pair_of_plugins import Shop, finish, start
from undone_runs import UNDO, command, contents, killed_undo, last_run, outcomes, undo

from sync_ledger.history import Packed
from sync_ledger.ledger import Ledger


def changed(shop: Shop, keys: list[str]) -> str:
    """A run that changes these orders, which keeps what they held; its id."""
    shop.target_config = {"keep_before": "changed"}
    shop.insert(keys)
    assert shop.run().code == 0
    shop.change(keys, status="Paid", notes="changed")
    assert shop.run().code == 0
    return last_run(shop)


def test_a_set_back_of_ours_without_an_answer_is_not_taken_for_somebodys_change(shop: Shop) -> None:
    shop.target_config = {"keep_before": "changed"}
    shop.insert(["SO-1", "SO-2"])
    assert shop.run().code == 0
    before = contents(shop)
    shop.change(["SO-1", "SO-2"], status="Paid", notes="changed")
    assert shop.run().code == 0
    an_hour_passes(shop)
    lost = shop.emulator.admin.add_fault("update", kind="lost_after", times=1)
    found = undo(shop, last_run(shop))
    assert shop.emulator.admin.fired(lost) == 1
    assert found["counts"] == {"reversed": 2, "kept": 0, "impossible": 0}
    assert contents(shop) == before


def an_hour_passes(shop: Shop) -> None:
    """After the last run, for Zoho and for the ledger."""
    shop.emulator.admin.advance_clock(3600)
    ledger = Ledger.open(shop.ack_url)
    ack = ledger.tables.ack
    with ledger.begin() as connection:
        for key, at in connection.execute(sa.select(ack.c.record_key, ack.c.acked_at)).all():
            own = sa.update(ack).where(ack.c.record_key == key)
            connection.execute(own.values(acked_at=at - timedelta(hours=1)))
    ledger.close()


def test_a_changed_record_that_a_person_deleted_since_does_not_count_as_reversed(shop: Shop) -> None:
    run = changed(shop, ["SO-1", "SO-2"])
    assert killed_undo(shop, run, f"before:{UNDO}.crm_orders.CrmOrders.set_back:1").code == -9
    delete_records(shop, ["SO-1"])
    assert outcomes(undo(shop, run)) == {"SO-1": "kept", "SO-2": "reversed"}


def test_an_order_whose_record_the_ledger_does_not_know_has_an_outcome(shop: Shop) -> None:
    shop.insert(["SO-1", "SO-2"])
    assert shop.run().code == 0
    ledger = Ledger.open(shop.ack_url)
    outcome = ledger.tables.outcome
    with ledger.begin() as connection:
        packed = Packed.of(connection.execute(sa.select(outcome.c.packed)).scalar_one())
        ids = [None if key == "SO-1" else zoho_id for key, zoho_id in zip(packed.keys, packed.zoho_ids, strict=True)]
        connection.execute(sa.update(outcome).values(packed=replace(packed, zoho_ids=ids).compressed()))
    ledger.close()
    assert outcomes(undo(shop, last_run(shop))) == {"SO-1": "impossible", "SO-2": "reversed"}
    assert set(shop.crm()) == {"SO-1"}


def pushed(shop: Shop, folder: Path, *keys: str) -> tuple[str, dict[str, str]]:
    """The name of a push of these orders, and what became of each."""
    file = folder / "orders.json"
    file.write_text(json.dumps([{"order_id": key, "customer_name": "Zoë", "status": "Paid"} for key in keys]))
    _, target = shop.configs()
    options = ["push", file, "--json", "--key", "order_id", "--target-config", target]
    found = json.loads(finish(start(forked.command("orders-sync", options))).out)
    return found["transaction"], {each["key"]: each["outcome"] for each in found["results"]}


def test_a_push_that_was_undone_shows_its_orders_as_they_are(shop: Shop, tmp_path: Path) -> None:
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    name, first = pushed(shop, tmp_path, "F-1", "F-2")
    assert first == {"F-1": "synced", "F-2": "synced"}
    assert undo(shop, name)["counts"]["reversed"] == 2
    down = shop.emulator.admin.add_fault(kind="answer", canned="no_permission")
    assert pushed(shop, tmp_path, "F-1", "F-2") == (name, {"F-1": "unsynced", "F-2": "unsynced"})
    shop.emulator.admin.remove_fault(down)
    assert pushed(shop, tmp_path, "F-1", "F-2") == (name, {"F-1": "held", "F-2": "held"})
    assert command(shop, "release", name).exit_code == 0
    assert pushed(shop, tmp_path, "F-1", "F-2") == (name, first)
