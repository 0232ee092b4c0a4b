"""When a refusal that passes by itself is tried again, and when that ends. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=6)


def next_attempt_at(attempts: int, now: datetime, *, max_attempts: int) -> datetime | None:
    """Tell when an order that was tried `attempts` times in vain is due again.

    The first retry is due at once (the next run takes it), later ones after 1, 2, 4 ... minutes, at most 6 hours.
    None: it was tried often enough, and is parked.
    """
    if attempts >= max_attempts:
        return None
    if attempts <= 1:
        return now
    doublings = min(attempts - 2, 16)
    return now + min(FIRST_PAUSE * (1 << doublings), LONGEST_PAUSE)
