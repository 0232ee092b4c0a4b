"""One run's reading: due retries, orders outside the range, then the range, page by page.

Each page is a short query of its own; no transaction stays open while the page is written out. A server reads the
next page meanwhile.

Why the bookmark never passes an order that was left out: a page's one statement returns both the orders to send and
those left out (changed while an earlier version is in flight), so both come from one snapshot. Every order between
two positions is then sent, or left out and clamps the bookmark, or its ack is settled at this very version.
What happens between two pages does not matter: the target of this run acknowledges versions that this run sent, and
an order changed after that has a replication key past the range's end, where the next run reads it.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from tap_legacy_orders.change_guard import Guarding
from tap_legacy_orders.contents import Contents
from tap_legacy_orders.deleted_orders import DeletedOrders
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.page_reader import PageReader
from tap_legacy_orders.pages import Page
from tap_legacy_orders.reading_scope import ReadingScope, choose_scope


class UnsyncedOrders:
    """The unsynced orders of one stream."""

    def __init__(
        self,
        source: OrdersSource,
        contents: Contents | None = None,
        changes: Guarding | None = None,
        *,
        pages: PageReader | None = None,
    ) -> None:
        """Read by `pages`, if they choose among the orders; else every unsynced order is given.

        `changes` counts what is to be sent, and stops where it is too much.
        """
        self._source = source
        self._changes = changes
        self._reader = pages or PageReader(source, contents=contents)

    def pages(self, bookmark: str | None, since: datetime | None = None) -> Iterator[Page]:
        """Read everything that is unsynced; `bookmark` is where an earlier run came to, `since` when it came there."""
        scope = choose_scope(self._source, bookmark, since)
        if self._changes is None:
            yield from self.pages_of(scope)
            return
        deleted = self.deleted_orders().keys() if self._source.settings.find_deleted else ()
        self._changes.before(scope, deleted=deleted)
        yield from self._changes.counted(self.pages_of(scope))

    def pages_of(self, scope: ReadingScope) -> Iterator[Page]:
        """Read everything that is unsynced within a scope."""
        source, reader, chosen = self._source, self._reader, scope.range
        keyless = source.count_keyless() - reader.unusable_keys
        yield from reader.due_pages(scope.cutoff, chosen)
        if source.settings.find_deleted:
            yield from reader.restored_pages(chosen)
        if source.any_undated():
            yield from reader.outside_pages(scope.cutoff, None)
        if scope.dated_far_ahead:
            yield from reader.outside_pages(scope.cutoff, chosen.future)
        if chosen.upper is not None:
            yield from reader.range_pages(scope.cutoff, chosen, chosen.upper)
        keyless += reader.unusable_keys
        if keyless:
            source.log.warning(
                "%d orders have no usable key in %s (empty, or longer than the ledger holds) and cannot be synced",
                keyless,
                ", ".join(column.name for column in source.table.key),
            )

    def deleted_orders(self) -> DeletedOrders:
        """Get ready to find the orders that were deleted from the table."""
        source = self._source
        return DeletedOrders(source.engine, source.table, source.ledger, source.stream, source.log)
