"""`apply` sends what was planned and nothing else; what moved on is left out, counted, and sent by the next run."""

from __future__ import annotations

import json

import pytest
from audited_shop import synced
from pair_of_plugins import Shop
from planned_shop import apply, counts, delete, plan

CLIENT = "target_zoho_crm.api.client.ZohoClient"
STREAM_LEDGER = "target_zoho_crm.confirmation.stream_ledger.StreamLedger"


def keys_of(count: int) -> list[str]:
    return [f"SO-{number:04d}" for number in range(count)]


def test_a_plan_is_applied_whole_where_nothing_changed(any_shop: Shop) -> None:
    any_shop.insert(keys_of(250))
    saved = plan(any_shop)
    ended = apply(any_shop, saved["plan"], "--json")
    assert ended.code == 0, ended.err
    assert (saved["planned"], counts(ended)) == (250, {"applied": 250})
    any_shop.assert_all_synced()
    again = apply(any_shop, saved["plan"])
    assert (again.code, again.out) == (0, f"{saved['plan']}: 250 orders = 250 applied before\n")


def test_what_moved_on_is_left_out_and_counted_and_the_next_run_sends_it(any_shop: Shop) -> None:
    keys = synced(any_shop, 60)
    assert any_shop.run().code == 0
    any_shop.change(keys[:50], status="Shipped")
    state, before = any_shop.state.read_text(), any_shop.crm()
    saved = plan(any_shop)
    any_shop.change(keys[:10], status="Returned")
    any_shop.change(keys[50:55], status="Returned")  # in no plan
    any_shop.insert(["NEW"])
    delete(any_shop, keys[10:13])
    ended = apply(any_shop, saved["plan"], "--json")
    assert ended.code == 4, ended.err
    assert counts(ended) == {"applied": 37, "moved_on": 10, "gone": 3}
    found = json.loads(ended.out)
    assert (found["left_out"]["moved_on"], found["left_out"]["gone"]) == (keys[:10], keys[10:13])
    after = any_shop.crm()
    assert {key for key in after if after[key] != before.get(key)} == set(keys[13:50])
    assert "NEW" not in after
    assert any_shop.state.read_text() == state
    shown = apply(any_shop, saved["plan"])
    assert shown.code == 4
    assert shown.out.splitlines() == [
        f"{saved['plan']}: 50 orders = 37 applied before + 13 left out",
        f"left out: 10 moved on ({', '.join(keys[:5])}, ...); 3 gone from the table ({', '.join(keys[10:13])})",
    ]
    assert any_shop.run().code == 0
    assert {key: record["Status"] for key, record in any_shop.crm().items() if key in any_shop.orders()} == {
        key: order.status for key, order in any_shop.orders().items()
    }


def test_state_of_an_apply_is_nobodys(shop: Shop) -> None:
    shop.insert(keys_of(5))
    saved = plan(shop)
    ended = apply(shop, saved["plan"])
    assert "bookmark" not in ended.out
    with shop.engine.connect() as connection:
        bound = connection.exec_driver_sql("SELECT bookmark FROM zoho_sync_stream").scalar_one()
    assert bound is None


@pytest.mark.parametrize(
    "point",
    [
        f"before:{CLIENT}.upsert:3",
        f"after:{CLIENT}.upsert:3",
        f"before:{STREAM_LEDGER}.confirm:2",
        f"after:{STREAM_LEDGER}.confirm:2",
    ],
)
def test_an_apply_that_was_killed_is_completed_by_applying_again(shop: Shop, point: str) -> None:
    shop.target_config = {"channel": "upsert", "max_connections": 1}
    shop.insert(keys_of(500))
    saved = plan(shop)
    assert apply(shop, saved["plan"], kill_at=point).code == -9
    shop.change(["SO-0499"], status="Returned")
    ended = apply(shop, saved["plan"], "--json")
    assert ended.code == 4, ended.err
    found = counts(ended)
    assert found["applied"] + found["done_before"] == 499
    assert (found["done_before"] > 0, found["moved_on"]) == (True, 1)
    assert shop.crm().keys() == shop.orders().keys() - {"SO-0499"}
    assert shop.run().code == 0
    shop.assert_all_synced()


@pytest.mark.parametrize("point", [f"before:{CLIENT}.create_job", f"before:{CLIENT}.job"])
def test_a_job_of_an_apply_that_was_killed_is_adopted_and_counted(shop: Shop, point: str) -> None:
    shop.target_config = {"channel": "bulk_write"}
    shop.insert(keys_of(300))
    saved = plan(shop)
    assert apply(shop, saved["plan"], kill_at=point).code == -9
    ended = apply(shop, saved["plan"], "--json")
    assert ended.code == 0, ended.err
    assert counts(ended) == {"done_before": 300}
    shop.assert_all_synced()
    assert len(shop.emulator.admin.jobs()) == 1
