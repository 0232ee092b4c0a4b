"""What may have landed or may land late stays in doubt until it cannot land any more; then it is compared and mended."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import sqlalchemy as sa
from pair_of_plugins import Shop, differences

from sync_ledger.ledger import Ledger

JOB = [f"SO-{number}" for number in range(12)]
TEN_YEARS_SECONDS = 11 * 365 * 86_400
"""After which the emulator ends a job that never ends."""
BY_JOBS = {"channel": "bulk_write", "job_wait_seconds": 20}


def time_passes(shop: Shop, **ago: float) -> None:
    """For what the ledger has in doubt alone."""
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.begin() as connection:
            write = ledger.tables.write
            for row in connection.execute(sa.select(write)).all():
                times = {name: getattr(row, name) for name in ("began_at", "may_land_until", "left_at", "verified_at")}
                earlier = {name: at - timedelta(**ago) for name, at in times.items() if at is not None}
                connection.execute(sa.update(write).where(write.c.write_id == row.write_id).values(earlier))
    finally:
        ledger.close()


def in_doubt(shop: Shop) -> list[Any]:
    ledger = Ledger.open(shop.ack_url)
    try:
        with ledger.connect() as connection:
            return list(connection.execute(sa.select(ledger.tables.write)))
    finally:
        ledger.close()


def assert_newest(shop: Shop) -> None:
    orders, crm = shop.orders(), shop.crm()
    assert {key: found for key, order in orders.items() if (found := differences(order, crm[key]))} == {}


def job_that_may_exist(shop: Shop) -> None:
    """One run whose job is created twice, since the answer to the first creation is lost; the first one is slow."""
    shop.target_config = dict(BY_JOBS)
    shop.insert(JOB)
    shop.emulator.admin.add_fault(kind="never_ends", times=1)
    shop.emulator.admin.add_fault("bulk_create", kind="lost_after", times=1)
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == len(JOB)
    assert len(shop.emulator.admin.jobs()) == 2
    shop.target_config["channel"] = "upsert"


def first_job_lands(shop: Shop) -> None:
    shop.emulator.admin.advance_clock(TEN_YEARS_SECONDS)
    shop.emulator.admin.wait_jobs()


def test_an_old_version_that_a_slow_job_writes_late_does_not_stay(any_shop: Shop) -> None:
    shop = any_shop
    job_that_may_exist(shop)
    shop.change(JOB[:3], status="Paid", customer_name="New")
    assert shop.run().code == 0
    assert_newest(shop)
    first_job_lands(shop)
    time_passes(shop, hours=25)
    for _ in range(2):
        ended = shop.run()
        assert ended.code == 0, ended.err
    assert_newest(shop)
    shop.assert_all_synced()
    assert in_doubt(shop) == []
