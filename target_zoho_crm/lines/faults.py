"""Lines that were not written, and what that makes of their orders: synced only when all its lines are. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from target_zoho_crm.errors import Family, QuotaError, TransientError
from target_zoho_crm.outcomes import Outcome, Status
from target_zoho_crm.values import MULTIPLE

MESSAGE_CHARACTERS = 300
_WORST_FIRST = (Family.CONFIGURATION, Family.QUOTA, Family.DATA, Family.TRANSIENT)
_STOPPING = (Family.CONFIGURATION, Family.QUOTA)

UNWRITTEN = "LINES_NOT_WRITTEN"
"""Our own code of an order that is in the CRM, while nobody knows whether its lines are."""


@dataclass(frozen=True, slots=True)
class LineFault:
    """Why a line was not written; without a key it is about all lines of the order."""

    code: str
    family: Family
    field: str | None = None
    message: str | None = None
    key: str | None = None

    @property
    def text(self) -> str:
        """One phrase that names the line."""
        what = "its lines" if self.key is None else f"line {self.key!r}"
        return f"{what}: {self.message or self.code}"


Faults = dict[str, list[LineFault]]
"""Faults by order."""


def of_outcome(outcome: Outcome) -> LineFault:
    """The fault of a line that has an outcome of its own."""
    return LineFault(
        outcome.code or UNWRITTEN, outcome.family or Family.TRANSIENT, outcome.field, outcome.message, outcome.key
    )


def of_error(error: TransientError | QuotaError) -> LineFault:
    """The fault of a call that failed as a whole, after all attempts, or that our own budget has no credits for."""
    return LineFault(error.code, Family.TRANSIENT, message=error.message)


def unwritten(why: str) -> LineFault:
    """The fault of lines of which nobody knows: their order is due again, with all its lines."""
    return LineFault(UNWRITTEN, Family.TRANSIENT, message=why)


def whole(outcomes: Sequence[Outcome], faults: Mapping[str, Sequence[LineFault]]) -> list[Outcome]:
    """The orders' outcomes once their lines have theirs."""
    if not faults:
        return list(outcomes)
    return [
        _refused(outcome, faults[outcome.key])
        if outcome.status is Status.SYNCED and faults.get(outcome.key)
        else outcome
        for outcome in outcomes
    ]


def _refused(outcome: Outcome, faults: Sequence[LineFault]) -> Outcome:
    codes = dict.fromkeys(fault.code for fault in faults)
    families = {fault.family for fault in faults}
    family = next(each for each in _WORST_FIRST if each in families)
    fields = dict.fromkeys(fault.field for fault in faults if fault.field)
    return Outcome(
        key=outcome.key,
        version=outcome.version,
        status=Status.UNSYNCED if family in _STOPPING else Status.REJECTED,
        zoho_id=outcome.zoho_id,
        code=next(iter(codes)) if len(codes) == 1 else MULTIPLE,
        field=",".join(fields) or None,
        message="; ".join(dict.fromkeys(fault.text for fault in faults))[:MESSAGE_CHARACTERS],
        family=family,
    )
