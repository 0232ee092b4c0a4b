"""Waiting for the lease of another run: of a dead one while it takes to know that, of a live one if asked to."""

from __future__ import annotations

from sync_ledger.leases import LeaseHeldError
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.retry_schedules import LEASE_LOOK_SECONDS
from sync_ledger.runs import live_runs_beside, mark_dead_runs


def wait_for_lock(ledger: Ledger, stream: str, partition: Partition, seconds: float) -> None:
    """Wait until no run lives that has keys in common with a partition, but no longer than so many seconds.

    A silent run is watched, however long it is waited for.

    Raises:
        LeaseHeldError: one lives still.
    """
    began = ledger.clock.seconds()
    waited = False
    while True:
        mark_dead_runs(ledger, stream, watched_for=partition)
        beside = live_runs_beside(ledger, stream, partition)
        if not beside:
            return
        left = seconds - (ledger.clock.seconds() - began)
        if left <= 0:
            raise LeaseHeldError(beside[0])
        if not waited:
            ledger.log.info("Waiting for up to %g s: %s", left, beside[0])
        waited = True
        ledger.clock.wait(min(LEASE_LOOK_SECONDS, left))
