"""One stream's writes in doubt: looked at when they cannot land any more."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping

from sync_ledger.in_doubt import InDoubt, OrderInDoubt, check_in_doubt, count_in_doubt, note_different, orders_in_doubt
from sync_ledger.leases import Lease
from sync_ledger.retry_schedules import FIRST_JOB_LOOK_SECONDS
from sync_ledger.writes_under_way import TOKEN_LASTS_MOST


class StreamInDoubt:
    """What is in doubt of one stream, under the run's lease. Safe for threads."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ledger = lease.ledger
        self._next_look: float | None = None
        self.any_due = False
        """Whether orders are due to be compared: by the last look."""

    def job_may_exist(self) -> None:
        """Note that a job was asked for and no answer came, which the lease leaves in doubt: a look comes soon."""
        soonest = time.monotonic() + FIRST_JOB_LOOK_SECONDS
        self._next_look = soonest if self._next_look is None else min(self._next_look, soonest)

    def look(self) -> None:
        """Make due what has come to a look."""
        looked = check_in_doubt(self._ledger, self._lease.stream)
        seconds, self.any_due = looked.next_look_seconds, looked.any_due
        self._next_look = None if seconds is None else time.monotonic() + seconds

    def look_in_time(self) -> None:
        """Look if it is time to; for runs that last."""
        if self._next_look is None and self._lease.has_left:
            self._next_look = time.monotonic() + TOKEN_LASTS_MOST.total_seconds()
        if self._next_look is not None and time.monotonic() >= self._next_look:
            self.look()

    def left(self) -> InDoubt:
        """What stays in doubt; a run that knows of nothing does not ask."""
        if self._next_look is None and not self._lease.has_left:
            return InDoubt()

        def look_up() -> InDoubt:
            with self._ledger.connect() as connection:
                return count_in_doubt(connection, self._ledger.tables, self._lease.stream)

        return self._ledger.with_retries(look_up)

    def orders(self, keys: Collection[str]) -> dict[str, OrderInDoubt]:
        """Find those of these orders that are due to be compared, by key."""
        ack, stream = self._ledger.tables.ack, self._lease.stream

        def look_up() -> dict[str, OrderInDoubt]:
            with self._ledger.connect() as connection:
                return orders_in_doubt(connection, ack, stream, keys)

        return self._ledger.with_retries(look_up)

    def differ(self, fingerprints: Mapping[str, str]) -> None:
        """Note which orders differ, with a fingerprint of each difference, before they are written."""

        def once() -> None:
            with self._lease.transaction() as connection:
                note_different(connection, self._ledger.tables, self._lease.stream, fingerprints)

        self._ledger.with_retries(once)
