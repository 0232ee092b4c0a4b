"""Orders whose calls, jobs and uploads fail for no reason that blames anybody: the others go, and these are parked."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import Finished, Shop

from sync_ledger.ledger import Ledger

GATEWAY = {"kind": "answer", "canned": "gateway_timeout"}
NO_ANSWER = {"kind": "lost_before"}
LOST = {"kind": "lost_after"}
FAILED_INSIDE = {"kind": "answer", "canned": "internal_error"}
RUNS_MOST = 12


def days_pass(shop: Shop, **by: float) -> None:
    """Let time pass for what the ledger holds as due, or as failing since."""
    ledger = Ledger.open(shop.ack_url)
    ack = ledger.tables.ack
    with ledger.begin() as connection:
        for name in ("next_attempt_at", "failing_since"):
            column = ack.c[name]
            for when in connection.execute(sa.select(column).where(column.is_not(None)).distinct()).scalars().all():
                change = sa.update(ack).where(column == when).values({name: when - timedelta(**by)})
                connection.execute(change)
    ledger.close()


def until_found(shop: Shop, guilty: list[str]) -> list[Finished]:
    """Run until all but these orders are synced, and each of them is known to fail alone."""
    runs: list[Finished] = []
    for _ in range(RUNS_MOST):
        runs.append(shop.run())
        assert runs[-1].code == 0, runs[-1].err
        acks = shop.acks()
        done = {key for key, ack in acks.items() if ack.status in {"synced", "deleted"}}
        known = {key for key, ack in acks.items() if ack.error_code == "BREAKS_CALLS"}
        if done == set(shop.orders()) - set(guilty) and known == set(guilty):
            return runs
        days_pass(shop, minutes=1)
    raise AssertionError({key: (ack.status, ack.error_code) for key, ack in acks.items() if key not in done})


def until_parked(shop: Shop, guilty: list[str]) -> int:
    """Run, and let a quarter of an hour pass, then hours, until all of them are parked; gives how many runs it took."""
    for number in range(1, 40):
        if {shop.acks()[key].status for key in guilty} == {"parked"}:
            return number
        days_pass(shop, hours=3)
        assert shop.run().code == 0
    raise AssertionError([tuple(shop.acks()[key]) for key in guilty])


@pytest.mark.parametrize("fault", [GATEWAY, NO_ANSWER, LOST, FAILED_INSIDE])
def test_one_order_of_250_whose_call_fails_each_time(shop: Shop, fault: dict[str, Any]) -> None:
    shop.target_config = {"channel": "upsert", "max_attempts": 2}
    shop.insert(f"SO-{number:03}" for number in range(250))
    shop.emulator.admin.add_fault("upsert", **fault, keys=["SO-123"])
    until_found(shop, ["SO-123"])
    until_parked(shop, ["SO-123"])
