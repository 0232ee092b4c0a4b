"""Orders that workers leave to the one that comes last: who that is, who may take them, and that none is forgotten."""

from __future__ import annotations

from contextlib import ExitStack

import pytest
import sqlalchemy as sa

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.job_journal import JournalledJob, Manifest, journal_intent
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.pooled_orders import PART_CHARACTERS, PooledOrders
from sync_ledger.recovery import release_uncreated
from sync_ledger.run_facts import RunFacts
from sync_ledger.tables import AckStatus, JobStep

STREAM = "orders"


def worker(ledger: Ledger, index: int, of: int = 2, group: str | None = None) -> tuple[Lease, PooledOrders]:
    lease = Lease.acquire(ledger, STREAM, Partition(index, of), known=RunFacts(run_group=group))
    return lease, PooledOrders(lease, group)


def leave(lease: Lease, pool: PooledOrders, sealed: bytes, mark: str = "as we do") -> JournalledJob:
    job = JournalledJob("job", STREAM, lease.run_id, "Orders", JobStep.INTENT, Manifest.of({"SO-1": "v1"}), credits=0)
    tables = lease.ledger.tables
    with lease.timed_transaction() as (connection, now):
        journal_intent(connection, tables.job, job, now)
        ack = Ack(STREAM, "SO-1", "v1", AckStatus.SUBMITTED, now, job_id="job")
        write_acks(connection, tables.ack, Acks.of([ack]))
    pool.leave(job, sealed, mark)
    pool.leave(job, sealed, mark)  # once more, since a commit's answer may be lost
    return job


def ack_of(ledger: Ledger) -> tuple[str, str | None]:
    ack = ledger.tables.ack
    with ledger.connect() as connection:
        row = connection.execute(sa.select(ack.c.status, ack.c.error_code)).one()
        return row.status, row.error_code


def parts(ledger: Ledger) -> int:
    with ledger.connect() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(ledger.tables.pool)).scalar_one())


def test_of_those_that_live_the_last_to_come_to_its_end_is_the_last(ledger: Ledger) -> None:
    (_, one), (lease, two) = worker(ledger, 1), worker(ledger, 2)
    assert one.others_come()
    assert not one.come_to_end()
    assert not two.others_come()
    assert two.come_to_end()
    lease.release("finished", {}, 0)
    assert not one.others_come()


def test_a_group_awaits_those_that_have_not_begun_and_those_that_failed(ledger: Ledger) -> None:
    with ExitStack() as ends:
        for index in (1, 2, 3):
            lease, pool = worker(ledger, index, 3, "tonight")
            assert pool.others_come()
            if index == 2:
                lease.release("failed", {}, 0)
            else:
                assert not pool.come_to_end()
                ends.callback(lease.release, "finished", {}, 0)
    _, again = worker(ledger, 2, 3, "tonight")
    assert again.come_to_end()


def test_a_run_of_another_group_or_split_or_stream_awaits_none_of_these(ledger: Ledger) -> None:
    worker(ledger, 1, 2, "tonight")[1].come_to_end()
    assert worker(ledger, 2, 2, "tomorrow")[1].others_come()
    other = Lease.acquire(ledger, "customers", Partition(2, 2))
    assert not PooledOrders(other, None).others_come()


def test_what_is_left_comes_back_whole_for_one_taker_and_only_as_it_can_be_written(ledger: Ledger) -> None:
    sealed = bytes(range(48, 123)) * (3 * PART_CHARACTERS // 75 + 1)
    lease, one = worker(ledger, 1)
    leave(lease, one, sealed)
    (_, two), (_, three) = worker(ledger, 2, 2), (lease, one)
    assert parts(ledger) == 4
    assert two.left("otherwise") == []
    (job,) = two.left("as we do")
    assert two.sealed(job) == sealed
    assert two.take(job)
    assert two.take(job)  # once more, since a commit's answer may be lost
    assert not three.take(job)
    assert (parts(ledger), two.left("as we do")) == (0, [])
    two.close(job)
    assert ack_of(ledger) == ("rejected", "NOT_COLLECTED")


@pytest.mark.parametrize("how", ["left", "taken", "died as it left"])
def test_what_nobody_sends_is_due_again(ledger: Ledger, how: str) -> None:
    taken = how == "taken"
    lease, one = worker(ledger, 1)
    leave(lease, one, b"sealed")
    if how == "left":
        one.come_to_end()
    lease.release("finished", {}, 0)
    last, two = worker(ledger, 2)
    assert release_uncreated(ledger, STREAM, watched_for=Partition(2, 2)) == 0
    assert ack_of(ledger) == ("submitted", None)
    if taken:
        assert two.take(two.left("as we do")[0])
    last.release("failed", {}, 0)
    assert release_uncreated(ledger, STREAM, watched_for=Partition(2 if taken else 1, 2)) == 1
    assert ack_of(ledger) == ("rejected", "JOB_NEVER_CREATED" if how == "died as it left" else "NOT_COLLECTED")
    assert two.were_released({"SO-1": "v1"}) == (how != "died as it left")
    assert not two.were_released({"SO-2": "v1"})
    assert parts(ledger) == 0
    assert not worker(ledger, 2)[1].take(
        JournalledJob("job", STREAM, "", "Orders", JobStep.POOLED, Manifest.of({}), credits=0)
    )


def test_what_was_taken_before_its_worker_knows_that_it_left_it_stays_taken(ledger: Ledger) -> None:
    lease, one = worker(ledger, 1)
    job = leave(lease, one, b"sealed")
    _, two = worker(ledger, 2)
    assert two.take(two.left("as we do")[0])
    one.leave(job, b"sealed", "as we do")  # once more, since a commit's answer was lost
    assert (parts(ledger), two.left("as we do")) == (0, [])
