"""What is in doubt is looked at when its time has come, and then its orders are due once, to be compared."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.in_doubt import InDoubt, check_in_doubt, count_in_doubt, note_different, orders_in_doubt
from sync_ledger.job_journal import Manifest
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus
from sync_ledger.writes_under_way import WriteKind, WriteUnderWay, note

HOUR = timedelta(hours=1)
OVER = -timedelta(seconds=5)
"""Before now: by the ledger's clock, which a test cannot stop."""


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def now_of(ledger: Ledger) -> datetime:
    with ledger.connect() as connection:
        return ledger.now(connection)


def ack(ledger: Ledger, key: str, version: str = "v2", status: AckStatus = AckStatus.SYNCED, **facts: Any) -> None:
    row = Ack("orders", key, version, status, now_of(ledger), zoho_id=f"1{key[1:]}", **facts)
    with ledger.begin() as connection:
        write_acks(connection, ledger.tables.ack, Acks.of([row]))


def left(
    ledger: Ledger,
    kind: WriteKind,
    versions: dict[str, str],
    *,
    began: timedelta,
    until: timedelta = OVER,
    name: str = "w",
) -> None:
    """A write that a run which is over has left; both times count from now."""
    now = now_of(ledger)
    write = WriteUnderWay(name * 32, "orders", "over", kind, Manifest.of(versions), now + began, now + until)
    with ledger.begin() as connection:
        note(connection, ledger.tables, write)


def acks(ledger: Ledger) -> dict[str, tuple[str, str | None]]:
    with ledger.connect() as connection:
        return {
            row.record_key: (row.status, row.error_code) for row in connection.execute(sa.select(ledger.tables.ack))
        }


def counted(ledger: Ledger) -> InDoubt:
    with ledger.connect() as connection:
        return count_in_doubt(connection, ledger.tables, "orders")


def time_passes(ledger: Ledger, passed: timedelta) -> None:
    table = ledger.tables.write
    with ledger.begin() as connection:
        for row in connection.execute(sa.select(table)).all():
            verified = row.verified_at and row.verified_at - passed
            times = {"began_at": row.began_at - passed, "may_land_until": row.may_land_until - passed}
            connection.execute(sa.update(table).values(verified_at=verified, **times))


DUE = ("rejected", "IN_DOUBT")
SYNCED = ("synced", None)


def test_what_a_call_may_have_overwritten_is_due_once_when_it_cannot_land_any_more(ledger: Ledger) -> None:
    for key in ("k1", "k2"):
        ack(ledger, key)
    ack(ledger, "k3", status=AckStatus.REJECTED, error_code="INVALID_DATA")
    ack(ledger, "k5")
    left(ledger, WriteKind.UPSERT, {"k1": "v1", "k2": "v2", "k3": "v1", "k4": "v1"}, began=-HOUR, until=HOUR)
    looked = check_in_doubt(ledger, "orders")
    assert not looked.any_due
    assert 3500 < (looked.next_look_seconds or 0) <= 3600
    until = counted(ledger).until
    assert until is not None
    assert counted(ledger) == InDoubt(1, 4, 0, until)
    with ledger.connect() as connection:
        assert timedelta(minutes=58) < until - ledger.now(connection) <= HOUR
    time_passes(ledger, HOUR + timedelta(minutes=1))
    looked = check_in_doubt(ledger, "orders")
    assert (looked.any_due, looked.next_look_seconds) == (True, None)
    refused = ("rejected", "INVALID_DATA")
    assert acks(ledger) == {"k1": DUE, "k2": DUE, "k3": refused, "k5": SYNCED}
    assert counted(ledger) == InDoubt(0, 0, 2)
    with ledger.connect() as connection:
        found = orders_in_doubt(connection, ledger.tables.ack, "orders", ["k1", "k3", "k5"])
    assert {key: (each.version, each.zoho_id, each.earlier) for key, each in found.items()} == {
        "k1": ("v2", "11", None)
    }
    for key in ("k1", "k2"):
        ack(ledger, key)
    assert not check_in_doubt(ledger, "orders").any_due


