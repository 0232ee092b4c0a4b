"""Whether a stream is well, by limits that a monitoring sets. Pure."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import click

from orders_sync.status import StreamStatus
from orders_sync.unsynced_count import NotCounted
from tap_legacy_orders.backlog import Backlog

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
if TYPE_CHECKING:
    _ParamType = click.ParamType[timedelta]
else:
    _ParamType = click.ParamType  # generic in its stubs only before click 8.2


class Age(_ParamType):
    """A length of time such as 90s, 15m, 2h or 1d."""

    name = "age"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read a number and a unit."""
        if isinstance(value, timedelta):
            return value
        match = re.fullmatch(r"(\d+)([smhd])", str(value).strip())
        if match is None:
            self.fail(f"{value!r} is no age; expected e.g. 90s, 15m, 2h or 1d", param, ctx)
        return timedelta(seconds=int(match[1]) * _UNITS[match[2]])


def complaints(stream: StreamStatus, *, max_age: timedelta | None, max_rejected: int | None) -> list[str]:
    """What is beyond the limits; a limit of None is not checked.

    `max_age` holds for the last run that finished, for the oldest order that waits for its outcome or its next try, and
    for the oldest one that is unsynced, as far as the orders' table was asked; `max_rejected` for orders that were
    refused, or parked after their last try, and that nobody dismissed.
    """
    found = []
    if max_age is not None:
        since = None if stream.last_finished_at is None else stream.now - stream.last_finished_at
        if since is None or since > max_age:
            last = f"the last one finished {short(since)} ago" if since is not None else "none is known"
            found.append(f"no run has finished within {short(max_age)}: {last}")
        if stream.oldest_waiting_at is not None and stream.now - stream.oldest_waiting_at > max_age:
            found.append(f"an order has waited for {short(stream.now - stream.oldest_waiting_at)}")
        found += _beyond_in_table(stream.backlog, max_age)
    if max_rejected is not None and stream.refused > max_rejected:
        found.append(f"{stream.refused:,} orders are refused, more than {max_rejected:,}; see `orders-sync problems`")
    return [f"stream {stream.stream}: {each}" for each in found]


def _beyond_in_table(backlog: Backlog | NotCounted, max_age: timedelta) -> list[str]:
    """A table that should have been asked and could not be is a complaint too: nobody knows how old its orders are."""
    if isinstance(backlog, NotCounted):
        return [f"unsynced orders cannot be counted: {backlog.why}"] if backlog.is_error else []
    age = backlog.oldest_age
    if age is None or age <= max_age or backlog.oldest is None:
        return []
    return [f"order {backlog.oldest.key} is unsynced and was changed {short(age)} ago"]


def short(age: timedelta) -> str:
    """An age in one unit: 45 s, 12 min, 3 h, 2 d."""
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
