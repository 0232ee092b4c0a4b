"""Unsynced orders read again and again, at a price that does not grow: one short query while nothing happens.

What is unsynced is the same law as in a single run. What is added is memory: which orders are on their way to the
target already, and how far back a late commit may still show up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from itertools import islice
from typing import Any

from sync_databases.clock import clock_time, database_now
from sync_ledger.retry_schedules import FOLLOW_LEDGER_POLL_SECONDS, FOLLOW_WIDE_POLL_SECONDS
from tap_legacy_orders.connections import fetch_rows, reading
from tap_legacy_orders.pages import Page, Row
from tap_legacy_orders.poll_wakeup import Waking
from tap_legacy_orders.ranges import Clock, Range, choose_range
from tap_legacy_orders.unsynced_queries import due_keys
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

QUICK_LOOKBACK = timedelta(seconds=10)
WIDE_SECONDS = FOLLOW_WIDE_POLL_SECONDS
"""Most polls look back a little; one in so many seconds looks back as far as `lookback_seconds` says."""

CLOCK_JITTER = timedelta(seconds=5)

LEDGER_SECONDS = FOLLOW_LEDGER_POLL_SECONDS
"""How often a ledger in another database is asked for due retries: that is a query of its own."""

EMITTED_MOST = 200_000
"""Orders remembered as sent; an order that was forgotten is sent once more, and the target knows it."""


class FollowedOrders(UnsyncedOrders):
    """The unsynced orders of one stream, as they come to be."""

    def __init__(self, **options: Any) -> None:
        """As for a single run."""
        super().__init__(**options)
        self._emitted: dict[str, str] = {}
        self._emitted_due: dict[str, tuple[datetime, str]] = {}
        self._still: dict[str, str] = {}
        self._still_due: dict[str, tuple[datetime, str]] = {}
        self._staged: dict[str, str] = {}
        self._staged_due: dict[str, tuple[datetime, str]] = {}
        self._bookmark: str | None = None
        self._newest: str | None = None
        self._newest_since = 0.0
        self._clock: tuple[datetime, float] | None = None
        self._wide_at = 0.0
        self._ledger_at = 0.0
        self.queries = 0
        """Statements of the last poll that found nothing; what an idle tap costs."""

    def listen(self, waking: Waking) -> None:
        """Have `waking` told of changes, where the database tells of them."""
        waking.listen(self._engine, self._table.name)

    def forget_connections(self) -> None:
        """Let go of connections that may be broken."""
        self._engine.dispose()
        self._ledger.engine.dispose()

    @property
    def settle_seconds(self) -> float:
        """How long an order must be unchanged before it is read."""
        return self._settings.settle.total_seconds()

    @property
    def bookmark(self) -> str | None:
        """Where the bookmark may stand now."""
        return self._bookmark

    def round(self, bookmark: str | None) -> Iterator[Page]:
        """Read as a single run does: everything that a poll does not look at, too."""
        self.queries = _ROUND_QUERIES
        self._wide_at = time.monotonic() + WIDE_SECONDS
        with reading(self._engine) as connection:
            self._note_clock(database_now(connection))
        yield from self._remembering(self.pages(bookmark), wide=True)

    def news(self) -> Iterator[Page]:
        """Read what has come to be unsynced since the last pass, and retries whose time has come."""
        if self._bookmark is None:
            yield from self.round(None)
            return
        wide = time.monotonic() >= self._wide_at or self._is_clamped
        yield from self._remembering(self._news(wide=wide), wide=wide)
        if wide:
            self._wide_at = time.monotonic() + WIDE_SECONDS

    def _news(self, *, wide: bool) -> Iterator[Page]:
        now = self._now()
        chosen = self._chosen(now, wide=wide)
        query = self._queries.glance(chosen.lower, chosen.held_after, now)
        with reading(self._engine) as connection:
            clock, newest, unsettled, due = fetch_rows(connection, query)[0]
        self.queries = 1
        self._note_clock(clock_time(clock))
        cutoff = now
        if not self._joined:
            unsettled, due, cutoff = self._looked_up(newest, now)
        if due:
            yield from self._due_pages(cutoff, chosen)
        self._note_newest(newest)
        if newest is None:
            return
        if unsettled:
            yield from self._range_pages(cutoff, chosen, newest)
        else:
            self._bookmark = newest

    def _looked_up(self, newest: str | None, now: datetime) -> tuple[bool, bool, datetime]:
        """What the one query cannot tell where the ledger lies elsewhere."""
        unsettled = newest != self._newest or bool(self._lookback())
        if not unsettled:
            self._still = dict(self._emitted)  # nothing is read, so nothing is known to be settled
        if time.monotonic() < self._ledger_at:
            self._still_due = dict(self._emitted_due)
            return unsettled, False, now
        self._ledger_at = time.monotonic() + LEDGER_SECONDS
        with self._reading_ledger() as connection:
            cutoff = self._ledger.now(connection)
            due = connection.execute(due_keys(self._ack, self._stream, cutoff, None, 1)).first() is not None
        return unsettled, due, cutoff

    # Where to read

    @property
    def _is_clamped(self) -> bool:
        """Whether an order was left out, which the bookmark waits for."""
        return self._bookmark != self._newest

    def _lookback(self) -> timedelta:
        """How far back an order may still be committed late.

        By the moment at which the newest order was first seen, the clock of whoever writes stood there; it has gone on
        since. So the window closes when nothing happens, whatever clock that is.
        """
        if self._is_clamped:
            return self._settings.lookback
        return max(timedelta(0), self._settings.lookback - timedelta(seconds=time.monotonic() - self._newest_since))

    def _chosen(self, now: datetime, *, wide: bool) -> Range:
        lookback = self._lookback() if wide else min(self._lookback(), QUICK_LOOKBACK)
        settings, newest = self._settings, self._newest
        chosen = choose_range(
            self._table.replication,
            self._database,
            lambda _: (newest, ""),
            self._bookmark,
            Clock(now, settings.zone, lookback, settings.settle),
            own_version=not self._table.version_is_replication,
        )
        return self._without_start(chosen)

    def _choose_range(self, bookmark: str | None) -> tuple[Range, int]:
        chosen, ahead = super()._choose_range(bookmark)
        self._note_newest(chosen.upper)
        return chosen, ahead

    def _note_newest(self, newest: str | None) -> None:
        if newest != self._newest:
            self._newest, self._newest_since = newest, time.monotonic()

    def _now(self) -> datetime:
        """The database's clock, without asking it; never ahead of it."""
        if self._clock is None:
            raise AssertionError("the first look is a round, which asks for the clock")
        then, at = self._clock
        return then + timedelta(seconds=time.monotonic() - at)

    def _note_clock(self, now: datetime) -> None:
        """Take the clock over; but an answer that took its time does not set it back, or the newest order lay ahead."""
        if self._clock is None or not timedelta(0) <= self._now() - now < CLOCK_JITTER:
            self._clock = now, time.monotonic()

    # What is on its way already

    def _remembering(self, pages: Iterator[Page], *, wide: bool) -> Iterator[Page]:
        """Give the pages, and note what is out: an order counts as sent when the next page is asked for."""
        self._still, self._still_due = {}, {}
        sent: dict[str, str] = {}
        sent_due: dict[str, tuple[datetime, str]] = {}
        complete = False
        try:
            for page in pages:
                yield page
                self._bookmark = page.bookmark or self._bookmark
                sent.update(self._staged)
                sent_due.update(self._staged_due)
                self._staged.clear()
                self._staged_due.clear()
            complete = True
        finally:
            self._staged.clear()
            self._staged_due.clear()
            # What a whole look no longer finds unsettled is settled.
            self._emitted = _newest_of((self._still if complete and wide else self._emitted) | sent)
            self._emitted_due = (self._still_due if complete else self._emitted_due) | sent_due

    def _judge(self, rows: list[Row], cutoff: datetime) -> tuple[list[Row], list[Row]]:
        send, left_out = super()._judge(rows, cutoff)
        fresh = []
        for row in send:
            key, version = self._key(row), self._version(row)
            if self._emitted.get(key) == version:
                self._still[key] = version
            else:
                self._staged[key] = version
                fresh.append(row)
        return fresh, left_out

    def _fresh_due(self, rows: list[Row], due: Mapping[str, datetime]) -> list[Row]:
        """Leave out the retries that are on their way: each refusal sets another moment for the next one."""
        fresh = []
        for row in rows:
            key = self._key(row)
            what = due[key], self._version(row)
            if self._emitted_due.get(key) == what:
                self._still_due[key] = what
            else:
                self._staged_due[key] = what
                fresh.append(row)
        return fresh


_ROUND_QUERIES = 7
"""Of a round over a table at rest, at most: clocks, ends of the range, keys, what is outside it, retries, one page."""


def _newest_of(emitted: dict[str, str]) -> dict[str, str]:
    if len(emitted) <= EMITTED_MOST:
        return emitted
    return dict(islice(emitted.items(), len(emitted) - EMITTED_MOST, None))