def test_a_job_is_looked_at_three_times_and_only_for_orders_that_have_changed_since(ledger: Ledger) -> None:
    ack(ledger, "k1")
    ack(ledger, "k2", "v1")
    left(ledger, WriteKind.JOB, {"k1": "v1", "k2": "v1"}, began=timedelta())
    due = []
    for minutes in (0, 9, 2, 48, 2, 22 * 60, 2 * 60, 60):
        time_passes(ledger, timedelta(minutes=minutes))
        due.append(check_in_doubt(ledger, "orders").any_due)
        assert acks(ledger)["k2"] == SYNCED
        ack(ledger, "k1")
    assert due == [False, False, True, False, True, False, True, False]
    assert counted(ledger) == InDoubt()


def test_an_order_in_a_job_waits_for_the_jobs_end(ledger: Ledger) -> None:
    ack(ledger, "k1", status=AckStatus.SUBMITTED)
    ack(ledger, "k2")
    left(ledger, WriteKind.UPSERT, {"k1": "v1", "k2": "v1"}, began=-2 * HOUR)
    for _ in range(2):
        check_in_doubt(ledger, "orders")
        assert acks(ledger) == {"k1": ("submitted", None), "k2": DUE}
        found = counted(ledger)
        assert (found.writes, found.orders, found.due) == (1, 1, 1)
    ack(ledger, "k1")
    check_in_doubt(ledger, "orders")
    assert acks(ledger)["k1"] == DUE
    assert counted(ledger) == InDoubt(0, 0, 2)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [(WriteKind.INSERT, SYNCED), (WriteKind.LINES, ("rejected", "DIFFERS")), (WriteKind.DELETE, DUE)],
)
def test_what_follows_goes_by_what_the_write_does(ledger: Ledger, kind: WriteKind, expected: tuple[str, str]) -> None:
    ack(ledger, "k1")
    left(ledger, kind, {"k1": "v1"}, began=-2 * HOUR)
    check_in_doubt(ledger, "orders")
    assert acks(ledger) == {"k1": expected}


def test_how_an_order_differed_is_known_at_the_next_look(ledger: Ledger) -> None:
    ack(ledger, "k1")
    left(ledger, WriteKind.JOB, {"k1": "v1"}, began=-HOUR / 5)
    check_in_doubt(ledger, "orders")
    with ledger.begin() as connection:
        note_different(connection, ledger.tables, "orders", {"k1": "a fingerprint"})
    assert acks(ledger) == {"k1": ("rejected", "DIFFERS")}
    assert not check_in_doubt(ledger, "orders").any_due
    ack(ledger, "k1")
    time_passes(ledger, HOUR)
    assert check_in_doubt(ledger, "orders").any_due
    with ledger.connect() as connection:
        found = orders_in_doubt(connection, ledger.tables.ack, "orders", ["k1"])
    assert found["k1"].earlier == "a fingerprint"


@pytest.mark.parametrize("compared", [False, True])
def test_at_the_last_look_how_an_order_differed_before_does_not_count(ledger: Ledger, compared: bool) -> None:  # noqa: FBT001
    ack(ledger, "k1")
    left(ledger, WriteKind.JOB, {"k1": "v1"}, began=-HOUR / 5)
    check_in_doubt(ledger, "orders")
    with ledger.begin() as connection:
        note_different(connection, ledger.tables, "orders", {"k1": "a fingerprint"})
    ack(ledger, "k1")
    earlier = []
    for hours in (1, 24):
        time_passes(ledger, hours * HOUR)
        assert check_in_doubt(ledger, "orders").any_due
        with ledger.connect() as connection:
            earlier.append(orders_in_doubt(connection, ledger.tables.ack, "orders", ["k1"])["k1"].earlier)
        if compared:
            ack(ledger, "k1")
    assert earlier == ["a fingerprint", None]
    assert counted(ledger) == InDoubt(due=0 if compared else 1)


def test_where_nothing_is_in_doubt_one_query_is_asked(ledger: Ledger) -> None:
    asked: list[str] = []
    sa.event.listen(ledger.engine, "before_cursor_execute", lambda *given: asked.append(given[2]))
    looked = check_in_doubt(ledger, "orders")
    assert (looked.any_due, looked.next_look_seconds) == (False, None)
    assert len([text for text in asked if "zoho_sync" in text]) == 1


def test_an_order_of_several_writes_counts_once(ledger: Ledger) -> None:
    left(ledger, WriteKind.UPSERT, {"k1": "v1", "k2": "v1"}, began=-HOUR, until=HOUR)
    left(ledger, WriteKind.LINES, {"k2": "v1"}, began=-HOUR, until=HOUR, name="x")
    found = counted(ledger)
    assert (found.writes, found.orders) == (2, 2)
