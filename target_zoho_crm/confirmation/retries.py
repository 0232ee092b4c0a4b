"""When a refusal that passes by itself is tried again, whether it counts, and when that ends. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import Enum

from sync_ledger.retry_schedules import DUE_ORDERS, PARKED_AFTER_HOURS
from target_zoho_crm.api.codes import OwnCode

PARKED_AFTER = timedelta(hours=PARKED_AFTER_HOURS)
_LONGEST_PAUSE = timedelta(seconds=DUE_ORDERS.longest_pause)


class Attempt(Enum):
    """What a refusal that passes by itself says of its order."""

    COUNTS = "counts"
    """It is about this order."""
    FAILED_ALONE = "failed alone"
    """The call failed and blamed nobody, and the order was alone in it."""
    FAILED_WITH_OTHERS = "failed with others"
    """So did a call, job or upload of many: it counts for nobody."""

    @property
    def counted(self) -> int:
        """How many attempts it counts as."""
        return int(self is not Attempt.FAILED_WITH_OTHERS)

    @property
    def blames_nobody(self) -> bool:
        """Whether the answer leaves open what is wrong."""
        return self is not Attempt.COUNTS


_ATTEMPTS: dict[str, Attempt] = {
    OwnCode.BREAKS_CALLS.value: Attempt.FAILED_ALONE,
    OwnCode.CALL_FAILED.value: Attempt.FAILED_WITH_OTHERS,
    OwnCode.UPLOAD_FAILED.value: Attempt.FAILED_WITH_OTHERS,
    OwnCode.JOB_WITHOUT_RESULT.value: Attempt.FAILED_WITH_OTHERS,
    OwnCode.ALIKE_IN_DOUBT.value: Attempt.FAILED_WITH_OTHERS,
}


def attempt_of(code: str | None) -> Attempt:
    """What a refusal of this code is."""
    return _ATTEMPTS.get(code or "", Attempt.COUNTS)


def next_attempt_at(
    attempts: int,
    now: datetime,
    attempt: Attempt = Attempt.COUNTS,
    *,
    max_attempts: int,
    failing_since: datetime | None = None,
) -> datetime | None:
    """When an order that was tried `attempts` times in vain is due again.

    The first retry is due at once (the next run takes it), later ones after 1, 2, 4 ... minutes, at most 6 hours.
    What counts for nobody is due after a quarter of the time for which it has failed. None: it was tried often enough,
    and is parked; where the answers blame nobody, a day after the first of them at the earliest.
    """
    if attempt is Attempt.FAILED_WITH_OTHERS:
        return now + min((now - (failing_since or now)) / 4, _LONGEST_PAUSE)
    pause = timedelta(seconds=DUE_ORDERS.pause_after(attempts - 1)) if attempts > 1 else timedelta(0)
    if attempts < max_attempts:
        return now + pause
    until = failing_since + PARKED_AFTER if failing_since is not None else now
    return min(now + pause, until) if now < until else None
