"""A guard against an accident in the legacy system: how many synced orders one run may write again or delete at most.

They are counted before the first record: new orders are not, nor are retries and orders that somebody resends. What
changes between the count and the reading is counted as it is read. A run that follows counts over an hour.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from singer_sdk import typing as th

from sync_ledger.stream_contract import SAME_CONTENT
from tap_legacy_orders.contents import Contents
from tap_legacy_orders.order_filter import OrderFilter
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.page_reader import PageReader
from tap_legacy_orders.pages import Page
from tap_legacy_orders.ranges import Range
from tap_legacy_orders.reading_scope import ReadingScope
from tap_legacy_orders.restless_columns import RestlessColumns
from tap_legacy_orders.tap_errors import TooManyChangesError

PROPERTIES = (
    th.Property(
        "max_changes",
        th.IntegerType(minimum=0),
        title="Most changes",
        description="A run that would write again or delete more orders that are in the CRM sends nothing and ends 4",
    ),
    th.Property(
        "max_change_percent",
        th.NumberType(minimum=0, maximum=100),
        title="Most changes, in percent",
        description="The same as a share of all orders that are in the CRM",
    ),
)

FOLLOWED_SECONDS = 3_600.0
"""Over how long a run counts that follows."""


@dataclass(frozen=True, slots=True)
class ChangeGuard:
    """How many synced orders a run may write again; None: as many as there are."""

    most: int | None
    percent: float | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> ChangeGuard:
        """Read the settings."""
        percent = config.get("max_change_percent")
        return cls(config.get("max_changes"), None if percent is None else float(percent))

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return self.most is not None or self.percent is not None

    def guarding(self, source: OrdersSource, contents: Contents) -> Guarding | None:
        """What guards a run that ends; None where nothing does."""
        if self.is_set:
            return ChangeCount(self, source, contents)
        return RestlessColumns(source, contents) if source.table.by_content else None

    def following(self, source: OrdersSource, contents: Contents) -> ChangeCount | None:
        """What counts for a run that follows; None where there is no limit."""
        return ChangeCount(self, source, contents, within=FOLLOWED_SECONDS) if self.is_set else None

    def limit(self, synced: int) -> tuple[str, int]:
        """The setting that allows least, and how many orders that is."""
        limits = [] if self.most is None else [("max_changes", self.most)]
        if self.percent is not None:
            limits.append(("max_change_percent", int(synced * self.percent / 100)))
        return min(limits, key=lambda limit: limit[1])


class Guarding(Protocol):
    """Looks at what a run is about to send."""

    def before(
        self, scope: ReadingScope, *, deleted: Iterable[Sequence[str]] = (), sent: OrderFilter | None = None
    ) -> None:
        """Look before anything is sent; `deleted` are keys of orders, some at a time."""
        ...

    def counted(self, pages: Iterable[Page]) -> Iterator[Page]:
        """Look at each page before it is sent."""
        ...


class ChangeCount:
    """The synced orders that one run writes again: each counts once, however often it is read."""

    def __init__(
        self,
        guard: ChangeGuard,
        source: OrdersSource,
        contents: Contents | None,
        *,
        within: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Count over the last `within` seconds, or over all of the run."""
        self._guard = guard
        self._source = source
        self._contents = contents
        self._within = within
        self._clock = clock
        self._changed: dict[str, float] = {}
        self._synced = 0

    def before(
        self, scope: ReadingScope, *, deleted: Iterable[Sequence[str]] = (), sent: OrderFilter | None = None
    ) -> None:
        """Count all that is about to be sent, by reading it once; `deleted` are keys of orders, some at a time.

        `sent` leaves out orders on their way to the CRM, which were counted before they went.

        Raises:
            TooManyChangesError: it is more than the settings allow.
        """
        self._synced = self._source.count_synced()
        for page in _pages(PageReader(self._source, sent, self._contents), self._source, scope):
            self._add(_changed(page))
        for keys in deleted:
            self._add(keys)

    def before_range(self, cutoff: datetime, chosen: Range, upper: str, *, comparing: bool, sent: OrderFilter) -> None:
        """Count a range alone.

        Raises:
            TooManyChangesError: as `before`.
        """
        reader = PageReader(self._source, sent, self._contents)
        for page in reader.range_pages(cutoff, chosen, upper, comparing=comparing):
            self._add(_changed(page))

    def counted(self, pages: Iterable[Page]) -> Iterator[Page]:
        """The pages, each once its orders are counted.

        Raises:
            TooManyChangesError: as `before`; what was given before is sent.
        """
        for page in pages:
            self._add(_changed(page), sent="no more")
            yield page

    def _add(self, keys: Sequence[str], *, sent: str = "nothing") -> None:
        now = self._clock()
        fresh = [key for key in keys if key not in self._changed]
        known = set(self._source.synced_among(fresh)) if fresh else set()
        if self._within is not None:
            since = now - self._within
            self._changed = {key: then for key, then in self._changed.items() if then >= since}
        self._changed |= dict.fromkeys(known, now)
        if len(self._changed) > self._guard.limit(self._synced)[1]:
            self._synced = self._source.count_synced()  # a run that follows has brought more since it was counted
        setting, most = self._guard.limit(self._synced)
        if len(self._changed) > most:
            what = f"more than {most:,} of the {self._synced:,} orders of {self._source.table.name} that are in the CRM"
            when = "" if self._within is None else " within an hour"
            raise TooManyChangesError(
                f"{setting}: {what} changed{when} and would be written again or deleted; {sent} is sent: look at what "
                "changed them; if it is right, raise the setting for one run"
            )


def _changed(page: Page) -> list[str]:
    """The orders of a page but those of which just another form of their content is noted."""
    marks = page.marks or {}
    keys = page.columns[page.key_at]
    return [key for key in keys if not marks.get(key, "").startswith(SAME_CONTENT)]


def _pages(reader: PageReader, source: OrdersSource, scope: ReadingScope) -> Iterator[Page]:
    if source.any_undated():
        yield from reader.outside_pages(scope.cutoff, None)
    if scope.dated_far_ahead:
        yield from reader.outside_pages(scope.cutoff, scope.range.future)
    if scope.range.upper is not None:
        yield from reader.range_pages(scope.cutoff, scope.range, scope.range.upper)
