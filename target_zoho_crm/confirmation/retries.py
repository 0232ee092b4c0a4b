"""When a refusal that passes by itself is tried again, and when that ends. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

from sync_ledger.retry_schedules import DUE_ORDERS


def next_attempt_at(attempts: int, now: datetime, *, max_attempts: int) -> datetime | None:
    """When an order that was tried `attempts` times in vain is due again.

    The first retry is due at once (the next run takes it), later ones after 1, 2, 4 ... minutes, at most 6 hours.
    None: it was tried often enough, and is parked.
    """
    if attempts >= max_attempts:
        return None
    if attempts <= 1:
        return now
    return now + timedelta(seconds=DUE_ORDERS.pause_after(attempts - 1))
