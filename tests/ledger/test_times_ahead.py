"""Times that a clock years ahead left in the ledger hold up no order once the clock is right."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.job_journal import JournalledJob, Manifest, age_of, journal_intent
from sync_ledger.ledger import Ledger
from sync_ledger.recovery import release_uncreated
from sync_ledger.tables import AckStatus, JobStep
from sync_ledger.writes_under_way import WriteKind, WriteUnderWay, note

YEARS = timedelta(days=1_100)
HOUR = timedelta(hours=1)
STREAM = "orders"


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def rows(ledger: Ledger, table: sa.Table) -> list[Any]:
    with ledger.connect() as connection:
        return list(connection.execute(sa.select(table)))


def test_an_order_is_due_and_has_failed_since_now(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        now = ledger.now(connection)
        times = {"A": (now + YEARS, now + YEARS), "B": (now + 5 * HOUR, now - HOUR), "C": (now + YEARS, now - HOUR)}
        refused = [
            Ack(STREAM, key, "v", AckStatus.REJECTED, now, next_attempt_at=due, failing_since=since)
            for key, (due, since) in times.items()
        ]
        write_acks(connection, ledger.tables.ack, Acks.of(refused))
    release_uncreated(ledger, STREAM)
    found = {row.record_key: row for row in rows(ledger, ledger.tables.ack)}
    for key in "AC":
        assert now <= found[key].next_attempt_at < now + HOUR
    assert now <= found["A"].failing_since < now + HOUR
    assert (found["B"].next_attempt_at, found["B"].failing_since) == times["B"]
    assert found["C"].failing_since == times["C"][1]


def test_a_write_in_doubt_may_land_for_as_long_as_one_that_goes_out_now(ledger: Ledger) -> None:
    with ledger.begin() as connection:
        now = ledger.now(connection)
        for name, began in (("ahead", now + YEARS), ("as it is", now - HOUR)):
            manifest = Manifest.of({"A": "v"})
            note(
                connection,
                ledger.tables,
                WriteUnderWay(name, STREAM, "over", WriteKind.UPSERT, manifest, began, began + HOUR),
            )
    release_uncreated(ledger, STREAM)
    (found,) = [row for row in rows(ledger, ledger.tables.write) if row.write_id == "ahead"]
    assert now <= found.began_at < now + HOUR
    assert found.may_land_until - found.began_at == HOUR


def test_a_job_is_as_old_as_one_that_is_created_now(ledger: Ledger) -> None:
    job = JournalledJob("j", STREAM, "over", "Orders", JobStep.UPLOADED, Manifest.of({"A": "v"}), credits=0)
    with ledger.begin() as connection:
        now: datetime = ledger.now(connection)
        journal_intent(connection, ledger.tables.job, job, now + YEARS)
    release_uncreated(ledger, STREAM)
    with ledger.connect() as connection:
        assert timedelta(0) <= age_of(connection, ledger.tables.job, "j", ledger.now(connection)) < HOUR
