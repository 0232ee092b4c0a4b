"""What a code is: its family, the standing of its orders, the place where it is met, and the lines of the tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Family(StrEnum):
    """What to do about an error. In the order in which one of several errors decides about their order."""

    CONFIGURATION = "configuration"  # the run stops and says what to do; no record is blamed
    QUOTA = "quota"  # stop sending; the rest stays unsynced
    DATA = "data"  # the record is refused until it changes
    TRANSIENT = "transient"  # again with backoff, then in the next run

    @property
    def blames_order(self) -> bool:
        """Whether the order is at fault, or may be; else it is left unsynced."""
        return self in (Family.DATA, Family.TRANSIENT)

    @classmethod
    def deciding(cls, families: Iterable[Family]) -> Family:
        """The family of an order with several errors: a lasting one would only come back after a passing one."""
        return min(families, key=list(cls).index)


class Standing(StrEnum):
    """What the ledger says of an order that was refused."""

    REJECTED = "rejected"  # for good: not tried again until it changes, or somebody retries it
    DUE = "due again"  # rejected, with a next attempt
    RETRIED = "retried"  # rejected for good, with a next attempt because somebody asked
    PARKED = "parked"  # its retries are used up
    DISMISSED = "dismissed"  # parked by somebody

    @classmethod
    def of(cls, family: Family | None, *, parked: bool, due: bool) -> Standing:
        """By status, next attempt and family of its ack."""
        passes = family is Family.TRANSIENT
        if parked:
            return cls.PARKED if passes else cls.DISMISSED
        if due:
            return cls.DUE if passes else cls.RETRIED
        return cls.REJECTED


class Place(StrEnum):
    """Where a code is met: it may mean another thing there."""

    ROW = "row"  # of a record, in the answer to a call or in a job's result
    CALL = "call"  # of a whole request
    JOB = "job"  # of a whole bulk job that has ended


REPORT = "Check module, mapping and API version; if they are right, report this line."


LOOK = "Look at the orders in the CRM."
USUAL = {
    Family.TRANSIENT: "Nothing; it is tried again.",
    Family.DATA: "Correct the order where it comes from; the change sends it. If you corrected the CRM or the "
    "mapping instead, run `orders-sync retry`.",
    Family.CONFIGURATION: REPORT,
}
"""What to do where a code's own line does not say more."""
_THEN_RETRY = ", then `orders-sync retry` the order"
"""How a remedy goes on that changes the CRM and not the order."""
PUSH_AGAIN = "Push the file again."
_CORRECT_FILE = "Correct the file and push it again. If you corrected the CRM or the mapping instead, push it as it is."


@dataclass(frozen=True, slots=True)
class Code:
    """One code. A `family` of None goes by the HTTP status; without one, which is about a record, it is `data`."""

    name: str
    family: Family | None
    meaning: str
    remedy: str
    """What to do about the cause: of an order, a call or a run."""
    once_parked: str = ""
    """The same where nothing is tried again by itself; empty where one can only try again."""

    def advice(self, standing: Standing) -> str:
        """What to do about orders of this standing."""
        if standing is Standing.RETRIED:
            return "Nothing; somebody retried it, and the next run sends it."
        if standing in (Standing.REJECTED, Standing.DUE):
            return self.remedy
        why = "The retries are used up" if standing is Standing.PARKED else "Somebody dismissed it"
        retry = f"`orders-sync retry KEY`{f' (or `--code {self.name}`)' if self.name else ''}"
        return f"{self.once_parked} {why}: it is tried again when it changes, or after {retry}.".strip()

    def advice_by_hand(self, standing: Standing) -> str:
        """The same for orders that came from a file: no run sends them again but a push, and each push does."""
        gone = standing in (Standing.PARKED, Standing.DISMISSED)
        remedy = self.once_parked if gone else self.remedy
        if standing is Standing.RETRIED or not remedy:
            return PUSH_AGAIN
        if remedy.startswith("Nothing;"):
            return f"{PUSH_AGAIN} {remedy.partition('. ')[2]}".strip()
        if remedy == USUAL[Family.DATA]:
            return _CORRECT_FILE
        then_push = ", then push the file again"
        if _THEN_RETRY in remedy:
            return remedy.replace(_THEN_RETRY, then_push)
        cause, by_itself, _ = remedy.partition("; the next run")
        return f"{cause}{then_push}." if by_itself else f"{remedy} {PUSH_AGAIN}"


class CodeRow(StrEnum):
    """A code that is a plain string wherever it goes, and knows what it means.

    Its value begins with name, family and meaning; what to do follows where it is not the usual of the family.
    """

    _value_: str
    code: Code

    def __new__(
        cls, name: str, family: Family | None, meaning: str, remedy: str | None = None, once_parked: str | None = None
    ) -> Self:
        """Make a member of its line."""
        member = str.__new__(cls, name)
        member._value_ = name
        remedy = remedy or USUAL[family or Family.CONFIGURATION]
        once_parked = once_parked or ("" if family is Family.TRANSIENT else remedy)
        member.code = Code(name, family, meaning, remedy, once_parked)
        return member

    __str__ = str.__str__
    __hash__ = str.__hash__
