"""Which orders are on their way to the target: what follow mode remembers, so that it sends each of them once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from itertools import islice

from tap_legacy_orders.order_filter import FoundOrders
from tap_legacy_orders.pages import Page
from tap_legacy_orders.row_layout import Row, RowLayout

REMEMBERED_MOST = 200_000
"""Orders remembered as sent; an order that was forgotten is sent once more, and the target recognises it."""

Retry = tuple[datetime, str]
"""When a retry came due, and the order's version: each refusal sets another time for the next one."""


class SentOrders:
    """An `OrderFilter` that leaves out what was sent and is not settled yet."""

    def __init__(self) -> None:
        """Begin with nothing sent."""
        self._sent: dict[str, str] = {}
        self._sent_retries: dict[str, Retry] = {}
        self._still: dict[str, str] = {}
        self._still_retries: dict[str, Retry] = {}
        self._staged: dict[str, str] = {}
        self._staged_retries: dict[str, Retry] = {}

    @property
    def in_flight(self) -> Mapping[str, str]:
        """What was sent and is not known to be settled: versions by key, with contents where these were another."""
        return self._sent

    def select(self, found: FoundOrders) -> list[Row]:
        """Leave out the orders that are in flight at this very version, or with this very content."""
        fresh = []
        for row in found.unsynced:
            key, version = found.layout.key(row), _version(found, row)
            if self._sent.get(key) == version:
                self._still[key] = version
            else:
                self._staged[key] = version
                fresh.append(row)
        return fresh

    def select_retries(self, rows: list[Row], due: Mapping[str, datetime], layout: RowLayout) -> list[Row]:
        """Leave out the retries that were sent already."""
        fresh = []
        for row in rows:
            key = layout.key(row)
            retry = due[key], layout.version(row)
            if self._sent_retries.get(key) == retry:
                self._still_retries[key] = retry
            else:
                self._staged_retries[key] = retry
                fresh.append(row)
        return fresh

    def keep_orders(self) -> None:
        """Take no order for settled: none is read in this pass."""
        self._still = dict(self._sent)

    def keep_retries(self) -> None:
        """Take no retry for settled: none is read in this pass."""
        self._still_retries = dict(self._sent_retries)

    def remember(self, pages: Iterator[Page], *, wide: bool) -> Iterator[Page]:
        """Give the pages of one pass, and note what was sent: an order counts when the next page is asked for.

        A `wide` pass reads as far back as an unsettled order may be: what it does not find is settled.
        """
        self._still, self._still_retries = {}, {}
        sent: dict[str, str] = {}
        sent_retries: dict[str, Retry] = {}
        complete = False
        try:
            for page in pages:
                yield page
                sent.update(self._staged)
                sent_retries.update(self._staged_retries)
                self._clear_staged()
            complete = True
        finally:
            self._clear_staged()
            self._sent = _newest_of((self._still if complete and wide else self._sent) | sent)
            self._sent_retries = (self._still_retries if complete else self._sent_retries) | sent_retries

    def _clear_staged(self) -> None:
        self._staged.clear()
        self._staged_retries.clear()


class NotSent:
    """An `OrderFilter` that leaves out what was sent and is not settled yet, for a look that sends nothing."""

    def __init__(self, orders: SentOrders) -> None:
        """Leave out what is in flight of these."""
        self._orders = orders

    def select(self, found: FoundOrders) -> list[Row]:
        """Leave out the orders that are in flight at this very version, or with this very content."""
        sent = self._orders.in_flight
        return [row for row in found.unsynced if sent.get(found.layout.key(row)) != _version(found, row)]

    def select_retries(self, rows: list[Row], due: Mapping[str, datetime], layout: RowLayout) -> list[Row]:  # noqa: ARG002
        """Take all."""
        return rows


def _version(found: FoundOrders, row: Row) -> str:
    """The version that an order is sent at, with its content where that is what differs."""
    key, version = found.layout.key(row), found.layout.version(row)
    return f"{version}\0{found.contents[key]}" if key in found.contents else version


def _newest_of(sent: dict[str, str]) -> dict[str, str]:
    if len(sent) <= REMEMBERED_MOST:
        return sent
    return dict(islice(sent.items(), len(sent) - REMEMBERED_MOST, None))
