"""What may still keep back an order that was found to be unsynced: a strategy that the reader of pages is given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tap_legacy_orders.row_layout import Row, RowLayout


@dataclass(frozen=True, slots=True)
class FoundOrders:
    """The rows of one page."""

    rows: Sequence[Row]
    """All of them, in the order in which they were read."""
    unsynced: list[Row]
    """Those that can be sent now."""
    left_out: list[Row]
    """Those that changed while their earlier version is in flight."""
    layout: RowLayout
    contents: Mapping[str, str]
    """The contents, by key, of orders to send whose acks have their very version."""


class OrderFilter(Protocol):
    """Chooses, of the orders that can be sent, those that are."""

    def select(self, found: FoundOrders) -> list[Row]:
        """Choose from a page."""
        ...

    def select_retries(self, rows: list[Row], due: Mapping[str, datetime], layout: RowLayout) -> list[Row]:
        """Choose from retries; `due` holds when each came due, by key."""
        ...


class EveryOrder:
    """Sends whatever was found, as a single run does: in it, no order is on its way already."""

    def select(self, found: FoundOrders) -> list[Row]:
        """Choose all."""
        return found.unsynced

    def select_retries(self, rows: list[Row], due: Mapping[str, datetime], layout: RowLayout) -> list[Row]:  # noqa: ARG002
        """Choose all."""
        return rows
