"""Whether a stream is well, by limits that a monitoring sets. Pure."""

from __future__ import annotations

from datetime import timedelta

from orders_sync.reporting.status import StreamStatus
from orders_sync.reporting.unsynced_count import NotCounted
from tap_legacy_orders.backlog import Backlog


def complaints(stream: StreamStatus, *, max_age: timedelta | None, max_rejected: int | None) -> dict[str, str]:
    """What is beyond the limits, by a name of it; a limit of None is not checked.

    `max_age` holds for the last run that finished, for the oldest order that waits for its outcome or its next try, and
    for the oldest one that is unsynced, as far as the orders' table was asked; `max_rejected` for orders that were
    refused, or parked after their last try, and that nobody dismissed.
    """
    found = dict[str, str]()
    if max_age is not None:
        since = None if stream.last_finished_at is None else stream.now - stream.last_finished_at
        if since is None or since > max_age:
            last = f"the last one finished {short(since)} ago" if since is not None else "none is known"
            found["no run"] = f"no run has finished within {short(max_age)}: {last}"
        if stream.oldest_waiting_at is not None and stream.now - stream.oldest_waiting_at > max_age:
            found["waiting"] = f"an order has waited for {short(stream.now - stream.oldest_waiting_at)}"
        found |= _beyond_in_table(stream.backlog, max_age)
    if max_rejected is not None and stream.refused > max_rejected:
        found["refused"] = (
            f"{stream.refused:,} orders are refused, more than {max_rejected:,}; see `orders-sync problems`"
        )
    return {name: f"stream {stream.stream}: {each}" for name, each in found.items()}


def _beyond_in_table(backlog: Backlog | NotCounted, max_age: timedelta) -> dict[str, str]:
    """A table that should have been asked and could not be is a complaint too: nobody knows how old its orders are."""
    if isinstance(backlog, NotCounted):
        return {"not counted": f"unsynced orders cannot be counted: {backlog.why}"} if backlog.is_error else {}
    age = backlog.oldest_age
    if age is None or age <= max_age or backlog.oldest is None:
        return {}
    return {"unsynced": f"order {backlog.oldest.key} is unsynced and was changed {short(age)} ago"}


def short(age: timedelta) -> str:
    """An age in one unit: 45 s, 12 min, 3 h, 2 d."""
    seconds = max(0, round(age.total_seconds()))
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds // size} {unit}"
    return f"{seconds} s"
