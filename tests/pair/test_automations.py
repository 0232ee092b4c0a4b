"""Automations: those that were asked for run, no others, and the first load is told from later runs by the ledger."""

from __future__ import annotations

from typing import Any

import pytest
from pair_of_plugins import Shop

QUIET_FIRST = {"trigger": ["workflow"], "first_load_trigger": []}


def ran(shop: Shop) -> dict[str, int]:
    automations: dict[str, int] = shop.emulator.admin.stats()["automations"]
    return automations


@pytest.mark.parametrize("jobs_run", ["none", "all"])
def test_nothing_runs_on_the_first_load_and_only_workflows_later(any_shop: Shop, jobs_run: str) -> None:
    shop = any_shop
    shop.emulator.admin.switch(bulk_automations=jobs_run)
    shop.target_config = QUIET_FIRST | {"bulk_threshold": 50}
    keys = [f"SO-{number}" for number in range(200)]
    shop.insert(keys)
    first = shop.run()
    assert (first.code, first.summary["synced"]) == (0, 200), first.err
    assert ran(shop) == {}
    assert "this run is of the first load: no automation" in first.err
    assert "by upsert calls only" in first.err
    shop.change(keys[:120])
    shop.insert(["NEW-1", "NEW-2"])
    second = shop.run()
    assert second.summary["synced"] == 122
    assert ran(shop) == {"workflow": 122}
    shop.assert_all_synced()


def test_jobs_are_used_where_they_are_known_to_do_what_is_asked(shop: Shop) -> None:
    shop.target_config = QUIET_FIRST | {"bulk_threshold": 50, "bulk_automations": "none"}
    keys = [f"SO-{number}" for number in range(60)]
    shop.insert(keys)
    shop.run()
    assert sum(shop.emulator.admin.stats()["jobs"].values()) == 1
    shop.change(keys)
    shop.run()
    assert sum(shop.emulator.admin.stats()["jobs"].values()) == 1
    assert ran(shop) == {"workflow": 60}


@pytest.mark.nightly
def test_the_first_load_lasts_until_a_run_with_orders_ends_with_nothing_left(shop: Shop) -> None:
    shop.target_config = QUIET_FIRST
    assert shop.run().code == 0  # an empty table loads nothing
    shop.insert(f"SO-{number}" for number in range(250))
    shop.run(kill_at="after:target_zoho_crm.api.client.ZohoClient.upsert")
    fault = shop.emulator.admin.add_fault("upsert", kind="lost_before", after=1)
    shop.run()
    assert len([ack for ack in shop.acks().values() if ack.status == "synced"]) < 250
    shop.emulator.admin.remove_fault(fault)
    assert shop.run().code == 0
    assert ran(shop) == {}
    shop.change(["SO-1"])
    shop.run()
    assert ran(shop) == {"workflow": 1}
    shop.assert_all_synced()


def test_features_are_skipped_and_applied(shop: Shop) -> None:
    shop.target_config = {"skip_feature_execution": ["cadences"], "apply_feature_execution": ["layout_rules"]}
    shop.insert(["SO-1", "SO-2"])
    shop.run()
    stats = shop.emulator.admin.stats()
    assert (stats["features"], stats["features_skipped"]) == ({"layout_rules": 2}, {"cadences": 2})
    assert stats["automations"] == dict.fromkeys(
        ("workflow", "approval", "blueprint", "pathfinder", "orchestration"), 2
    )


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"trigger": []}, "no automation"),
        ({"trigger": ["workflow"], "bulk_automations": "all"}, "workflow"),
        ({"first_load_trigger": []}, "no automation"),
        ({"apply_feature_execution": ["layout_rules"]}, "layout_rules"),
        ({"bulk_automations": "none"}, "all automations"),
    ],
)
def test_what_a_job_cannot_be_told_is_refused_where_jobs_are_demanded(
    shop: Shop, asked: dict[str, Any], says: str
) -> None:
    shop.target_config = {"channel": "bulk_write", **asked}
    shop.insert(["SO-1"])
    ended = shop.run()
    assert ended.code == 2
    assert says in ended.errors[0]
    assert "bulk_automations" in ended.errors[0]
    assert shop.crm() == {}


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_an_empty_value_clears_the_field_unless_it_is_to_be_ignored(shop: Shop, channel: str) -> None:
    shop.insert(["SO-1"], customer_name="Ada", notes="hello", is_gift=True)
    shop.target_config = {"channel": channel, "ignore_empty": True}
    shop.run()
    shop.change(["SO-1"], customer_name=None, notes="", is_gift=None, total_amount=None)
    shop.run()
    record = shop.crm()["SO-1"]
    assert (record["Customer_Name"], record["Notes"], record["Is_Gift"]) == ("Ada", "hello", True)
    assert record["Total_Amount"] is not None
    shop.target_config = {"channel": channel}
    shop.change(["SO-1"])
    shop.run()
    record = shop.crm()["SO-1"]
    assert (record["Customer_Name"], record["Notes"], record["Total_Amount"]) == (None, None, None)
