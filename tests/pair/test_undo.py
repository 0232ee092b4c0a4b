"""What a run inserted is deleted: but for what people and later runs wrote since, the CRM is as it was before."""

from __future__ import annotations

import json
import subprocess
from collections import Counter

import forked
import pytest
from audited_shop import CLERK, delete_records, edit
from click.testing import CliRunner
from emulator_client import Client
from pair_of_plugins import PROCESS_SECONDS, Shop, start
from undone_runs import UNDO, command, contents, killed_undo, last_run, outcomes, undo

from orders_sync.cli import main

KILL_POINTS = (
    "after:sync_ledger.leases.Lease.acquire",
    f"before:{UNDO}.crm_orders.CrmOrders.read:2",
    f"before:{UNDO}.crm_orders.CrmOrders.delete:1",
    f"after:{UNDO}.crm_orders.CrmOrders.delete:2",
    "before:sync_ledger.leases.Lease.release",
)


def test_what_a_run_inserted_is_deleted_and_held_until_it_is_released(any_shop: Shop) -> None:
    shop = any_shop
    shop.insert(["OLD-1", "OLD-2"])
    assert shop.run().code == 0
    before = contents(shop)
    shop.insert([f"NEW-{number}" for number in range(150)])
    assert shop.run().code == 0
    run = last_run(shop)

    said = json.loads(command(shop, "undo", run, "--dry-run", "--json").stdout)
    assert (said["orders"], said["inserted"], len(shop.crm())) == (150, 150, 152)
    found = undo(shop, run)
    assert found["counts"] == {"reversed": 150, "kept": 0, "impossible": 0}
    assert found["credits"] == said["credits"] + 1  # who the API's user is
    assert contents(shop) == before

    # Held: neither what did not change is written, nor what did.
    shop.change(["NEW-3", "NEW-4", "OLD-1"])
    assert shop.run().summary == Counter(read=3, synced=1, held=2)
    assert shop.run().summary["read"] == 0
    assert set(shop.crm()) == {"OLD-1", "OLD-2"}
    assert Counter(ack.status for ack in shop.acks().values()) == {"held": 150, "synced": 2}

    shop.change(["NEW-5"])
    status = json.loads(command(shop, "status", "--ledger-only", "--json").stdout)["streams"][0]
    assert status["held"] == [{"run_id": run, "held": 150, "changed": 2}]
    tap, target = shop.configs()
    options = ["--tap-config", str(tap), "--target-config", str(target), "--offline", "--json"]
    backlog = json.loads(CliRunner().invoke(main, ["plan", *options]).stdout)["backlog"]
    assert (backlog["next_run"], backlog["held"]) == (0, 1)

    assert undo(shop, run)["counts"]["reversed"] == 150  # twice: nothing more is to be done
    assert json.loads(command(shop, "release", run, "--json").stdout)["released"] == 150
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_a_wrong_setting_is_not_said_to_pass_by_itself(shop: Shop) -> None:
    shop.insert(["NEW"])
    assert shop.run().code == 0
    shop.target_config["operation"] = "append"
    result = command(shop, "undo", last_run(shop), "--yes")
    assert (result.exit_code, "'append' is not one of" in result.output) == (1, True), result.output
    assert "undo once more" not in result.output


