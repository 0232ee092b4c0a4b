"""How a run finds the orders that changed: by a column that says when, or by comparing the contents of all of them.

Without such a column the key takes its place: pages go by it, and a bookmark of it means nothing. Each run reads the
whole table, and compares each order with the content that its ack has. A table that is large when it is first read is
refused unless the settings ask for that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from singer_sdk import typing as th

from tap_legacy_orders.tap_errors import TapConfigError

ORDERS_MOST = 1_000_000
"""Larger tables are compared only where the settings ask for it."""

CONTENT = "content"

PROPERTY = th.Property(
    "change_detection",
    th.StringType,
    allowed_values=[CONTENT],
    title="Change detection",
    description="`content` compares every order with what was last sent, in each run; tables of up to a million orders "
    "without a column like updated_at are compared so by themselves",
)


def asks_for_content(config: Mapping[str, Any]) -> bool:
    """Whether the settings want contents to be compared, whatever columns there are.

    Raises:
        TapConfigError: they want that, and a column or a flag as well.
    """
    if config.get("change_detection") != CONTENT:
        return False
    for other in ("replication_key", "sync_flag_column", "follow"):
        if config.get(other):
            raise TapConfigError(
                f"change_detection: `content` compares all orders in each run, and `{other}` is set too"
            )
    return True


def too_many(table: str) -> TapConfigError:
    """The error of a large table that nothing says the changes of."""
    return TapConfigError(
        f"replication_key: {table} has no column named like updated_at, and more than {ORDERS_MOST:,} orders: name the "
        "column that is set at each change, or set `change_detection` to content, which compares all orders in each run"
    )
