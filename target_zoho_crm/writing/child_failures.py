"""Lines and links that were not written, and what that makes of their orders: synced only when all of it is. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from target_zoho_crm.api.codes import Family, OwnCode, ZohoCode
from target_zoho_crm.api.errors import QuotaError, TransientError
from target_zoho_crm.confirmation.outcomes import Outcome, Status

MESSAGE_CHARACTERS = 300

LINES, LINKS = "its lines", "its links and tags"
"""What of an order a fault is about."""

UNWRITTEN = {LINES: OwnCode.LINES_NOT_WRITTEN, LINKS: OwnCode.LINKS_NOT_WRITTEN}
"""Our own codes of an order that is in the CRM, while nobody knows whether its lines or links are."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a line or link was not written; without a line's key it is about all `of` the order."""

    code: str
    family: Family
    field: str | None = None
    message: str | None = None
    key: str | None = None
    of: str = LINES

    @property
    def text(self) -> str:
        """One phrase that names the line, or what else."""
        what = self.of if self.key is None else f"line {self.key!r}"
        return f"{what}: {self.message or self.code}"


Faults = dict[str, list[Fault]]
"""Faults by order."""


def of_outcome(outcome: Outcome) -> Fault:
    """The fault of a line that has an outcome of its own."""
    return Fault(
        outcome.code or UNWRITTEN[LINES],
        outcome.family or Family.TRANSIENT,
        outcome.field,
        outcome.message,
        outcome.key,
    )


def of_error(error: TransientError | QuotaError, of: str = LINES) -> Fault:
    """The fault of a call that failed as a whole, after all attempts, or that our own budget has no credits for."""
    return Fault(error.code, Family.TRANSIENT, message=error.happened, of=of)


def unwritten(why: str, of: str = LINES) -> Fault:
    """The fault of what nobody knows of: the order is due again, with all of it."""
    return Fault(UNWRITTEN[of], Family.TRANSIENT, message=why, of=of)


def whole(outcomes: Sequence[Outcome], faults: Mapping[str, Sequence[Fault]]) -> list[Outcome]:
    """The orders' outcomes once their lines, or links, have theirs."""
    if not faults:
        return list(outcomes)
    return [
        _refused(outcome, faults[outcome.key])
        if outcome.status is Status.SYNCED and faults.get(outcome.key)
        else outcome
        for outcome in outcomes
    ]


def _refused(outcome: Outcome, faults: Sequence[Fault]) -> Outcome:
    codes = dict.fromkeys(fault.code for fault in faults)
    family = Family.deciding(fault.family for fault in faults)
    fields = dict.fromkeys(fault.field for fault in faults if fault.field)
    return Outcome(
        key=outcome.key,
        version=outcome.version,
        status=Status.REJECTED if family.blames_order else Status.UNSYNCED,
        zoho_id=outcome.zoho_id,
        code=next(iter(codes)) if len(codes) == 1 else ZohoCode.MULTIPLE_OR_MULTI_ERRORS,
        field=",".join(fields) or None,
        message="; ".join(dict.fromkeys(fault.text for fault in faults))[:MESSAGE_CHARACTERS],
        family=family,
    )
