"""What may be sent: credits counted and budgeted before each write, calls at once, and the pauses Zoho asks for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime
from enum import StrEnum

from sync_ledger.retry_schedules import CALL_STOP_CHECK_SECONDS, RETRY_AFTER_MOST_SECONDS
from target_zoho_crm.api.call_window import CallWindow
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.costs import UPSERTS_AT_ONCE
from target_zoho_crm.api.errors import QuotaError, stopped
from target_zoho_crm.api.places import Places

logger = logging.getLogger("target-zoho-crm")


class CreditKind(StrEnum):
    """What credits were spent for."""

    UPSERT = "upsert"
    BULK_WRITE = "bulk_write"
    OTHER = "other"


class CreditMeter:
    """Counts the credits this run spends, and refuses a spending that would pass its budget.

    Safe for threads. Zoho tells the credits left only past half of the day's credits, so our own count comes first;
    what it tells is kept too, and `keep` of it is left to others. An answer may be older than calls under way, so their
    credits count as spent on top of what it tells; and one that others have overtaken is not believed.
    """

    def __init__(self, budget: int | None = None, keep: int = 0) -> None:
        self.budget = budget
        self.keep = keep
        self._planned = 0
        self._short = False
        self._spent = dict.fromkeys(CreditKind, 0)
        self._remaining: int | None = None
        self._under_way = 0
        self._maybe_spent = 0
        self._reports = 0
        self._reported = 0
        self._lock = threading.Lock()

    def reserve(self, credits: int, kind: CreditKind = CreditKind.OTHER) -> int:  # noqa: A002 - the field's word
        """Count `credits` as spent, before they are. Gives how many reports were believed by then, for `told`.

        Raises:
            QuotaError: CREDIT_BUDGET, when the budget or the reserve would be passed; nothing is counted then.
        """
        with self._lock:
            spent = sum(self._spent.values())
            if self.budget is not None and spent + credits > self.budget:
                raise _over(f"{credits} more credits would pass credit_budget {self.budget} ({spent} are spent).")
            if self._remaining is not None and self.keep:
                left = self._remaining - self._maybe_spent
                if left - credits < self.keep:
                    raise _over(f"The org has {left} credits left, of which credit_reserve keeps {self.keep}.")
            self._spent[kind] += credits
            self._under_way += credits
            if self._remaining is not None:
                self._remaining -= credits
            return self._reports

    def room(self) -> int | None:
        """Credits that are neither spent nor planned; None where nothing limits them."""
        with self._lock:
            other = self._spent[CreditKind.OTHER]
            writes = sum(self._spent.values()) - other
            limits = [self.budget - other - max(writes, self._planned)] if self.budget is not None else []
            if self._remaining is not None and self.keep:
                limits.append(self._remaining - self._maybe_spent - self.keep - max(0, self._planned - writes))
            return max(0, min(limits)) if limits else None

    def plan(self, credits: int) -> None:  # noqa: A002 - as above
        """Note that writes which cost so much are about to be made."""
        with self._lock:
            self._planned += credits

    @property
    def planned(self) -> int:
        """Credits of all writes that were planned so far."""
        with self._lock:
            return self._planned

    def run_short(self) -> None:
        """Note that something was not sent for want of credits."""
        with self._lock:
            self._short = True

    @property
    def short(self) -> bool:
        """Whether something was not sent for want of credits."""
        with self._lock:
            return self._short

    def give_back(self, credits: int, kind: CreditKind = CreditKind.OTHER) -> None:  # noqa: A002 - as above
        """Uncount credits of a call that Zoho surely did not carry out."""
        with self._lock:
            self._spent[kind] -= credits
            if self._remaining is not None:
                self._remaining += credits

    def over(self, credits: int) -> None:  # noqa: A002 - as above
        """Note that a call for which so many were reserved is over, however it ended."""
        with self._lock:
            self._under_way -= credits

    def note_remaining(self, remaining: int, *, by: int = 0, since: int | None = None) -> None:
        """Note what Zoho says is left for the org; `by` are the credits of the call, under way still, that it answers.

        Whether it counts the other calls under way is not known. `since` is what `reserve` gave for the call: where a
        report that came after that says less, this one is older, and was overtaken.
        """
        with self._lock:
            if since is not None and since < self._reports and remaining > self._reported:
                return
            self._reports += 1
            self._reported = self._remaining = remaining
            self._maybe_spent = self._under_way - by

    @property
    def remaining(self) -> int | None:
        """The org's credits left, if Zoho has said so in this run."""
        with self._lock:
            return self._remaining

    @property
    def total(self) -> int:
        """Credits spent in this run."""
        with self._lock:
            return sum(self._spent.values())

    def spent(self, kind: CreditKind) -> int:
        """Credits spent in this run for one kind."""
        with self._lock:
            return self._spent[kind]


class ConcurrencyGate:
    """Lets as many calls through at once as Zoho takes, at most `most`, and of them at most 10 upserts.

    `upserts` are the places of those: fewer than 10 where other workers have some.
    """

    def __init__(self, most: int, stop: threading.Event, clock: Callable[[], float] = time.monotonic) -> None:
        self._window = CallWindow(most)
        self._stop = stop
        self._clock = clock
        self._calls = 0
        self._resume_at = 0.0
        self._changed = threading.Condition()
        self.upserts = Places(UPSERTS_AT_ONCE, stop, self._changed)

    @contextmanager
    def passing(self, *, upsert: bool = False) -> Iterator[int]:
        """Hold one place while the block runs, and wait for it as long as needed; gives what `refused` asks for.

        Raises:
            Stopped: the run is to stop.
        """
        with self._changed:
            while not (self._free() and (not upsert or self.upserts.take())):
                self._changed.wait(CALL_STOP_CHECK_SECONDS)
            self._calls += 1
            era = self._window.era
        try:
            yield era
        finally:
            with self._changed:
                self._calls -= 1
                if upsert:
                    self.upserts.give_back()
                self._changed.notify_all()

    def answered(self) -> None:
        """Note a call that Zoho took."""
        with self._changed:
            self._window.answered()

    def refused(self, era: int) -> None:
        """Note a call that Zoho refused for haste: fewer go at once from now on."""
        with self._changed:
            before = self._window.size
            if self._window.refused(era):
                logger.info("Zoho takes fewer than %d calls at once now: %d from here on", before, self._window.size)

    @property
    def alone(self) -> bool:
        """Whether calls go one by one already, so that only a pause is left to try."""
        with self._changed:
            return self._window.size == 1

    def pause(self, seconds: float) -> None:
        """Let nobody through for so long."""
        with self._changed:
            self._resume_at = max(self._resume_at, self._clock() + seconds)

    def _free(self) -> bool:
        if self._stop.is_set():
            raise stopped()
        return self._calls < self._window.size and self._clock() >= self._resume_at


def retry_after(value: str | None, now: Callable[[], float] = time.time) -> float | None:
    """Seconds that a `Retry-After` header asks for (a number or an HTTP date), capped; None if there is none."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(value).timestamp() - now()
        except ValueError:
            return None
    if seconds != seconds:  # noqa: PLR0124 - NaN
        return None
    return min(max(seconds, 0.0), RETRY_AFTER_MOST_SECONDS)


def wait_or_stop(stop: threading.Event, seconds: float) -> None:
    """Wait so long, or raise `Stopped` as soon as the run is to stop."""
    if stop.wait(seconds):
        raise stopped()


def _over(what: str) -> QuotaError:
    return QuotaError(OwnCode.CREDIT_BUDGET, what, remedy=OwnCode.CREDIT_BUDGET.code.remedy)
