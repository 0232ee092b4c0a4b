"""Our own credit budget: what it does not suffice for is left, counted, and sent by the next runs."""

from __future__ import annotations

import pytest
from pair_of_plugins import Finished, Shop

JOB_CREDITS = 500


def spent(shop: Shop) -> int:
    return sum(shop.emulator.admin.stats()["credits"]["by_kind"].values())


def opening(shop: Shop) -> int:
    """What a run without orders spends: on reading what the module's fields are."""
    before = spent(shop)
    assert shop.run().code == 0
    return spent(shop) - before


def run_within(shop: Shop, budget: int) -> Finished:
    """One run; it ends well and spends no more than its budget."""
    shop.target_config["credit_budget"] = budget
    before = spent(shop)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert spent(shop) - before <= budget
    left = ended.summary["left unsynced"]
    said = f"Stream 'orders': {left:,} records are left to the next run: this one may spend no more credits"
    assert (said in ended.err) == bool(left)
    return ended


def test_jobs_while_they_can_be_paid_then_calls_then_no_more(shop: Shop) -> None:
    shop.target_config = {"bulk_rows": 200, "bulk_threshold": 200}
    shop.insert(f"SO-{number}" for number in range(1_000))
    first = run_within(shop, 2 * JOB_CREDITS + 50)
    assert [len(shop.jobs()), shop.emulator.admin.stats()["jobs"]["COMPLETED"]] == [2, 2]
    by_calls = first.summary["synced"] - 400
    assert 400 <= by_calls <= 500  # the metadata cost a few credits too
    assert first.summary["left unsynced"] == 600 - by_calls
    second = run_within(shop, 60)
    assert second.summary["read"] == 600 - by_calls
    shop.assert_all_synced()


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_budget_for_nothing_sends_nothing_and_loses_nothing(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel}
    fixed = opening(shop)
    shop.insert(f"SO-{number}" for number in range(30))
    ended = run_within(shop, fixed)
    assert (ended.summary["synced"], ended.summary["left unsynced"]) == (0, 30)
    assert shop.crm() == {}
    assert shop.acks() == {}
    run_within(shop, fixed + 1 + JOB_CREDITS)
    shop.assert_all_synced()


def test_a_job_whose_credits_went_elsewhere_is_not_made_and_its_orders_are_due_again(shop: Shop) -> None:
    shop.target_config = {"channel": "bulk_write"}
    fixed = opening(shop)
    shop.insert(f"SO-{number}" for number in range(30))
    ended = run_within(shop, fixed + JOB_CREDITS)  # reading the org for the upload takes one of the job's credits
    assert (ended.summary["synced"], ended.summary["left unsynced"]) == (0, 30)
    assert {ack.status for ack in shop.acks().values()} == {"rejected"}
    run_within(shop, fixed + 1 + JOB_CREDITS)
    shop.assert_all_synced()


def test_a_hundred_thousand_orders_in_several_runs(shop: Shop) -> None:
    shop.insert(f"SO-{number:06}" for number in range(100_000))
    first = run_within(shop, 1_200)
    assert len(shop.jobs()) == 2
    left = first.summary["left unsynced"]
    assert 100_000 - left - 50_000 <= 2_000
    runs = 1
    while left:
        left = run_within(shop, 1_200).summary["left unsynced"]
        runs += 1
        assert runs < 4
    shop.assert_all_synced()
