"""How many orders are unsynced now and since when the oldest is, counted as a run would find them; nothing is written.

One aggregate query where the ledger lies beside the orders, pages of keys and versions where it lies elsewhere; and
never for longer than whoever asks is ready to wait.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync_databases.timestamps import read_timestamp
from tap_legacy_orders.connections import fetch_rows, reading
from tap_legacy_orders.deadline import Deadline
from tap_legacy_orders.pages import Row
from tap_legacy_orders.ranges import Range
from tap_legacy_orders.unsynced_queries import UnsyncedQueries
from tap_legacy_orders.unsynced_reader import UnsyncedOrders


@dataclass(frozen=True, slots=True)
class OldestOrder:
    """The unsynced order that changed first. `at` is naive UTC; None where the replication key is no moment."""

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

    @property
    def next_run(self) -> int:
        """How many a run that begins now sends."""
        return self.new_or_changed + self.due

    @property
    def unsynced(self) -> int:
        """All of them."""
        return self.next_run + self.behind_a_job + self.settling

    @property
    def oldest_age(self) -> timedelta | None:
        """How long ago the oldest one changed; None where that is not known."""
        if self.oldest is None or self.oldest.at is None:
            return None
        return max(timedelta(0), self.now - self.oldest.at)


class UnsyncedCount(UnsyncedOrders):
    """Counts the unsynced orders of one stream."""

    def __init__(self, **options: Any) -> None:
        """As for a run; of `columns` none are needed."""
        super().__init__(**options)
        self._oldest: tuple[str, str] | None = None
        self._behind = 0

    def backlog(self, deadline: Deadline, *, acks_are_there: bool = True) -> Backlog:
        """Count; without acks every order is unsynced.

        Raises:
            TapSyncError: a database does not answer, or not in time.
        """
        with reading(self._engine) as connection:
            now = self._database.now(connection)
        with self._reading_ledger() as connection:
            cutoff = self._ledger.now(connection)
        chosen, ahead = self._choose_range(None)
        due = 0
        if acks_are_there:
            for page in self._due_pages(cutoff, chosen):
                deadline.check()
                due += page.count
        if self._joined or not acks_are_there:
            found = self._count_by_query(chosen, cutoff, acks_are_there=acks_are_there)
        else:
            found = self._count_by_pages(chosen, cutoff, deadline, ahead)
        settling = self._count_settling(chosen)
        return Backlog(
            now=now,
            new_or_changed=found - self._behind,
            due=due,
            behind_a_job=self._behind,
            settling=settling,
            oldest=self._named(self._oldest),
        )

    def _count_by_query(self, chosen: Range, cutoff: datetime, *, acks_are_there: bool) -> int:
        queries = self._queries
        if not acks_are_there:
            queries = UnsyncedQueries(self._table, self._database, self._stream, (), None)
        with reading(self._engine) as connection:
            query = queries.count_unsettled(chosen.upper, chosen.future, cutoff)
            count, behind, first = fetch_rows(connection, query)[0]
            self._behind = int(behind or 0)
            if first is not None:
                rows = fetch_rows(connection, queries.range_page(first, first, None, 1, cutoff))
                self._oldest = (self._key(rows[0]), first) if rows else None
        return int(count or 0)

    def _count_by_pages(self, chosen: Range, cutoff: datetime, deadline: Deadline, ahead: int) -> int:
        outside = [*([None] if self._any_undated() else []), *([chosen.future] if ahead else [])]
        count = sum(page.count for future in outside for page in self._outside_pages(cutoff, future))
        self._oldest = None
        if chosen.upper is not None:
            for page in self._range_pages(cutoff, chosen, chosen.upper):
                deadline.check()
                count += page.count
        return count + self._behind

    def _judge(self, rows: list[Row], cutoff: datetime) -> tuple[list[Row], list[Row]]:
        send, left_out = super()._judge(rows, cutoff)
        self._behind += len(left_out)
        if self._oldest is None and (send or left_out):  # pages are in order, and so are their rows
            first = min((part[0] for part in (send, left_out) if part), key=rows.index)
            self._oldest = self._key(first), self._replication(first)
        return send, left_out

    def _count_settling(self, chosen: Range) -> int:
        if chosen.held_after is None or chosen.ahead is None or chosen.future is None:
            return 0
        query = self._queries.count_late(chosen.held_after, chosen.ahead, chosen.future)
        with reading(self._engine) as connection:
            late, _, future = fetch_rows(connection, query)[0]
        return int(late) - int(future or 0)

    def _named(self, oldest: tuple[str, str] | None) -> OldestOrder | None:
        if oldest is None:
            return None
        key, text = oldest
        moment = read_timestamp(text)
        return OldestOrder(key, text, None if moment is None else moment.utc(self._settings.zone))
