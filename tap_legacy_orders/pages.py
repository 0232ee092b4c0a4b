"""What a run reads and how: pages of orders, column by column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta, tzinfo
from typing import Any

from tap_legacy_orders.rendering import Rendering


@dataclass(frozen=True, slots=True)
class Page:
    """Orders to send, column by column: the record's values, then key and version."""

    columns: Sequence[Sequence[Any]]
    count: int
    bookmark: str | None
    """Where the bookmark may stand once these are out; None leaves it where it is."""
    key_at: int = 0
    """Which column holds the keys."""
    rendering: Rendering | None = None
    """How the values before the keys make up the record, where they are not simply its columns."""
    marks: Mapping[str, str] | None = None
    """Records carry their content if this is there, and with it the mark of their key, if it has one."""


@dataclass(frozen=True, slots=True)
class ReadingSettings:
    """How a run reads."""

    page_size: int
    lookback: timedelta
    min_age: timedelta
    """How long an order must be unchanged before it is read: the setting `settle_seconds`."""
    zone: tzinfo
    ledger_beside_orders: bool
    """True when the ack table can be joined; else acks are looked up page by page."""
    find_deleted: bool
    """Whether orders that were deleted in the CRM are read by key: they may have come back with an old date."""
    lookback_count: int = 0
    """How far before the bookmark a run begins where the replication key counts."""
    compares_any_number: bool = False
    """Whether the settings ask for the comparison of all orders, however many there are."""
