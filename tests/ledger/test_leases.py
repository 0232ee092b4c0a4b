"""The lease: who may take it over and when, whatever clocks say; and what is noted of what goes under it."""

from __future__ import annotations

import subprocess
import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from ledger_runs import COUNTS, SILENT, age, patient_ledger, run_of_another_process

from sync_ledger.lease_check import LeaseCheck
from sync_ledger.leases import Lease, LeaseHeldError, LeaseLostError
from sync_ledger.ledger import Ledger
from sync_ledger.lock_waiting import wait_for_lock
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.retry_schedules import (
    LEASE_LOOK_SECONDS,
    LEASE_STANDING_SECONDS,
    LEASE_WATCH_SECONDS,
)
from sync_ledger.runs import mark_dead_runs
from sync_ledger.writes_under_way import WriteKind, WriteUnderWay, in_doubt


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    with patient_ledger(engine_url) as ledger:
        yield ledger


@pytest.fixture
def other_run(ledger: Ledger, engine_url: str) -> Iterator[subprocess.Popen[str]]:
    assert ledger.engine.url.get_backend_name() in engine_url  # its tables are there before the other run starts
    with run_of_another_process(engine_url) as process:
        yield process


def test_a_run_elsewhere_is_dead_once_it_was_silent_for_a_minute_and_watched_for_another(
    ledger: Ledger, other_run: subprocess.Popen[str]
) -> None:
    age(ledger, other_run.run_id, SILENT - timedelta(seconds=20))  # type: ignore[attr-defined]
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 0
    assert ledger.clock.seconds() == 0
    age(ledger, other_run.run_id, timedelta(seconds=30))  # type: ignore[attr-defined]
    assert mark_dead_runs(ledger, "orders") == 0
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 1
    assert ledger.clock.seconds() == LEASE_WATCH_SECONDS
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 0


@pytest.mark.parametrize("step", [timedelta(hours=1), -timedelta(hours=1)])
def test_a_clock_that_was_set_neither_ends_a_living_run_nor_keeps_a_dead_one(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, step: timedelta
) -> None:
    living = Lease.acquire(ledger, "orders")
    age(ledger, living.run_id, step)
    wait = ledger.clock.wait

    def meanwhile(seconds: float, until: threading.Event) -> None:
        wait(seconds, until)
        with ledger.begin() as connection:  # a heartbeat by the clock that was set
            living._confirm(connection, 0, datetime(2001, 1, 1))  # noqa: DTZ001, SLF001

    with monkeypatch.context() as patch:
        patch.setattr(ledger.clock, "wait", meanwhile)
        with pytest.raises(LeaseHeldError):
            Lease.acquire(ledger, "orders")
    assert ledger.clock.seconds() == LEASE_LOOK_SECONDS  # it moved at once
    Lease.acquire(ledger, "orders").release("finished", COUNTS, 0)
    assert ledger.clock.seconds() == LEASE_LOOK_SECONDS + LEASE_WATCH_SECONDS


