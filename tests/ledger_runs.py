"""Runs in a ledger as tests want them: one of another process, a silent one; and a clock by which nobody waits."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from no_waiting import NoWaiting

from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import LEASE_SILENT_SECONDS

SILENT = timedelta(seconds=LEASE_SILENT_SECONDS + 1)
COUNTS = {"read": 3, "synced": 3}

HOLDER = """
import sys, time
from sync_ledger.ledger import Ledger
from sync_ledger.leases import Lease
lock = Lease.acquire(Ledger.open(sys.argv[1]), "orders")
print(lock.run_id, flush=True)
time.sleep(600)
"""


def run_row(identity: str, started_at: datetime, finished_at: datetime | None, **values: Any) -> dict[str, Any]:
    """A run of stream `orders` on another machine, as the ledger holds it."""
    return {
        "run_id": identity,
        "stream": "orders",
        "partition_name": "1/1",
        "lock_name": identity,
        "host": "host",
        "pid": 1,
        "process_space": "another machine",
        "started_at": started_at,
        "heartbeat_at": finished_at or started_at,
        "finished_at": finished_at,
        **values,
    }


@contextmanager
def patient_ledger(url: str) -> Iterator[Ledger]:
    """A ledger by whose clock nothing waits."""
    ledger = Ledger.open(url, clock=NoWaiting())
    ledger.ensure_tables()
    yield ledger
    ledger.close()


@contextmanager
def run_of_another_process(url: str) -> Iterator[subprocess.Popen[str]]:
    """A run that another process began, and does not go on with; the process knows its `run_id`."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, url], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.run_id = process.stdout.readline().strip()  # type: ignore[attr-defined]
    assert process.run_id  # type: ignore[attr-defined]
    yield process
    process.kill()
    process.wait()


def age(ledger: Ledger, run_id: str, by: timedelta, *, here: bool = False) -> None:
    """Let a run be silent for so long already, on another machine unless it is `here`."""
    run = ledger.tables.run
    with ledger.begin() as connection:
        beat = connection.execute(sa.select(run.c.heartbeat_at).where(run.c.run_id == run_id)).scalar_one()
        connection.execute(sa.update(run).where(run.c.run_id == run_id).values(heartbeat_at=beat - by))
        if not here:
            connection.execute(sa.update(run).where(run.c.run_id == run_id).values(process_space="another machine"))
