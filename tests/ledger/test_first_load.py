"""The first load of a partition is over when that partition was loaded, however the stream was split then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.deleted_records import count_in_crm
from sync_ledger.first_load import first_load_is_over
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.run_facts import InPart, RunFacts
from sync_ledger.tables import AckStatus


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()
    yield ledger
    ledger.close()


def ran(ledger: Ledger, name: str, how_ended: str = "finished", read: int = 5, in_part: InPart | None = None) -> None:
    lock = Lease.acquire(ledger, "orders", Partition.named(name), known=RunFacts(in_part=in_part))
    lock.release(how_ended, {"read": read, "synced": read, "unsynced": 0}, 0)


def over(ledger: Ledger, *names: str) -> list[bool]:
    with ledger.connect() as connection:
        run = ledger.tables.run
        return [first_load_is_over(connection, run, "orders", Partition.named(name)) for name in names]


def test_each_partition_has_a_first_load_of_its_own(ledger: Ledger) -> None:
    assert over(ledger, "1/1", "1/2") == [False, False]
    ran(ledger, "1/2", read=0)  # an empty table ends nothing
    ran(ledger, "1/2", "failed")
    assert over(ledger, "1/2", "2/2") == [False, False]
    ran(ledger, "1/2")
    assert over(ledger, "1/2", "2/2", "1/1", "1/3") == [True, False, False, False]
    ran(ledger, "2/2")
    assert over(ledger, "2/2", "1/1", "1/3", "4/16") == [True, True, True, True]


def test_orders_of_a_file_do_not_begin_a_first_load_and_those_of_a_plan_do(ledger: Ledger) -> None:
    ran(ledger, "1/1", in_part=InPart.BY_HAND)
    assert over(ledger, "1/1") == [False]
    ran(ledger, "1/1", read=0)
    assert over(ledger, "1/1") == [False]
    ran(ledger, "1/1", in_part=InPart.OF_PLAN)
    assert over(ledger, "1/1") == [False]
    ran(ledger, "1/1", read=0)
    assert over(ledger, "1/1") == [True]


def test_a_run_that_died_may_have_read_more_than_it_had_counted(ledger: Ledger) -> None:
    ran(ledger, "1/1", "died", read=0)  # its last heartbeat was before its first order
    assert over(ledger, "1/1") == [False]
    ran(ledger, "1/1", read=0)
    assert over(ledger, "1/1") == [True]


def test_orders_in_the_crm_are_counted_by_partition(ledger: Ledger) -> None:
    keys = [f"SO-{number}" for number in range(300)]
    with ledger.begin() as connection:
        now = ledger.now(connection)
        acks = [Ack("orders", key, "v1", AckStatus.SYNCED, now, zoho_id="1") for key in keys]
        write_acks(connection, ledger.tables.ack, Acks.of(acks))
        for share in (Partition(index, 4) for index in range(1, 5)):
            assert count_in_crm(connection, ledger.tables.ack, "orders", share) == sum(map(share.holds, keys))
        assert count_in_crm(connection, ledger.tables.ack, "orders", Partition(1, 1)) == 300
