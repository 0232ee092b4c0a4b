"""How a run finds the orders that changed: by a column that says when, or by comparing the contents of all of them.

Without such a column the key takes its place: pages go by it, and a bookmark of it says nothing of changes. Each run
reads the whole table, and compares each order with the content that its ack has; or one run in a while does, and those
between read what has a greater key than all before. A table that is large when it is first read is refused unless the
settings ask for that.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from singer_sdk import typing as th

from tap_legacy_orders.tap_errors import TapConfigError

ORDERS_MOST = 1_000_000
"""Larger tables are compared only where the settings ask for it."""

CONTENT = "content"

PROPERTIES = (
    th.Property(
        "change_detection",
        th.StringType,
        allowed_values=[CONTENT],
        title="Change detection",
        description="`content` compares every order with what was last sent, in each run; tables of up to a million "
        "orders without a column like updated_at are compared so by themselves",
    ),
    th.Property(
        "content_every",
        th.StringType,
        title="Compare every",
        description="How often all orders are compared where contents show the changes, e.g. 1h; in each run by "
        "default. Runs between send new orders with greater keys",
    ),
)

_PERIOD = re.compile(r"([0-9]{1,6})\s*([smhd])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def content_every(config: Mapping[str, Any], *, column: str | None) -> timedelta | None:
    """How often all orders are compared; None: in each run. `column` is the one that says what changed, if any does.

    Raises:
        TapConfigError: it is no time, or orders are found by a column.
    """
    text = config.get("content_every")
    if text is None:
        return None
    if column is not None:
        raise TapConfigError(
            f"content_every: changes are found by {column}, and no contents are compared; leave it out, or set "
            "`change_detection` to content"
        )
    found = _PERIOD.fullmatch(text.strip())
    if found is None:
        raise TapConfigError(f"content_every: {text!r} is no time such as 30m, 1h or 1d")
    return timedelta(**{_UNITS[found[2]]: int(found[1])})


def asks_for_content(config: Mapping[str, Any]) -> bool:
    """Whether the settings want contents to be compared, whatever columns there are.

    With a replication key it still is what versions are made of, so that runs with and without this go together.

    Raises:
        TapConfigError: they want that, and what goes by a column alone as well.
    """
    if config.get("change_detection") != CONTENT:
        return False
    for other in ("sync_flag_column", "follow"):
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
