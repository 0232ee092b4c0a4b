"""A first contact in the ledger: which run makes it, which is stopped by what another found, and who may go on."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa

from sync_ledger import first_contact
from sync_ledger.first_contact import Begun, By
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.retry_schedules import FIRST_CONTACT_STAGGERED_SECONDS

FOUND = {("Total_Amount", "rounded"): ["SO-1"]}
FIRST, SECOND = Partition(1, 2), Partition(2, 2)


def make_it_long_ago(ledger: Ledger) -> None:
    """All that was found, and all runs, as if so long ago that nothing is staggered any more."""
    difference, run = ledger.tables.difference, ledger.tables.run
    earlier = timedelta(seconds=FIRST_CONTACT_STAGGERED_SECONDS + 60)
    with ledger.begin() as connection:
        then = ledger.now(connection) - earlier
        connection.execute(sa.update(difference).values(found_at=then))
        connection.execute(sa.update(run).values(started_at=then - earlier))


def test_differences_stop_a_run_that_began_before_them_and_a_later_one_compares_anew(ledger: Ledger) -> None:
    finder, early = (Lease.acquire(ledger, "orders", each) for each in (FIRST, SECOND))
    assert first_contact.begin(finder) == Begun(0)
    first_contact.note(finder, 10, FOUND, is_over=False)
    finder.release("failed", {}, 0)
    make_it_long_ago(ledger)  # the early run, too: it began before they were found
    assert first_contact.begin(early) == Begun(10, By.STOPPED)
    early.release("failed", {}, 0)
    later = Lease.acquire(ledger, "orders", SECOND)
    assert first_contact.begin(later) == Begun(0)


def test_fresh_differences_stop_the_run_of_another_partition_though_it_began_after_them(ledger: Ledger) -> None:
    finder = Lease.acquire(ledger, "orders", FIRST)
    first_contact.begin(finder)
    first_contact.note(finder, 10, FOUND, is_over=False)
    finder.release("failed", {}, 0)
    other, again = (Lease.acquire(ledger, "orders", each) for each in (SECOND, FIRST))
    assert first_contact.begin(other) == Begun(10, By.STOPPED)
    assert first_contact.begin(again) == Begun(0)


@pytest.mark.parametrize("found", [{}, FOUND], ids=["nothing open", "differences open"])
def test_a_contact_is_left_to_others_only_where_no_difference_is_open(
    ledger: Ledger, found: dict[tuple[str, str], list[str]]
) -> None:
    ours, other = (Lease.acquire(ledger, "orders", each) for each in (FIRST, SECOND))
    first_contact.begin(ours)
    first_contact.note(ours, 5, found, is_over=False)
    assert first_contact.leave(ours) is (not found)
    assert first_contact.begin(other) == (Begun(5, By.ANOTHER) if found else Begun(5))


def test_a_contact_that_is_anothers_is_not_left_to_others(ledger: Ledger) -> None:
    ours, other = (Lease.acquire(ledger, "orders", each) for each in (FIRST, SECOND))
    first_contact.begin(ours)
    first_contact.leave(other)
    assert first_contact.begin(other) == Begun(0, By.ANOTHER)
