"""One stream's writes in doubt: noted where no answer came, and looked at when they cannot land any more."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping
from datetime import timedelta

from sync_ledger.doubts import Doubtful, InDoubt, count_in_doubt, doubtful_orders, look_at_doubts, note_different
from sync_ledger.job_journal import JournalledJob, Manifest
from sync_ledger.leases import Lease
from sync_ledger.retry_schedules import FIRST_JOB_LOOK_SECONDS, LAST_JOB_LOOK_SECONDS
from sync_ledger.writes_under_way import WriteKind, WriteUnderWay, leave, note_again

JOB_MAY_LAND_FOR = timedelta(seconds=LAST_JOB_LOOK_SECONDS)


class StreamDoubts:
    """What is in doubt of one stream, under the run's lease. Safe for threads."""

    def __init__(self, lease: Lease) -> None:
        self._lease = lease
        self._ledger = lease.ledger
        self._next_look: float | None = None
        self.any_due = False
        """Whether orders are due to be compared: by the last look."""

    def job_may_exist(self, job: JournalledJob) -> None:
        """Note that a job was asked for and no answer came: it may write its rows at any time, for a day.

        Of a job of lines or links, their orders are noted: nobody can tell from a look whether it came late.
        """
        texts, of_orders = job.manifest.texts(), job.parent_job_id is None
        manifest = job.manifest if of_orders else Manifest.of(dict.fromkeys(texts.values(), ""))
        write_id, kind = (
            job.job_id,
            WriteKind.JOB if of_orders else WriteKind.LINES,
        )  # once, however often it is asked for

        def once() -> None:
            with self._lease.transaction() as connection:
                now = self._ledger.now(connection)
                write = WriteUnderWay(
                    write_id,
                    self._lease.stream,
                    self._lease.run_id,
                    kind,
                    manifest,
                    began_at=now,
                    may_land_until=now + JOB_MAY_LAND_FOR,
                    job_id=job.job_id,
                )
                note_again(connection, self._ledger.tables, write)
                leave(connection, self._ledger.tables, [write_id], now)

        self._ledger.with_retries(once)
        soonest = time.monotonic() + FIRST_JOB_LOOK_SECONDS
        self._next_look = soonest if self._next_look is None else min(self._next_look, soonest)

    def look(self) -> None:
        """Make due what has come to a look."""
        looked = look_at_doubts(self._ledger, self._lease.stream)
        seconds, self.any_due = looked.next_look_seconds, looked.any_due
        self._next_look = None if seconds is None else time.monotonic() + seconds

    def look_in_time(self) -> None:
        """Look if it is time to; for runs that last."""
        if self._next_look is not None and time.monotonic() >= self._next_look:
            self.look()

    def left(self) -> InDoubt:
        """What stays in doubt; a run that knows of nothing does not ask."""
        if self._next_look is None:
            return InDoubt()

        def look_up() -> InDoubt:
            with self._ledger.connect() as connection:
                return count_in_doubt(connection, self._ledger.tables, self._lease.stream)

        return self._ledger.with_retries(look_up)

    def orders(self, keys: Collection[str]) -> dict[str, Doubtful]:
        """Find those of these orders that are due to be compared, by key."""
        ack, stream = self._ledger.tables.ack, self._lease.stream

        def look_up() -> dict[str, Doubtful]:
            with self._ledger.connect() as connection:
                return doubtful_orders(connection, ack, stream, keys)

        return self._ledger.with_retries(look_up)

    def differ(self, fingerprints: Mapping[str, str]) -> None:
        """Note which orders differ, with a fingerprint of each difference, before they are written."""

        def once() -> None:
            with self._lease.transaction() as connection:
                note_different(connection, self._ledger.tables, self._lease.stream, fingerprints)

        self._ledger.with_retries(once)
