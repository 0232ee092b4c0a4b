"""A plan is found again as it was saved, for seven days."""

from __future__ import annotations

from datetime import timedelta

import sqlalchemy as sa

from sync_ledger.ledger import Ledger
from sync_ledger.saved_plans import PLAN_DAYS, PlannedOrder, prune_plans, read_plan, save_plan

ORDERS = {f"SO-{number:05d} é'\"": PlannedOrder(f"2026-01-01 08:00:00.{number:06d}") for number in range(12_000)}
ORDERS["by content"] = PlannedOrder("1", "0f" * 16)


def rows(ledger: Ledger) -> int:
    with ledger.connect() as connection:
        found: int = connection.execute(sa.select(sa.func.count()).select_from(ledger.tables.plan)).scalar_one()
        return found


def grow_older(ledger: Ledger, plan_id: str, age: timedelta) -> None:
    plan = ledger.tables.plan
    with ledger.begin() as connection:
        then = ledger.now(connection) - age
        connection.execute(sa.update(plan).where(plan.c.plan_id == plan_id).values(saved_at=then))


def test_a_plan_is_found_again_as_it_was_saved(ledger: Ledger) -> None:
    plan_id, count = save_plan(ledger, "orders", ORDERS.items())
    other_id, none = save_plan(ledger, "orders", ())
    found, other = read_plan(ledger, plan_id), read_plan(ledger, other_id)
    assert found is not None
    assert (count, found.stream, found.orders) == (len(ORDERS), "orders", ORDERS)
    assert other is not None
    assert (none, other.orders) == (0, {})
    assert read_plan(ledger, "plan-of-nobody") is None


def test_a_plan_that_is_too_old_is_not_found_and_then_deleted(ledger: Ledger) -> None:
    old, _ = save_plan(ledger, "orders", ORDERS.items())
    young, _ = save_plan(ledger, "orders", ORDERS.items())
    grow_older(ledger, young, timedelta(days=PLAN_DAYS) - timedelta(hours=1))
    grow_older(ledger, old, timedelta(days=PLAN_DAYS, hours=1))
    assert (read_plan(ledger, old), rows(ledger)) == (None, 6)
    assert (prune_plans(ledger), rows(ledger), prune_plans(ledger)) == (3, 3, 0)
    assert read_plan(ledger, young) is not None