def test_what_people_and_later_runs_wrote_since_is_kept_and_they_are_named(shop: Shop) -> None:
    shop.insert([f"SO-{number}" for number in range(8)])
    assert shop.run().code == 0
    first = last_run(shop)
    edit(shop, ["SO-1"], Status="Returned")  # by a clerk, within the same second
    delete_records(shop, ["SO-2"])
    shop.change(["SO-3"])
    assert shop.run().code == 0
    later = last_run(shop)
    record = shop.crm()["SO-4"]["id"]
    Client(shop.emulator).put(f"/crm/v8/Orders/{record}", json={"data": [{"parent_id": "SOMEBODY-ELSES"}]})
    shop.insert(["SO-9"], status="Shiped")
    there = contents(shop)

    found = undo(shop, first)
    by_key = {each["key"]: each for each in found["orders"]}
    assert found["counts"] == {"reversed": 4, "kept": 4, "impossible": 0}
    assert {key for key, each in by_key.items() if each["outcome"] == "kept"} == {"SO-1", "SO-2", "SO-3", "SO-4"}
    assert CLERK in by_key["SO-1"]["person"]
    assert by_key["SO-3"]["later_run"] == later
    assert contents(shop) == {key: there[key] for key in ("SO-1", "SO-3", "SOMEBODY-ELSES")}
    # What the later run changed has no values from before.
    assert outcomes(undo(shop, later)) == {"SO-3": "impossible"}


def test_with_later_runs_undone_each_order_has_one_result(shop: Shop) -> None:
    keys = [f"A-{number}" for number in range(1, 61)]
    shop.insert(keys)
    assert shop.run().code == 0
    first = last_run(shop)
    for status in ("Paid", "Shipped"):
        shop.change(keys[:3], status=status)
        assert shop.run().code == 0
    latest = last_run(shop)

    price = json.loads(command(shop, "undo", first, "--with-later", "--dry-run", "--json").stdout)
    assert (price["orders"], price["inserted"]) == (60, 57)
    found = undo(shop, first, "--with-later")
    assert found["counts"] == {"reversed": 57, "kept": 0, "impossible": 3}
    others = [each for each in found["orders"] if each["outcome"] != "reversed"]
    assert {(each["key"], each["run"]) for each in others} == {(key, latest) for key in keys[:3]}
    assert set(shop.crm()) == set(keys[:3])
    said = command(shop, "undo", first, "--with-later", "--yes").stdout
    assert "60 orders = 57 reversed + 0 kept + 3 impossible" in said
    assert f"not kept (`keep_before`); what run {latest[:8]} wrote: A-1, A-2, A-3" in said
    assert "a later run wrote it" not in said


@pytest.mark.parametrize(
    "point",
    [
        pytest.param(point, marks=() if "after" in point and "delete" in point else pytest.mark.nightly)
        for point in KILL_POINTS
    ],
)
def test_an_undo_that_was_killed_goes_on_and_no_run_writes_its_orders_meanwhile(shop: Shop, point: str) -> None:
    shop.insert(["OLD-1"])
    assert shop.run().code == 0
    before = contents(shop)
    shop.insert([f"NEW-{number:03}" for number in range(250)])
    assert shop.run().code == 0
    run = last_run(shop)
    assert killed_undo(shop, run, point).code == -9
    between = shop.run()
    assert between.code in {0, 3}, between.err
    assert undo(shop, run)["counts"] == {"reversed": 250, "kept": 0, "impossible": 0}
    assert contents(shop) == before
    assert shop.run().code == 0
    assert contents(shop) == before


def test_an_undo_that_was_asked_for_twice_leaves_its_orders_held_and_to_be_released(shop: Shop) -> None:
    """The first one waits for its answer while the second one undoes all."""
    shop.insert(["SO-1", "SO-2"])
    assert shop.run().code == 0
    run = last_run(shop)
    _, target = shop.configs()
    options = ["undo", run, "--target-config", str(target), "--ack-url", shop.ack_url]
    asking = start(forked.command("orders-sync", options), stdin=subprocess.PIPE)
    assert asking.stdin is not None
    assert asking.stderr is not None
    assert "2 orders" in asking.stderr.readline()
    assert undo(shop, run)["counts"]["reversed"] == 2
    asking.stdin.write("y\n")
    asking.communicate(timeout=PROCESS_SECONDS)
    assert asking.returncode == 0
    assert {ack.status for ack in shop.acks().values()} == {"held"}
    assert "2 orders" in command(shop, "release", run).output
    assert shop.run().code == 0
    shop.assert_all_synced()
