"""`orders-sync plan` foretells what the next run does, and changes nothing."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pair_of_plugins import Shop
from shop_with_line_items import ShopWithLineItems

from orders_sync.cli import main
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from zoho_crm_emulator.control import EmulatorProcess


def ask(shop: Shop, *options: str) -> Result:
    tap, target = shop.configs()
    return CliRunner().invoke(main, ["plan", "--tap-config", str(tap), "--target-config", str(target), *options])


def plan(shop: Shop, *options: str) -> Any:
    result = ask(shop, "--json", *options)
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def written(shop: Shop) -> dict[str, int]:
    """What the emulator has seen of writes so far."""
    stats = shop.emulator.admin.stats()
    kinds = stats["credits"]["by_kind"]
    asked = {name: int(stats["requests"].get(name, 0)) for name in ("upsert", "bulk_create")}
    return asked | {"credits": sum(spent for kind, spent in kinds.items() if kind not in {"metadata", "coql"})}


def assert_comes_true(shop: Shop) -> Any:
    """The next run does what was planned, to the call, the job and the credit."""
    foretold, before = plan(shop), written(shop)
    ended = shop.run()
    assert ended.code == 0, ended.err
    after = {name: count - before[name] for name, count in written(shop).items()}
    assert after == {"upsert": foretold["calls"], "bulk_create": foretold["jobs"], "credits": foretold["credits"]}
    assert ended.summary["read"] == foretold["orders"]
    assert ended.summary["left unsynced"] == foretold["left"]
    assert all(line.partition(" times: ")[2] in ended.err for line in foretold["why"] if " times: " in line)
    return foretold


def test_a_plan_comes_true_and_says_why(shop: Shop) -> None:
    shop.target_config = {"bulk_rows": 200, "bulk_threshold": 150}
    shop.insert(f"SO-{number}" for number in range(530))
    foretold = assert_comes_true(shop)
    assert (foretold["jobs"], foretold["by_jobs"], foretold["calls"], foretold["by_calls"]) == (2, 400, 2, 130)
    assert foretold["credits"] == 2 * 500 + 13
    shop.change(["SO-1", "SO-2"])
    assert assert_comes_true(shop)["orders"] == 2
    assert assert_comes_true(shop)["orders"] == 0


@pytest.mark.parametrize("by_jobs", [False, True])
def test_a_plan_of_orders_with_line_items_comes_true(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, *, by_jobs: bool
) -> None:
    shop = ShopWithLineItems(sqlite_url, zoho_emulator, tmp_path)
    shop.insert_whole([f"SO-{number}" for number in range(30)], most_lines=5)
    if by_jobs:
        shop.by_jobs()
    foretold, before = plan(shop), written(shop)
    assert shop.run().code == 0
    assert (foretold["jobs"], foretold["credits"]) == ((1, 500) if by_jobs else (0, 3))
    assert written(shop)["credits"] - before["credits"] == foretold["credits"]
    shop.engine.dispose()


def test_it_says_what_a_first_contact_costs_until_there_was_one(shop: Shop) -> None:
    def says_so() -> bool:
        return "about 5 credits of the first contact" in ask(shop, "--offline").output

    assert not says_so()  # no order, no contact
    shop.insert(f"SO-{number}" for number in range(12))
    shop.target_config = {"first_contact": "off"}
    assert not says_so()
    shop.target_config = {"first_contact": "careful"}
    assert says_so()
    shop.target_config = {"first_contact": "off"}
    assert shop.run().code == 0
    shop.change(["SO-1"])
    shop.target_config = {"first_contact": "careful"}
    assert not says_so()


def test_it_changes_nothing(shop: Shop) -> None:
    shop.insert(["A-1"])
    before = written(shop)
    assert plan(shop)["orders"] == 1
    assert sa.inspect(shop.engine).get_table_names() == ["orders"]
    assert shop.run().code == 0
    shop.change(["A-1"])
    kept, before = everything(shop), written(shop)
    plan(shop)
    assert everything(shop) == kept
    assert written(shop) == before


def everything(shop: Shop) -> list[Any]:
    ledger = Ledger.open(shop.ack_url)
    with ledger.connect() as connection:
        rows = [list(connection.execute(sa.select(table))) for table in ledger.tables.metadata.sorted_tables]
    ledger.close()
    return rows


def test_a_budget_leaves_what_the_plan_says(small: Shop) -> None:
    small.target_config = {"channel": "bulk_write", "bulk_rows": 200, "credit_budget": 1_020}
    small.insert(f"SO-{number}" for number in range(600))
    assert "`credit_budget` 1,020: 200 orders would be left to later runs" in ask(small).output
    foretold = assert_comes_true(small)
    assert (foretold["orders"], foretold["jobs"], foretold["left"]) == (600, 2, 200)


def test_due_orders_and_what_dead_runs_left_are_in_the_plan(small: Shop) -> None:
    small.target_config = {"channel": "upsert"}
    small.insert(["OPEN", "POISON"])
    small.emulator.admin.add_fault(kind="poison", keys=["POISON"], code="INTERNAL_ERROR")
    assert small.run().code == 0
    make_due(small)
    foretold = assert_comes_true(small)
    assert (foretold["orders"], foretold["in_ledger"]["alone"]) == (1, 1)
    small.target_config = {"channel": "bulk_write"}
    small.insert(["IN-A-JOB"])
    small.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.create_job")
    in_ledger = plan(small)["in_ledger"]
    assert (in_ledger["adopted_jobs"], in_ledger["adopted_orders"]) == (1, 1)
    assert "1 jobs of earlier runs, with 1 orders, are adopted first" in ask(small).output


def make_due(shop: Shop) -> None:
    ledger = Ledger.open(shop.ack_url)
    ack = ledger.tables.ack
    with ledger.begin() as connection:
        waiting = sa.update(ack).where(ack.c.next_attempt_at.is_not(None))
        connection.execute(waiting.values(next_attempt_at=ledger.now(connection) - timedelta(minutes=1)))
    ledger.close()


def test_what_keeps_orders_from_jobs_is_named(small: Shop) -> None:
    small.target_config = {"trigger": [], "bulk_threshold": 2}
    small.insert(["A-1", "A-2"])
    foretold = plan(small)
    assert (foretold["jobs"], foretold["calls"]) == (0, 1)
    assert "by upsert calls only, since a job cannot be set to run no automation" in foretold["why"]
    assert plan(small, "--offline")["reading_credits"] == 0


def test_a_live_run_is_named(small: Shop) -> None:
    small.insert(["A-1"])
    assert small.run().code == 0
    ledger = Ledger.open(small.ack_url)
    lock = Lease.acquire(ledger, "orders")
    assert "a run that began now would end at once: a run of stream 'orders'" in ask(small).output
    lock.release("finished", {}, 0)
    ledger.close()
    assert plan(small)["in_ledger"]["live_run"] is None


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"module": "Ordres"}, "Ordres"),
        ({"client_id": None}, "'client_id' is a required property"),
        ({"ack_url": "sqlite:////tmp/another.sqlite"}, "another ledger than the target's"),
    ],
)
def test_what_would_end_a_run_ends_the_plan_in_one_line(small: Shop, settings: dict[str, Any], words: str) -> None:
    small.target_config = settings
    result = ask(small)
    assert result.exit_code == 1
    assert result.output.startswith("Error: ")
    assert words in result.output
    assert result.output.count("\n") == 1


def test_what_does_not_go_with_follow_mode_ends_the_plan_and_is_an_error_to_doctor(shop: Shop) -> None:
    shop.tap_config |= {"follow": True, "find_deleted": True}
    tap, target = shop.configs()
    for command in ("plan", "doctor"):
        result = CliRunner().invoke(main, [command, "--tap-config", str(tap), "--target-config", str(target)])
        assert result.exit_code == 1
        assert "find_deleted: deletions are found by runs that end" in result.output
