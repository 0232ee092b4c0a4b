"""How many orders are unsynced now and since when the oldest is, counted as a run would find them; nothing is written.

One aggregate query where the ledger lies beside the orders, pages of keys and versions where it lies elsewhere; and
never for longer than whoever asks is ready to wait.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from operator import methodcaller

from sync_databases.timestamps import read_timestamp
from tap_legacy_orders.deadline import Deadline
from tap_legacy_orders.order_filter import EveryOrder, FoundOrders
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.page_reader import PageReader
from tap_legacy_orders.reading_scope import ReadingScope, choose_scope
from tap_legacy_orders.row_layout import Row


@dataclass(frozen=True, slots=True)
class OldestOrder:
    """The unsynced order that changed first. `at` is naive UTC; None where the replication key is no time."""

    key: str
    replication_value: str
    at: datetime | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """Orders of the table that the CRM does not have in their present version, at `now` of their database's clock."""

    now: datetime
    new_or_changed: int
    due: int
    """Refused for now, and due again."""
    behind_a_job: int
    """Changed while an earlier version is in a job that is not settled; sent when it is."""
    settling: int
    """Changed just now, or dated a little ahead of the clock: a later run reads them."""
    oldest: OldestOrder | None
    """Of those that are new, changed or behind a job, and dated. None where there is none."""
    held: int = 0
    """Changed since they were undone: they wait for `orders-sync release`, and no run writes them before."""
    by_content: bool = False
    """Only contents say what changed, and they are not compared here: orders with an ack are not counted."""

    @property
    def next_run(self) -> int:
        """How many a run that begins now sends."""
        return self.new_or_changed + self.due

    @property
    def unsynced(self) -> int:
        """All of them."""
        return self.next_run + self.behind_a_job + self.settling + self.held

    @property
    def oldest_age(self) -> timedelta | None:
        """How long ago the oldest one changed; None where that is not known."""
        if self.oldest is None or self.oldest.at is None:
            return None
        return max(timedelta(0), self.now - self.oldest.at)


class Tally(EveryOrder):
    """Counts what pages find."""

    def __init__(self, held_among: Callable[[list[str]], set[str]]) -> None:
        """`held_among` says which of these keys are held."""
        self._held_among = held_among
        self.left_out = 0
        self.held = 0
        self.oldest: tuple[str, str] | None = None
        """Key and replication key of the first order that was found."""

    def select(self, found: FoundOrders) -> list[Row]:
        """Count a page."""
        self.left_out += len(found.left_out)
        self.held += len(self._held_among(list(map(found.layout.key, found.unsynced))))
        firsts = [rows[0] for rows in (found.unsynced, found.left_out) if rows]
        if self.oldest is None and firsts:  # pages are in order, and so are their rows
            first = min(firsts, key=found.rows.index)
            self.oldest = found.layout.key(first), found.layout.replication(first)
        return super().select(found)


@dataclass(frozen=True, slots=True)
class _Counted:
    """Orders that are unsynced whatever their retries, those left out and those held among them."""

    orders: int
    left_out: int
    held: int
    oldest: tuple[str, str] | None


def count_backlog(source: OrdersSource, deadline: Deadline) -> Backlog:
    """Count the unsynced orders of a stream.

    Raises:
        TapSyncError: a database does not answer, or not in time.
    """
    now = source.now()
    scope = choose_scope(source, None)
    due = 0
    for page in PageReader(source).due_pages(scope.cutoff, scope.range):
        deadline.check()
        due += page.count
    if source.joins_acks or source.has_no_acks:
        found = _count_by_query(source, scope)
    else:
        found = _count_by_pages(source, scope, deadline)
    late, _, future = source.count_late(scope.range)
    return Backlog(
        now=now,
        new_or_changed=found.orders - found.left_out - found.held,
        due=due,
        behind_a_job=found.left_out,
        settling=late - future,
        oldest=None if source.table.by_content else _oldest_order(source, found.oldest),
        held=found.held,
        by_content=source.table.by_content,
    )


def _count_by_query(source: OrdersSource, scope: ReadingScope) -> _Counted:
    query = source.queries.count_unsettled(scope.range.upper, scope.range.future, scope.cutoff)
    count, left_out, held, first = source.ask(query)[0]
    oldest = None
    if first is not None:
        rows = source.fetch(methodcaller("range_page", first, first, None, 1, scope.cutoff))
        oldest = (source.layout.key(rows[0]), first) if rows else None
    return _Counted(int(count or 0), int(left_out or 0), int(held or 0), oldest)


def _count_by_pages(source: OrdersSource, scope: ReadingScope, deadline: Deadline) -> _Counted:
    outside, within = Tally(source.held_among), Tally(source.held_among)
    reader = PageReader(source, outside)
    futures = [*([None] if source.any_undated() else []), *([scope.range.future] if scope.dated_far_ahead else [])]
    count = sum(page.count for future in futures for page in reader.outside_pages(scope.cutoff, future))
    if scope.range.upper is not None:
        for page in PageReader(source, within).range_pages(scope.cutoff, scope.range, scope.range.upper):
            deadline.check()
            count += page.count
    left_out = outside.left_out + within.left_out
    return _Counted(count + left_out, left_out, outside.held + within.held, within.oldest)


def _oldest_order(source: OrdersSource, oldest: tuple[str, str] | None) -> OldestOrder | None:
    if oldest is None:
        return None
    key, text = oldest
    timestamp = read_timestamp(text)
    return OldestOrder(key, text, None if timestamp is None else timestamp.utc(source.settings.zone))
