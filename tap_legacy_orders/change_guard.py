"""A guard against an accident in the legacy system: how many synced orders one run may write again at most.

They are counted before the first record: new orders are not, nor are retries and orders that somebody resends.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from singer_sdk import typing as th

from sync_ledger.stream_contract import SAME_CONTENT
from tap_legacy_orders.contents import Contents
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.page_reader import PageReader
from tap_legacy_orders.pages import Page
from tap_legacy_orders.reading_scope import ReadingScope
from tap_legacy_orders.tap_errors import TapConfigError, TooManyChangesError

PROPERTIES = (
    th.Property(
        "max_changes",
        th.IntegerType(minimum=0),
        title="Most changes",
        description="A run that would write more orders again that are in the CRM sends nothing and ends 4",
    ),
    th.Property(
        "max_change_percent",
        th.NumberType(minimum=0, maximum=100),
        title="Most changes, in percent",
        description="The same as a share of all orders that are in the CRM",
    ),
)


@dataclass(frozen=True, slots=True)
class ChangeGuard:
    """How many synced orders a run may write again; None: as many as there are."""

    most: int | None
    percent: float | None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> ChangeGuard:
        """Read the settings.

        Raises:
            TapConfigError: they cannot go with others.
        """
        percent = config.get("max_change_percent")
        guard = cls(config.get("max_changes"), None if percent is None else float(percent))
        if guard.is_set and config.get("follow"):
            raise TapConfigError("max_changes: it counts before a run sends anything, and `follow` never ends; set one")
        return guard

    @property
    def is_set(self) -> bool:
        """Whether there is any limit."""
        return self.most is not None or self.percent is not None

    def check(self, source: OrdersSource, contents: Contents | None, scope: ReadingScope) -> None:
        """Count what a run would write again, by reading it once before.

        Raises:
            TooManyChangesError: it is more than the settings allow.
        """
        if not self.is_set:
            return
        synced = source.count_synced()
        limits = [] if self.most is None else [("max_changes", self.most)]
        if self.percent is not None:
            limits.append(("max_change_percent", int(synced * self.percent / 100)))
        setting, most = min(limits, key=lambda limit: limit[1])
        changed = 0
        for page in _pages(source, contents, scope):
            marks = page.marks or {}
            keys = [key for key in page.columns[page.key_at] if not marks.get(key, "").startswith(SAME_CONTENT)]
            changed += source.count_synced_among(keys)
            if changed > most:
                what = f"more than {most:,} of the {synced:,} orders of {source.table.name} that are in the CRM changed"
                hint = "look at what changed them; if it is right, raise the setting for one run"
                raise TooManyChangesError(f"{setting}: {what} and would be written again; nothing is sent: {hint}")


def _pages(source: OrdersSource, contents: Contents | None, scope: ReadingScope) -> Iterator[Page]:
    reader = PageReader(source, contents=contents)
    if source.any_undated():
        yield from reader.outside_pages(scope.cutoff, None)
    if scope.dated_far_ahead:
        yield from reader.outside_pages(scope.cutoff, scope.range.future)
    if scope.range.upper is not None:
        yield from reader.range_pages(scope.cutoff, scope.range, scope.range.upper)