def test_time_in_which_the_watcher_itself_slept_does_not_count(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all stood still, nobody could move."""
    age(ledger, Lease.acquire(ledger, "orders").run_id, SILENT)
    wait, slept = ledger.clock.wait, []

    def sleeping(seconds: float, until: threading.Event) -> None:
        wait(seconds if slept else 3600, until)
        slept.append(seconds)

    monkeypatch.setattr(ledger.clock, "wait", sleeping)
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 1
    assert len(slept) >= LEASE_WATCH_SECONDS / LEASE_LOOK_SECONDS - 1


def test_a_run_that_stands_still_on_this_host_is_dead_once_it_was_seen_so_for_five_minutes(
    ledger: Ledger, other_run: subprocess.Popen[str]
) -> None:
    run_id: str = other_run.run_id  # type: ignore[attr-defined]
    age(ledger, run_id, SILENT, here=True)
    with pytest.raises(LeaseHeldError, match="it stands still; end it, or run again"):
        Lease.acquire(ledger, "orders")
    assert ledger.clock.seconds() == 0
    stood_for(ledger, run_id, LEASE_STANDING_SECONDS - 10)
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 0
    stood_for(ledger, run_id, LEASE_STANDING_SECONDS, beats=7)  # it has moved since
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 0
    stood_for(ledger, run_id, -LEASE_STANDING_SECONDS)  # the ledger's clock was set back since
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 0
    stood_for(ledger, run_id, LEASE_STANDING_SECONDS)
    assert mark_dead_runs(ledger, "orders", watched_for=WHOLE) == 1
    assert ledger.clock.seconds() == LEASE_WATCH_SECONDS


def stood_for(ledger: Ledger, run_id: str, seconds: float, *, beats: int = 0) -> None:
    run = ledger.tables.run
    with ledger.begin() as connection:
        since = ledger.now(connection) - timedelta(seconds=seconds)
        noted = {"standing_since": since, "standing_beats": beats}
        assert connection.execute(sa.update(run).where(run.c.run_id == run_id).values(noted)).rowcount == 1


def test_a_neighbour_that_is_silent_is_watched_by_its_own_next_run(ledger: Ledger) -> None:
    age(ledger, Lease.acquire(ledger, "orders", Partition(1, 2)).run_id, SILENT)
    Lease.acquire(ledger, "orders", Partition(2, 2)).release("finished", COUNTS, 0)
    assert ledger.clock.seconds() == 0
    Lease.acquire(ledger, "orders", Partition(1, 2)).release("finished", COUNTS, 0)
    assert ledger.clock.seconds() == LEASE_WATCH_SECONDS


def test_a_run_that_lives_is_waited_for_as_long_as_asked(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    living = Lease.acquire(ledger, "orders")
    with pytest.raises(LeaseHeldError):
        wait_for_lock(ledger, "orders", WHOLE, 12)
    assert ledger.clock.seconds() == 12
    wait = ledger.clock.wait

    def ends(seconds: float) -> None:
        wait(seconds)
        living.release("finished", COUNTS, 0)

    monkeypatch.setattr(ledger.clock, "wait", ends)
    wait_for_lock(ledger, "orders", WHOLE, 12)
    assert ledger.clock.seconds() == 12 + LEASE_LOOK_SECONDS


def test_what_is_sent_is_noted_and_its_acks_settle_it(ledger: Ledger) -> None:
    lease = Lease.acquire(ledger, "orders")
    answered, lost = lease.sending(WriteKind.UPSERT, {"A": "v1"}), lease.sending(WriteKind.UPSERT, {"B": "v1"})
    for write in (answered, lost):
        write.check()
    assert noted(ledger) == {answered.write_id: False, lost.write_id: False}
    answered.over(known=True)
    lost.over(known=False)
    lost.check()  # tried again
    lost.over(known=True)
    lease.beat()
    assert noted(ledger) == {answered.write_id: False, lost.write_id: False}
    with lease.transaction():
        assert len(noted(ledger)) == 2
    assert noted(ledger) == {lost.write_id: True}  # the first attempt may land yet
    assert [each.manifest.texts() for each in writes_in_doubt(ledger)] == [{"B": "v1"}]
    further = lease.sending(WriteKind.DELETE, {"C": "v1"})
    further.check()
    further.over(known=True)
    lease.release("finished", COUNTS, 0)
    assert noted(ledger) == {lost.write_id: True}


def test_what_a_sleeper_sent_is_in_doubt_though_it_was_answered_in_the_end(ledger: Ledger) -> None:
    """Its answer may have come after the next run had written something newer."""
    sleeper = Lease.acquire(ledger, "orders")
    write = sleeper.sending(WriteKind.UPSERT, {"A": "v1"})
    write.check()
    age(ledger, sleeper.run_id, SILENT)
    successor = Lease.acquire(ledger, "orders")
    assert [each.write_id for each in writes_in_doubt(ledger)] == [write.write_id]
    write.over(known=True)
    with pytest.raises(LeaseLostError), sleeper.transaction():
        pass
    sleeper.release("failed", COUNTS, 0)
    assert [each.write_id for each in writes_in_doubt(ledger)] == [write.write_id]
    successor.release("finished", COUNTS, 0)


def noted(ledger: Ledger) -> dict[str, bool]:
    """The writes that the ledger has noted, and whether their run left them."""
    write = ledger.tables.write
    with ledger.connect() as connection:
        rows = connection.execute(sa.select(write.c.write_id, write.c.left_at))
        return {row.write_id: row.left_at is not None for row in rows}


def writes_in_doubt(ledger: Ledger) -> list[WriteUnderWay]:
    with ledger.connect() as connection:
        return in_doubt(connection, ledger.tables, "orders", WHOLE)


def test_a_sleeper_finds_its_lock_gone_before_it_sends_or_writes(ledger: Ledger) -> None:
    sleeper = Lease.acquire(ledger, "orders")
    age(ledger, sleeper.run_id, SILENT)
    successor = Lease.acquire(ledger, "orders")
    with pytest.raises(LeaseLostError, match="another run"), sleeper.transaction():
        pass
    with pytest.raises(LeaseLostError):
        sleeper.sending(WriteKind.UPSERT, {"A": "v1"}).check()
    with pytest.raises(LeaseLostError):
        LeaseCheck(sleeper).check()
    sleeper.release("failed", COUNTS, 0)
    successor.sending(WriteKind.UPSERT, {"A": "v1"}).check()
    with pytest.raises(LeaseHeldError):
        Lease.acquire(ledger, "orders")
    successor.release("finished", COUNTS, 0)


def test_a_write_is_noted_before_a_takeover_or_not_at_all(ledger: Ledger) -> None:
    """A takeover that is not committed yet is waited for, and then nothing is noted and nothing goes."""
    lease = Lease.acquire(ledger, "orders")
    run, began, ended = ledger.tables.run, threading.Event(), []

    def send() -> None:
        began.set()
        try:
            lease.sending(WriteKind.UPSERT, {"A": "v1"}).check()
        except LeaseLostError as error:
            ended.append(error)

    thread = threading.Thread(target=send)
    with ledger.begin() as connection:
        over = {"finished_at": ledger.now(connection), "lock_name": lease.run_id, "how_ended": "died"}
        connection.execute(sa.update(run).where(run.c.run_id == lease.run_id).values(over))
        thread.start()
        began.wait()
        thread.join(0.3)  # as far as it comes; on a slow machine it begins later, and the end is the same
        assert thread.is_alive()
    thread.join()
    assert len(ended) == 1
    assert noted(ledger) == {}


def test_a_run_ends_whatever_stands_in_the_text_of_why_it_failed(ledger: Ledger) -> None:
    lease = Lease.acquire(ledger, "orders")
    lease.release("failed", {}, 0, error="Zoho answered \x00 and \ud800")
    run = ledger.tables.run
    with ledger.connect() as connection:
        row = connection.execute(sa.select(run.c.how_ended, run.c.error)).one()
    assert tuple(row) == ("failed", "Zoho answered \\x00 and \\ud800")


def test_what_a_run_has_counted_is_known_while_it_lives_and_after_it_died(
    ledger: Ledger, other_run: subprocess.Popen[str]
) -> None:
    other_run.kill()
    other_run.wait()
    assert mark_dead_runs(ledger, "orders") == 1
    counts = dict.fromkeys(COUNTS, 0) | {"read": 7, "synced": 5}
    lease = Lease.acquire(ledger, "orders", so_far=lambda: counts)
    lease.beat()
    run = ledger.tables.run
    with ledger.connect() as connection:
        row = connection.execute(sa.select(run).where(run.c.run_id == lease.run_id)).one()
    assert (row.read_count, row.synced_count, row.finished_at) == (7, 5, None)
