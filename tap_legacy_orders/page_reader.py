"""Pages of unsynced orders: due retries, orders outside the range, and the range; each page is a short query.

A server reads the next page of the range while one is written out.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from operator import methodcaller

from sync_databases.engines import engine_of
from sync_databases.keys import KEY_LENGTH
from tap_legacy_orders.order_filter import EveryOrder, FoundOrders, OrderFilter
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.pages import Page
from tap_legacy_orders.ranges import Range
from tap_legacy_orders.read_ahead import reading_ahead
from tap_legacy_orders.row_layout import Row
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.unsynced_queries import Action, Position, usable_keys

KEYS_PER_QUERY = 500
"""Due retries fetched at once: composite keys make long conditions, and some engines take 1,000 values only."""


class PageReader:
    """Reads the pages of one stream, and keeps what holds for several of them."""

    def __init__(self, source: OrdersSource, order_filter: OrderFilter | None = None) -> None:
        """Give what `order_filter` chooses, or every order."""
        self._source = source
        self._filter: OrderFilter = order_filter or EveryOrder()
        self._restored: set[str] = set()
        self._warned_of_duplicates = False
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
                rows = self._source.by_key(keys[start : start + KEYS_PER_QUERY], chosen)
                rows = self._filter.select_retries(rows, due, self._source.layout)
                if rows:
                    yield self._source.page(rows, None)
            if len(keys) < size:
                return
            after = keys[-1]

    def restored_pages(self, chosen: Range) -> Iterator[Page]:
        """Read orders that were deleted in the CRM and are in the table again, perhaps with an old date."""
        after = None
        while True:
            keys = self._source.deleted_in_crm(after, KEYS_PER_QUERY)
            rows = self._source.by_key(keys, chosen)
            if rows:
                self._restored.update(map(self._source.layout.key, rows))
                yield self._source.page(rows, None)
            if len(keys) < KEYS_PER_QUERY:
                return
            after = keys[-1]

    def outside_pages(self, cutoff: datetime, future: str | None) -> Iterator[Page]:
        """Read by key the orders that are dated after `future`; with None, those without a date."""
        after = None
        size = self._source.settings.page_size
        while True:
            rows = self._source.fetch(methodcaller("outside_page", future, after, size, cutoff))
            if not rows:
                return
            send, _ = self._select(rows, cutoff)
            if send:
                yield self._source.page(send, None)
            if len(rows) < size:
                return
            after = Position(None, self._source.key_parts(rows[-1]))

    def range_pages(self, cutoff: datetime, chosen: Range, upper: str) -> Iterator[Page]:
        """Read the range up to `upper`; only these pages move the bookmark."""
        clamp = None
        source = self._source
        size = source.settings.page_size
        with reading_ahead(source.fetch, by_server=engine_of(source.engine.dialect).is_server) as ask:
            coming = ask(methodcaller("range_page", chosen.lower, upper, None, size, cutoff))
            while True:
                rows = coming()
                send, left_out = self._select(rows, cutoff)
                if left_out and clamp is None:
                    clamp = source.layout.replication(left_out[0])  # pages are in order: the first is the smallest
                if len(rows) < size:
                    # Everything up to the range's end was sent, is settled, or clamps the bookmark.
                    yield source.page(send, clamp or upper)
                    return
                after = Position(source.layout.replication(rows[-1]), source.key_parts(rows[-1]))
                page = source.page(send, clamp or after.replication)
                # Not before: a page that the database could not write as JSON changes how rows are made up.
                coming = ask(methodcaller("range_page", chosen.lower, upper, after, size, cutoff))
                yield page

    def _select(self, rows: list[Row], cutoff: datetime) -> tuple[list[Row], list[Row]]:
        """Split a page into the orders to send and those left out; orders without a usable key are counted."""
        layout = self._source.layout
        if self._restored:
            rows = [row for row in rows if layout.key(row) not in self._restored]
        if not rows:
            return [], []
        beside = self._source.settings.ledger_beside_orders
        actions: list[int] = [row[-1] for row in rows] if beside else self._source.look_up(rows, cutoff)
        self._must_fit_the_ledger([row[layout.key_at + 1] for row in rows])
        keys = [row[layout.key_at] for row in rows]
        self._warn_of_duplicates(keys)
        send, left_out = rows, list[Row]()
        if any(actions) or not usable_keys(keys):
            send, left_out = self._split(rows, actions)
        return self._filter.select(FoundOrders(rows, send, left_out, layout)), left_out

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
