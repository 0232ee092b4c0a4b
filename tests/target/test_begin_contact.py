"""A worker that waits for another one's first contact ends at once when it is asked to."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
import sqlalchemy as sa
from ledger_runs import SILENT, age
from no_waiting import NoWaiting

from sync_ledger import first_contact
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from target_zoho_crm.api.errors import Stopped
from target_zoho_crm.delivery.begin_contact import begin_contact


class AskedToStop(NoWaiting):
    """Within the first wait the run is asked to stop."""

    def __init__(self) -> None:
        super().__init__()
        self.stop = threading.Event()

    def wait(self, seconds: float, until: threading.Event | None = None) -> None:
        super().wait(seconds, until)
        self.stop.set()


@pytest.mark.parametrize("other", ["lives", "is silent"])
def test_the_wait_for_another_workers_contact_ends_when_the_run_is_asked_to_stop(tmp_path: Path, other: str) -> None:
    clock = AskedToStop()
    ledger = Ledger.open(f"sqlite:///{tmp_path}/ledger.sqlite", clock=clock)
    ledger.ensure_tables()
    first = Lease.acquire(ledger, "orders", Partition(1, 2))
    assert first_contact.begin(first) == first_contact.Begun(0)
    if other == "is silent":  # on another machine: it would be watched for a minute
        age(ledger, first.run_id, SILENT)
    second = Lease.acquire(ledger, "orders", Partition(2, 2))
    with pytest.raises(Stopped):
        begin_contact(second, clock.stop, clock)
    assert len(clock.waits) <= 2
    run = ledger.tables.run
    with ledger.connect() as connection:
        assert connection.execute(sa.select(run.c.finished_at)).scalars().all() == [None, None]
    ledger.close()
