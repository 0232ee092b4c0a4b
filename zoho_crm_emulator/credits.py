"""API credits over a rolling day, and how many calls may run at once: counted always, limited by edition."""

from __future__ import annotations

import sqlite3
import threading
from collections import defaultdict
from typing import Literal

from zoho_crm_emulator.clock import DAY, MINUTE, Clock
from zoho_crm_emulator.store import Store

Edition = Literal["free", "standard", "professional", "enterprise", "ultimate", "unlimited"]

BASE_CREDITS = 50_000
FREE_CREDITS = 5_000
CREDITS_PER_USER = {"standard": 250, "professional": 500, "enterprise": 1000, "ultimate": 2000}
MOST_CREDITS = {"standard": 100_000, "professional": 3_000_000, "enterprise": 5_000_000}
CALLS_AT_ONCE = {"free": 5, "standard": 10, "professional": 15, "enterprise": 20, "ultimate": 25, "unlimited": 10_000}
HEAVY_CALLS_AT_ONCE = 10  # upserts of more than ten records, COQL and search, on every edition


def daily_credits(edition: Edition, users: int) -> int | None:
    """The credits of a rolling day; None for an edition without limit (which Zoho does not sell)."""
    if edition == "unlimited":
        return None
    if edition == "free":
        return FREE_CREDITS
    credits_ = BASE_CREDITS + CREDITS_PER_USER[edition] * users
    return min(credits_, MOST_CREDITS.get(edition, credits_))


class Credits:
    """What was spent, by minute and kind of call, for the last 24 hours and since the file was made."""

    def __init__(self, store: Store, clock: Clock, edition: Edition, users: int) -> None:
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._minutes: dict[int, int] = {}
        self._unsaved: defaultdict[tuple[int, str], int] = defaultdict(int)
        self.by_kind: defaultdict[str, int] = defaultdict(int)
        self.edition: Edition = edition
        self.users = users
        self._limit_override: int | None = None
        store.before_commit.append(self.save)
        for minute, kind, amount in store.read().execute("SELECT minute, kind, amount FROM credits"):
            self._minutes[minute] = self._minutes.get(minute, 0) + amount
            self.by_kind[kind] += amount

    @property
    def limit(self) -> int | None:
        """Credits of a rolling day, or None when there is no limit."""
        if self._limit_override is not None:
            return self._limit_override
        return daily_credits(self.edition, self.users)

    def set_edition(self, edition: Edition, users: int) -> None:
        """Sell the org another edition."""
        self.edition, self.users, self._limit_override = edition, users, None

    def set_remaining(self, remaining: int) -> None:
        """Set the limit so that this many credits are left now."""
        self._limit_override = self.spent_today() + remaining

    def spent_today(self) -> int:
        """Credits spent in the 24 hours up to now."""
        first = (self._clock.now() - DAY) // MINUTE + 1
        with self._lock:
            for minute in [m for m in self._minutes if m < first]:
                del self._minutes[minute]
            return sum(self._minutes.values())

    def remaining(self) -> int | None:
        """Credits left now, or None when there is no limit."""
        limit = self.limit
        return None if limit is None else max(0, limit - self.spent_today())

    def spend(self, kind: str, amount: int) -> bool:
        """Take credits for a call; False, and nothing taken, when not enough are left."""
        left = self.remaining()
        if left is not None and amount > left:
            return False
        if amount:
            minute = self._clock.now() // MINUTE
            with self._lock:
                self._minutes[minute] = self._minutes.get(minute, 0) + amount
                self._unsaved[minute, kind] += amount
                self.by_kind[kind] += amount
        return True

    def save(self, connection: sqlite3.Connection) -> None:
        """Write what is not yet in the file; part of every transaction."""
        with self._lock:
            rows = [(minute, kind, amount) for (minute, kind), amount in self._unsaved.items()]
            self._unsaved.clear()
        connection.executemany(
            "INSERT INTO credits VALUES (?, ?, ?) "
            "ON CONFLICT (minute, kind) DO UPDATE SET amount = amount + excluded.amount",
            rows,
        )

    @property
    def unsaved(self) -> bool:
        """Whether something waits to be written."""
        return bool(self._unsaved)

    def reset(self) -> None:
        """Forget what was spent and any limit set by hand."""
        with self._lock:
            self._minutes.clear()
            self._unsaved.clear()
            self.by_kind.clear()
            self._limit_override = None


class CallsAtOnce:
    """The calls under way; used only on the event loop, so it needs no lock."""

    def __init__(self, credits_: Credits) -> None:
        self._credits = credits_
        self.running = 0
        self.heavy = 0
        self.most_running = 0
        self.most_heavy = 0
        self.override: int | None = None

    @property
    def limit(self) -> int:
        """How many calls may run at once on this edition."""
        return self.override if self.override is not None else CALLS_AT_ONCE[self._credits.edition]

    def enter(self, *, heavy: bool) -> bool:
        """Count a call in; False when it is one too many."""
        if self.running >= self.limit or (heavy and self.heavy >= HEAVY_CALLS_AT_ONCE):
            return False
        self.running += 1
        self.heavy += heavy
        self.most_running = max(self.most_running, self.running)
        self.most_heavy = max(self.most_heavy, self.heavy)
        return True

    def leave(self, *, heavy: bool) -> None:
        """Count a call out."""
        self.running -= 1
        self.heavy -= heavy

    def reset(self) -> None:
        """Forget the peaks and any limit set by hand."""
        self.most_running, self.most_heavy, self.override = self.running, self.heavy, None
