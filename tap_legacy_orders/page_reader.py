"""Pages of unsynced orders: due retries, orders outside the range, and the range; each page is a short query.

A server reads the next page of the range while one is written out.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from datetime import datetime
from operator import methodcaller
from typing import Any

import sqlalchemy as sa

from sync_databases.engines import engine_of
from sync_databases.keys import KEY_LENGTH
from sync_ledger.tables import AckStatus
from tap_legacy_orders.actions import Action, compared_action
from tap_legacy_orders.contents import Acked, Contents, Other
from tap_legacy_orders.order_filter import EveryOrder, FoundOrders, OrderFilter
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.pages import Page
from tap_legacy_orders.ranges import Range, Stretch
from tap_legacy_orders.read_ahead import reading_ahead
from tap_legacy_orders.row_layout import Row
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.unsynced_queries import UnsyncedQueries, usable_keys

KEYS_PER_QUERY = 500
"""Due retries fetched at once: composite keys make long conditions, and some engines take 1,000 values only."""

ABSENT_NAMED = 5


class PageReader:
    """Reads the pages of one stream, and keeps what holds for several of them."""

    def __init__(
        self, source: OrdersSource, order_filter: OrderFilter | None = None, contents: Contents | None = None
    ) -> None:
        """Give what `order_filter` chooses, or every order; without `contents` versions alone decide."""
        self._source = source
        self._contents = contents
        self._no_marks: Mapping[str, str] | None = None if contents is None else {}
        self._filter: OrderFilter = order_filter or EveryOrder()
        self._restored: set[str] = set()
        self._warned_of_duplicates = False
        self._absent: list[str] = []
        self._warned_of_absent = False
        self.unusable_keys = 0
        """Orders met so far whose key is empty, or longer than the ledger holds."""

    def due_pages(self, cutoff: datetime, chosen: Range) -> Iterator[Page]:
        """Read the retries that came due up to `cutoff`, by the ledger's clock."""
        after = None
        size = self._source.settings.page_size
        while True:
            due = self._source.due(cutoff, after, size)
            keys = list(due)
            for start in range(0, len(keys), KEYS_PER_QUERY):
                some = keys[start : start + KEYS_PER_QUERY]
                rows = self._source.by_key(some, chosen)
                self._note_absent(set(some) - set(map(self._source.layout.key, rows)))
                rows = self._filter.select_retries(rows, due, self._source.layout)
                if rows:
                    yield self._source.page(rows, None, self._no_marks)
            if len(keys) < size:
                self._warn_of_absent()
                return
            after = keys[-1]

    def _note_absent(self, keys: Collection[str]) -> None:
        """Note those of these due orders that are not there; a deletion that `find_deleted` finds ends by itself."""
        if keys and not self._warned_of_absent and not self._source.settings.find_deleted:
            self._absent += self._source.absent_among(keys)

    def _warn_of_absent(self) -> None:
        if not self._absent or self._warned_of_absent:
            return
        self._warned_of_absent = True
        self._source.log.warning(
            "%d orders are due again, and %s has none of them (deleted, or left out by `filter`): %s; "
            "`orders-sync dismiss KEY...` ends that",
            len(self._absent),
            self._source.table.name,
            ", ".join(map(repr, self._absent[:ABSENT_NAMED])) + (", ..." if len(self._absent) > ABSENT_NAMED else ""),
        )

    def restored_pages(self, chosen: Range) -> Iterator[Page]:
        """Read orders that were deleted in the CRM and are in the table again, perhaps with an old date."""
        after = None
        while True:
            keys = self._source.deleted_in_crm(after, KEYS_PER_QUERY)
            rows = self._source.by_key(keys, chosen)
            self._restored.update(map(self._source.layout.key, rows))
            rows = self._filter.select_retries(rows, {}, self._source.layout)
            if rows:
                yield self._source.page(rows, None, self._no_marks)
            if len(keys) < KEYS_PER_QUERY:
                return
            after = keys[-1]

    def outside_pages(self, cutoff: datetime, future: str | None) -> Iterator[Page]:
        """Read by key the orders that are dated after `future`; with None, those without a date.

        Where contents alone say what changed, they are compared.
        """
        after = None
        size = self._source.settings.page_size
        compares = self._source.table.by_content and self._contents is not None
        while True:
            rows = self._source.fetch(methodcaller("outside_page", future, after, size, cutoff, by_content=compares))
            if not rows:
                return
            more = len(rows) >= size
            if more:
                after = self._source.position(rows[-1], in_range=False)
                rows += self._ties(rows, methodcaller("ties", after, future, cutoff, by_content=compares))
            send, _, marks = self._select(rows, cutoff, in_window=compares)
            if send:
                yield self._source.page(send, None, marks)
            if not more:
                return

    def range_pages(self, cutoff: datetime, chosen: Range, upper: str, *, comparing: bool = True) -> Iterator[Page]:
        """Read the range up to `upper`; only these pages move the bookmark.

        `comparing`: in the window, orders are compared with the contents of their acks.
        """
        clamp, source = None, self._source
        size = source.settings.page_size
        stretches = [Stretch(chosen.lower, None, in_window=False)] if self._contents is None else chosen.stretches()
        with reading_ahead(source.fetch, by_server=engine_of(source.engine.dialect).is_server) as ask:
            for stretch in stretches:
                compares = stretch.in_window and comparing
                ends = {"until": stretch.until, "by_content": compares}
                coming = ask(methodcaller("range_page", stretch.lower, upper, None, size, cutoff, **ends))
                more = True
                while more:
                    rows = coming()
                    more = len(rows) >= size
                    if more:
                        after = source.position(rows[-1])
                        rows += self._ties(rows, methodcaller("ties", after, None, cutoff, by_content=compares))
                    send, left_out, marks = self._select(rows, cutoff, in_window=compares)
                    if left_out and clamp is None:
                        clamp = source.layout.replication(left_out[0])  # pages are in order: the first is the smallest
                    marks_of_page = marks if stretch.in_window else None
                    if more:
                        page = source.page(send, clamp or source.layout.replication(rows[-1]), marks_of_page)
                        # Not before: a page that the database could not write as JSON changes how rows are made up.
                        coming = ask(methodcaller("range_page", stretch.lower, upper, after, size, cutoff, **ends))
                    elif stretch.until is None:
                        # Everything up to the range's end was sent, is settled, or clamps the bookmark.
                        page = source.page(send, clamp or upper, marks_of_page)
                    else:
                        page = source.page(send, clamp, marks_of_page)
                    yield page
        if self._contents is not None:
            self._contents.log_incomparable()

    def _ties(self, rows: Sequence[Row], query: Callable[[UnsyncedQueries], sa.Select[Any]]) -> list[Row]:
        """Orders behind a page's end that compare as equal to its last one, which the next page would pass over."""
        if not self._source.table.has_ties:
            return []
        known = set(map(self._source.layout.key, rows))
        return [row for row in self._source.fetch(query) if self._source.layout.key(row) not in known]

    def _select(
        self, rows: list[Row], cutoff: datetime, *, in_window: bool
    ) -> tuple[list[Row], list[Row], Mapping[str, str] | None]:
        """Split a page into the orders to send and those left out, with the marks of those to send.

        Orders without a usable key are counted.
        """
        layout = self._source.layout
        if self._restored:
            rows = [row for row in rows if layout.key(row) not in self._restored]
        if not rows:
            return [], [], self._no_marks
        actions, acked = self._actions(rows, cutoff, in_window=in_window)
        self._must_fit_the_ledger(list(map(layout.version, rows)))
        keys = [row[layout.key_at] for row in rows]
        self._warn_of_duplicates(keys)
        others = self._other_contents(rows, actions, acked) if acked else {}
        send, left_out = rows, list[Row]()
        if any(actions) or not usable_keys(keys):
            send, left_out = self._split(rows, actions)
        contents = {key: other.content for key, other in others.items()}
        chosen = self._filter.select(FoundOrders(rows, send, left_out, layout, contents))
        marks = {key: other.mark for key, other in others.items()} if others else self._no_marks
        return chosen, left_out, marks

    def _actions(self, rows: list[Row], cutoff: datetime, *, in_window: bool) -> tuple[list[int], list[Acked | None]]:
        """What to do with each order, and the acks by which contents are compared, if any are."""
        if not self._source.joins_acks:
            actions, states = self._source.look_up(rows, cutoff, in_window=in_window)
            if not in_window:
                return actions, []
            return actions, [
                None if ack is None else Acked(ack.status, ack.content, ack.content_form) for ack in states
            ]
        if not in_window:
            return [row[-1] for row in rows], []
        acked = [Acked(*row[-3:]) for row in rows]
        return [compared_action(ack.status, ack.content) for ack in acked], [*acked]

    def _other_contents(self, rows: list[Row], actions: list[int], acked: Sequence[Acked | None]) -> dict[str, Other]:
        """Compare those whose version decides nothing; writes what is to be done with them into `actions`."""
        compared = [
            (index, ack)
            for index, (action, ack) in enumerate(zip(actions, acked, strict=True))
            if action == Action.COMPARE and ack is not None
        ]
        if self._contents is None or not compared:
            return {}
        page = self._source.page([rows[index] for index, _ in compared], None)
        found = self._contents.compare(page, [ack for _, ack in compared], AckStatus.SYNCED.value)
        others: dict[str, Other] = {}
        for (index, ack), other in zip(compared, found, strict=True):
            if other is None:
                actions[index] = Action.SKIP
                continue
            actions[index] = Action.LEAVE_OUT if ack.status == AckStatus.SUBMITTED.value else Action.SEND
            others[self._source.layout.key(rows[index])] = other
        return others

    def _split(self, rows: list[Row], actions: list[int]) -> tuple[list[Row], list[Row]]:
        send: list[Row] = []
        left_out: list[Row] = []
        for row, action in zip(rows, actions, strict=True):
            if not usable_keys((self._source.layout.key(row),)):
                self.unusable_keys += 1
            elif action == Action.LEAVE_OUT:
                left_out.append(row)
            elif action == Action.SEND:
                send.append(row)
        return send, left_out

    def _must_fit_the_ledger(self, versions: list[str]) -> None:
        if max(map(len, versions)) > KEY_LENGTH:
            raise TapConfigError(
                f"version_column: {self._source.table.version.name!r} holds texts longer than {KEY_LENGTH} "
                "characters, which the ledger cannot compare; name a column like a counter or the time of the last "
                "change"
            )

    def _warn_of_duplicates(self, keys: list[str]) -> None:
        """Two rows of one key would replace each other in the CRM for ever."""
        if self._warned_of_duplicates or len(set(keys)) == len(keys):
            return
        self._warned_of_duplicates = True
        seen: set[str] = set()
        duplicate = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        self._source.log.warning(
            "`key_column` does not identify an order: %r stands for more than one row of %s, and these rows will "
            "replace each other in every run",
            duplicate,
            self._source.table.name,
        )
