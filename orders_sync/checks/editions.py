"""What an edition of Zoho CRM allows a day, by the page "Zoho CRM API v8: API Limits"."""

from __future__ import annotations

FREE_CREDITS = 5_000
BASE_CREDITS = 50_000
_PER_USER = {"standard": 250, "professional": 500, "enterprise": 1_000, "ultimate": 2_000}
_MOST = {"standard": 100_000, "professional": 3_000_000, "enterprise": 5_000_000}


def daily_credits(edition: str, users: int) -> int | None:
    """Credits of a rolling day of 24 hours; None for an edition that we do not know."""
    name = edition.lower()
    if name == "free":
        return FREE_CREDITS
    if name not in _PER_USER:
        return None
    allowed = BASE_CREDITS + _PER_USER[name] * users
    return min(allowed, _MOST.get(name, allowed))
