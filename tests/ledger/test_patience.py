"""Patience: deadlocks, broken connections and locks of other sessions do not end a run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa
from no_waiting import NoWaiting
from sqlalchemy.exc import OperationalError

from sync_databases import engines, session_settings
from sync_databases.database_errors import DatabaseUnavailableError
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.recovery import release_uncreated
from sync_ledger.retry_schedules import CREATING_TABLES, LEDGER_STATEMENTS
from sync_ledger.tables import AckStatus, JobStep

HANG_SECONDS = 300


@pytest.fixture
def clock() -> NoWaiting:
    return NoWaiting()


@pytest.fixture
def ledger(engine_url: str, clock: NoWaiting) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url, clock=clock)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def put_acks(ledger: Ledger, *keys: str) -> None:
    with ledger.begin() as connection:
        now = ledger.now(connection)
        acks = [Ack("orders", key, "v1", AckStatus.SYNCED, now) for key in keys]
        write_acks(connection, ledger.tables.ack, Acks.of(acks))


def test_two_transactions_that_wait_for_each_other_both_have_their_effect(ledger: Ledger) -> None:
    put_acks(ledger, "A", "B")
    ack = ledger.tables.ack
    both_hold_one = threading.Barrier(2, timeout=HANG_SECONDS)
    tries: list[str] = []

    def add_one(first: str, second: str) -> None:
        def write(connection: sa.Connection) -> None:
            again = first in tries
            tries.append(first)
            for key in (first, second):
                count = {"attempts": ack.c.attempts + 1}
                connection.execute(
                    sa.update(ack).where(ack.c.stream == "orders", ack.c.record_key == key).values(count)
                )
                if key == first and not again and ledger.engine.dialect.name != "sqlite":
                    both_hold_one.wait()

        ledger.transact(write)

    threads = [threading.Thread(target=add_one, args=keys) for keys in (("A", "B"), ("B", "A"))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_SECONDS)
    with ledger.connect() as connection:
        assert connection.execute(sa.select(ack.c.attempts)).scalars().all() == [3, 3]
    assert len(tries) >= (
        2 if ledger.engine.dialect.name == "sqlite" else 3
    )  # at least one of the two had to begin anew


def test_a_ledger_that_never_answers_is_given_up_with_one_line(ledger: Ledger, clock: NoWaiting) -> None:
    tries = []

    def fail(_connection: sa.Connection) -> None:
        tries.append(1)
        raise OperationalError("UPDATE secret", {"secret": "order"}, Exception("server has gone away"))

    with pytest.raises(
        DatabaseUnavailableError, match=r"^the ledger cannot be written or read: server has gone away; what"
    ):
        ledger.transact(fail)
    assert len(tries) == LEDGER_STATEMENTS.attempts
    longest = [1.0, 2.0, 3.0, 4.0]  # seconds; each pause is half of that at least, and drawn
    assert all(most / 2 <= pause <= most for pause, most in zip(clock.waits, longest, strict=True))


def test_what_takes_too_long_is_not_begun_again(ledger: Ledger, clock: NoWaiting) -> None:
    tries = []

    def fail(_connection: sa.Connection) -> None:
        tries.append(1)
        clock.now += LEDGER_STATEMENTS.none_begun_after  # the database lets it wait for a lock
        raise OperationalError("UPDATE ack", {}, Exception("lock wait timeout"))

    with pytest.raises(DatabaseUnavailableError):
        ledger.transact(fail)
    assert len(tries) == 1
    assert clock.waits == []


def test_tables_that_cannot_be_made_are_tried_again_by_the_same_clock(clock: NoWaiting) -> None:
    with pytest.raises(LedgerError, match="cannot be created or read"):
        Ledger.open("sqlite:////no/such/folder/ledger.sqlite", clock=clock).ensure_tables()
    assert len(clock.waits) == CREATING_TABLES.attempts - 1


def test_after_a_failure_each_thing_is_tried_once_until_one_succeeds(ledger: Ledger) -> None:
    tries = []

    def fail(_connection: sa.Connection) -> None:
        tries.append(1)
        raise OperationalError("UPDATE ack", {}, Exception("server has gone away"))

    for expected in (LEDGER_STATEMENTS.attempts, LEDGER_STATEMENTS.attempts + 1, LEDGER_STATEMENTS.attempts + 2):
        with pytest.raises(DatabaseUnavailableError):
            ledger.transact(fail)
        assert len(tries) == expected
    ledger.transact(lambda _connection: None)
    with pytest.raises(DatabaseUnavailableError):
        ledger.transact(fail)
    assert len(tries) == 2 * LEDGER_STATEMENTS.attempts + 2


def test_a_table_that_another_session_has_locked_is_not_waited_for_until_tomorrow(
    mariadb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def within_a_second(dialect: sa.Dialect) -> engines.Engine:
        facts = engines.engine_of(dialect)
        limits = tuple(limit.replace(f"= {engines.LOCK_SECONDS}", "= 1") for limit in facts.write_limits)
        return replace(facts, write_limits=limits)

    monkeypatch.setattr(session_settings, "engine_of", within_a_second)
    monkeypatch.setattr(Ledger, "retries", replace(LEDGER_STATEMENTS, none_begun_after=0))
    locking, ledger = Ledger.open(mariadb_url), Ledger.open(mariadb_url)
    locking.ensure_tables()
    with locking.connect() as other:
        other.exec_driver_sql("LOCK TABLES zoho_sync_run WRITE")
        with pytest.raises(DatabaseUnavailableError, match="Lock wait timeout"):
            Lease.acquire(ledger, "orders")
    locking.close()
    ledger.close()


def broken_after_commit(ledger: Ledger, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let the answers to some commits be lost."""
    left = [times]
    begin = ledger.begin

    class Lossy:
        def __enter__(self) -> sa.Connection:
            self.within = begin()
            return self.within.__enter__()

        def __exit__(self, *failure: object) -> bool | None:
            handled = self.within.__exit__(*failure)  # type: ignore[arg-type]
            if failure[0] is None and left[0]:
                left[0] -= 1
                raise OperationalError("COMMIT", None, Exception("connection lost"))
            return handled

    monkeypatch.setattr(ledger, "begin", Lossy)


def test_a_run_begins_though_the_answer_to_its_commit_is_lost(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    broken_after_commit(ledger, monkeypatch, 1)
    lock = Lease.acquire(ledger, "orders")
    lock.beat()
    lock.release("finished", {}, 0)
    Lease.acquire(ledger, "orders").release("finished", {}, 0)


def test_orders_of_a_job_that_never_was_are_given_back_once_though_the_answer_is_lost(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lease.acquire(ledger, "orders")
    with ledger.begin() as connection:
        now = ledger.now(connection)
        job = JournalledJob("j", "orders", lock.run_id, "Orders", JobStep.INTENT, Manifest.of({"A": "v1"}), 0)
        journal_intent(connection, ledger.tables.job, job, now)
        submitted = Ack("orders", "A", "v1", AckStatus.SUBMITTED, now, job_id="j")
        write_acks(connection, ledger.tables.ack, Acks.of([submitted]))
    lock.release("finished", {}, 0)
    broken_after_commit(ledger, monkeypatch, 1)
    release_uncreated(ledger, "orders")
    with ledger.connect() as connection:
        (row,) = connection.execute(sa.select(ledger.tables.ack)).all()
        (step,) = connection.execute(sa.select(ledger.tables.job.c.step)).scalars().all()
    assert (row.status, row.family, row.attempts) == ("rejected", "transient", 1)
    assert step == JobStep.ABANDONED.value
