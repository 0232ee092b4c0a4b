"""Workers of one org share its limits: their parts never add up to more, and all that there is gets used."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.retry_schedules import LEASE_HEARTBEAT_SECONDS
from sync_ledger.worker_shares import Limit, WorkerShares, part_of

LIMITS = {Limit.UPSERTS: 10, Limit.JOBS: 4}
NOTHING = dict.fromkeys(Limit, 0)
_LONG_AGO = datetime(2026, 1, 1)  # noqa: DTZ001 - naive UTC, as the ledger has it


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    made = Ledger.open(engine_url)
    made.ensure_tables()
    yield made
    made.close()


def worker(ledger: Ledger, index: int, org: str = "1") -> tuple[Lease, WorkerShares]:
    lease = Lease.acquire(ledger, "orders", Partition(index, 4))
    return lease, WorkerShares(ledger, lease.run_id, org, LIMITS)


class Worker:
    """A worker that fills what it is granted, or stays below it."""

    def __init__(self) -> None:
        self.granted = 0
        self.taken = 0

    @property
    def held(self) -> int:
        return max(self.granted, self.taken)


@given(
    limit=st.integers(1, 12),
    turns=st.lists(st.tuples(st.integers(0, 5), st.sampled_from(["look", "take", "give"])), max_size=120),
)
def test_what_is_taken_never_adds_up_to_more_than_the_limit(limit: int, turns: list[tuple[int, str]]) -> None:
    """Each worker looks when it likes, and takes and gives back between its looks."""
    workers = [Worker() for _ in range(6)]
    noted: dict[int, int] = {}  # in the ledger: what each holds
    for index, what in turns:
        each = workers[index]
        if what == "look":
            others = [held for number, held in noted.items() if number != index]
            part = part_of(limit, each.held, others, sum(number < index for number in noted if number != index))
            each.granted, noted[index] = part.granted, part.held
        elif what == "take" and each.taken < each.granted:
            each.taken += 1
        elif what == "give" and each.taken:
            each.taken -= 1
        most = max(limit, len(noted))  # where there are more workers than places, each has one
        assert sum(worker.taken for worker in workers) <= most
        assert all(noted.get(number, 0) >= worker.held for number, worker in enumerate(workers) if worker.granted)


@given(limit=st.integers(1, 25), workers=st.integers(1, 8))
def test_workers_that_look_often_enough_have_equal_parts_and_leave_nothing(limit: int, workers: int) -> None:
    held = [0] * workers
    for _ in range(workers + 3):
        for index in range(workers):
            others = [part for number, part in enumerate(held) if number != index]
            first = part_of(limit, held[index], others, index)
            held[index] = first.granted  # what it gives up is over by its next look
    assert max(held) - min(held) <= 1
    assert sum(held) == max(limit, workers)


def test_a_worker_that_comes_has_what_the_others_have_given_up(ledger: Ledger) -> None:
    _, first = worker(ledger, 1)
    _, second = worker(ledger, 2)
    alone = first.take(NOTHING)
    assert alone == LIMITS
    assert second.take(NOTHING) == NOTHING
    granted = first.take(alone)
    assert granted == {Limit.UPSERTS: 5, Limit.JOBS: 2}
    assert second.take(NOTHING) == NOTHING  # the first one may still have ten under way
    assert first.take(granted) == granted
    assert second.take(NOTHING) == {Limit.UPSERTS: 5, Limit.JOBS: 2}


def test_what_a_worker_leaves_is_for_the_others(ledger: Ledger) -> None:
    _, first = worker(ledger, 1)
    _, second = worker(ledger, 2)
    first.take(NOTHING)
    first.give_back()
    assert second.take(NOTHING) == LIMITS


def test_an_ended_and_a_silent_worker_hold_nothing(ledger: Ledger) -> None:
    ended, first = worker(ledger, 1)
    _, silent = worker(ledger, 2)
    _, third = worker(ledger, 3)
    first.take(NOTHING)
    ended.release("finished", {}, 0)
    assert silent.take(NOTHING) == LIMITS
    with ledger.begin() as connection:
        long_ago = ledger.now(connection) - timedelta(seconds=70)
        connection.execute(sa.update(ledger.tables.worker).values(seen_at=long_ago))
    assert third.take(NOTHING) == LIMITS


def test_another_org_has_limits_of_its_own(ledger: Ledger) -> None:
    _, first = worker(ledger, 1)
    _, second = worker(ledger, 2, org="2")
    assert first.take(NOTHING) == second.take(NOTHING) == LIMITS


def test_a_worker_whose_part_stays_as_it_is_writes_only_a_sign_of_life(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, first = worker(ledger, 1)
    granted = first.take(NOTHING)
    long_ago = sa.update(ledger.tables.worker).values(seen_at=_LONG_AGO)
    seen = sa.select(ledger.tables.worker.c.seen_at)
    with ledger.begin() as connection:
        connection.execute(long_ago)
    assert first.take(granted) == granted
    with ledger.connect() as connection:
        assert connection.execute(seen).scalar_one() == _LONG_AGO
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + LEASE_HEARTBEAT_SECONDS)
    assert first.take(granted) == granted
    with ledger.connect() as connection:
        assert connection.execute(seen).scalar_one() > _LONG_AGO


def test_a_worker_whose_row_others_have_taken_away_holds_it_anew(ledger: Ledger) -> None:
    _, first = worker(ledger, 1)
    _, second = worker(ledger, 2)
    granted = first.take(NOTHING)
    with ledger.begin() as connection:
        connection.execute(sa.delete(ledger.tables.worker))
    assert first.take(granted) == granted
    assert second.take(NOTHING) == NOTHING
