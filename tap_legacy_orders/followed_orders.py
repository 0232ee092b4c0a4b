"""Unsynced orders read again and again, at a price that does not grow: one short query while nothing happens.

What is unsynced is decided as in a single run. What is added is memory: which orders are on their way to the target
already, and how far back a late commit may still appear. STATE says how far the wide looks have come; quick ones go
ahead of it, and a late commit may still appear behind them.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sync_databases.database_clock import clock_time
from sync_ledger.retry_schedules import FOLLOW_LEDGER_POLL_SECONDS, FOLLOW_WIDE_POLL_SECONDS
from tap_legacy_orders.change_guard import ChangeCount
from tap_legacy_orders.contents import Contents
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.page_reader import PageReader
from tap_legacy_orders.pages import Page
from tap_legacy_orders.poll_wakeup import PollWakeup
from tap_legacy_orders.reading_scope import choose_scope
from tap_legacy_orders.sent_orders import NotSent, SentOrders
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

QUICK_LOOKBACK = timedelta(seconds=10)
WIDE_SECONDS = FOLLOW_WIDE_POLL_SECONDS
"""Most polls look back a little; one in so many seconds looks back as far as `lookback_seconds` says."""

CLOCK_JITTER = timedelta(seconds=5)

LEDGER_SECONDS = FOLLOW_LEDGER_POLL_SECONDS
"""How often a ledger in another database is asked for due retries: that is a query of its own."""

FULL_PASS_QUERIES = 7
"""Of a full pass over a table at rest, at most: clocks, ends of the range, keys, orders outside, retries, a page."""


class FollowedOrders:
    """The unsynced orders of one stream, as they come to be."""

    def __init__(
        self, source: OrdersSource, contents: Contents | None = None, changes: ChangeCount | None = None
    ) -> None:
        """Begin with nothing sent; `contents` compares orders in the window with their acks.

        `changes` counts what is about to be sent, and stops where it is too much.
        """
        self._source = source
        self._changes = changes
        self._sent = SentOrders()
        self._reader = PageReader(source, self._sent, contents)
        self._full = UnsyncedOrders(source, pages=self._reader)
        self._bookmark: str | None = None
        self._position: str | None = None
        self._newest: str | None = None
        self._newest_since = 0.0
        self._tick = timedelta(0)
        self._open = source.settings.lookback
        self._clock: tuple[datetime, float] | None = None
        self._wide_at = 0.0
        self._ledger_at = 0.0
        self.queries = 0
        """Statements of the last poll that found nothing; what an idle tap costs."""

    def listen(self, wakeup: PollWakeup) -> None:
        """Let changes end the pauses of `wakeup`, where the database notifies of them."""
        wakeup.listen(self._source.engine, self._source.table.notified_by)

    def forget_connections(self) -> None:
        """Close connections that may be broken."""
        self._source.forget_connections()

    @property
    def min_age_seconds(self) -> float:
        """How long an order must be unchanged before it is read."""
        return self._source.settings.min_age.total_seconds()

    @property
    def bookmark(self) -> str | None:
        """Where the bookmark may stand now."""
        return self._bookmark

    def full_pass(self, bookmark: str | None) -> Iterator[Page]:
        """Read as a single run does: also what a poll does not reach."""
        self.queries = FULL_PASS_QUERIES
        self._source.look_for_ledger()
        began = time.monotonic()
        self._wide_at = began + WIDE_SECONDS
        self._note_clock(self._source.now())
        yield from self._sent.remember(self._moving(self._full_pages(bookmark), wide=True), wide=True)
        self._open = self._open_after(began)

    def _full_pages(self, bookmark: str | None) -> Iterator[Page]:
        scope = choose_scope(self._source, bookmark)
        self._note_newest(scope.range.upper)
        self._tick = scope.range.tick
        if self._changes is not None:
            self._changes.before(scope, sent=NotSent(self._sent))
        yield from self._counted(self._full.pages_of(scope))

    def new_pages(self) -> Iterator[Page]:
        """Read what has become unsynced since the last pass, and retries that have come due."""
        if self._bookmark is None:
            yield from self.full_pass(None)
            return
        began = time.monotonic()
        wide = began >= self._wide_at or self._is_clamped
        self._source.look_for_ledger()  # no change of an order that has an ack goes uncounted
        yield from self._sent.remember(self._moving(self._polled_pages(wide=wide), wide=wide), wide=wide)
        if wide:
            self._wide_at = time.monotonic() + WIDE_SECONDS
            self._open = self._open_after(began)

    def _polled_pages(self, *, wide: bool) -> Iterator[Page]:
        source, now = self._source, self._now()
        known, is_open = self._newest, self._open > timedelta(0)
        begin, most = (self._bookmark, source.settings.lookback) if wide else (self._position, QUICK_LOOKBACK)
        chosen = source.choose_range(lambda _: known, begin, now, min(self._open, most))
        self._tick = chosen.tick
        query = source.queries.poll_query(chosen.lower, chosen.too_recent_after, now)
        clock, newest, unsettled, due = source.ask(query)[0]
        self.queries = 1
        self._note_clock(clock_time(clock))
        cutoff = now
        if not source.joins_acks:
            unsettled, due, cutoff = self._ask_other_ledger(newest, now)
        if due:
            yield from self._reader.due_pages(cutoff, chosen)
        self._note_newest(newest)
        if newest is None:
            return
        if unsettled or (wide and is_open):
            if self._changes is not None:
                sent = NotSent(self._sent)
                self._changes.before_range(cutoff, chosen, newest, comparing=wide, sent=sent)
            yield from self._counted(self._reader.range_pages(cutoff, chosen, newest, comparing=wide))
            return
        self._position = newest
        if wide:
            self._bookmark = newest

    def _counted(self, pages: Iterator[Page]) -> Iterator[Page]:
        return pages if self._changes is None else self._changes.counted(pages)

    def _ask_other_ledger(self, newest: str | None, now: datetime) -> tuple[bool, bool, datetime]:
        """What the one query cannot find out where the ledger lies elsewhere: unsettled, due, and the cutoff."""
        unsettled = newest != self._newest or self._open > timedelta(0)
        if not unsettled:
            self._sent.keep_orders()
        if time.monotonic() < self._ledger_at:
            self._sent.keep_retries()
            return unsettled, False, now
        self._ledger_at = time.monotonic() + LEDGER_SECONDS
        cutoff = self._source.ledger_now()
        return unsettled, bool(self._source.due(cutoff, None, 1)), cutoff

    def _moving(self, pages: Iterator[Page], *, wide: bool) -> Iterator[Page]:
        """Give the pages; what the next look begins from moves when the next page is asked for.

        Only those of a `wide` look say how far STATE may go.
        """
        for page in pages:
            yield page if wide else replace(page, bookmark=None)
            self._position = page.bookmark or self._position
            if wide:
                self._bookmark = page.bookmark or self._bookmark

    # Where to read

    @property
    def _is_clamped(self) -> bool:
        """Whether an order was left out, which the position waits for."""
        return self._position != self._newest

    def _open_after(self, began: float) -> timedelta:
        """How far before the newest order one may still be committed late, after a wide look that `began` then.

        When the newest order was first seen, the clock of whoever writes stood there; by this look it had moved on. So
        the window closes when nothing happens, whatever clock that is.
        """
        lookback = self._source.settings.lookback + self._tick
        if self._is_clamped or began < self._newest_since:
            return lookback
        return max(timedelta(0), lookback - timedelta(seconds=began - self._newest_since))

    def _note_newest(self, newest: str | None) -> None:
        if newest != self._newest:
            self._newest, self._newest_since = newest, time.monotonic()

    def _now(self) -> datetime:
        """The database's clock, without asking it; never ahead of it."""
        if self._clock is None:
            raise AssertionError("the first pass is a full one, which asks for the clock")
        then, at = self._clock
        return then + timedelta(seconds=time.monotonic() - at)

    def _note_clock(self, now: datetime) -> None:
        """Note the database's clock; but a slow answer does not set it back, or the newest order would lie ahead."""
        if self._clock is None or not timedelta(0) <= self._now() - now < CLOCK_JITTER:
            self._clock = now, time.monotonic()
