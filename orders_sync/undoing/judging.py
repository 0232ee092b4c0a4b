"""Whether what a run wrote of one order may be taken back, by ledger and CRM. Pure, but for who a user is."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

from sync_ledger.codes import LedgerCode
from sync_ledger.tables import AckStatus
from sync_ledger.undoing import AckToUndo, Undone, UndoOutcome
from sync_ledger.written_by_run import LaterWrites, WrittenOrder
from target_zoho_crm.mapping.key_folding import KeyFolding

MODIFIED_BY, MODIFIED_TIME = "Modified_By", "Modified_Time"

OURS_WITHIN = timedelta(minutes=10)
"""A change by the API's own user this long after the ledger knew of our last write is none of our writes."""

_IN_DOUBT = frozenset(
    {
        LedgerCode.IN_DOUBT,
        LedgerCode.DIFFERS,
        LedgerCode.INSERT_UNCONFIRMED,
        LedgerCode.JOB_WITHOUT_RESULT,
        LedgerCode.BREAKS_CALLS,
        LedgerCode.CALL_FAILED,
    }
)

Record = Mapping[str, Any]
Person = Callable[[Record], str | None]
"""Who changed a record last, if it was not this token's user."""


@dataclass(frozen=True, slots=True)
class InLedger:
    """What the ledger says of an order now. `begun`: an undo of this run may have asked the CRM already.

    `times_kept`: how often the run kept what its record held.
    """

    ack: AckToUndo | None
    later: LaterWrites
    in_doubt: bool
    begun: bool
    is_reversed: bool
    times_kept: int

    @property
    def is_held(self) -> bool:
        """Whether it is held already."""
        return self.ack is not None and self.ack.status is AckStatus.HELD


@dataclass(frozen=True, slots=True)
class InCrm:
    """An order's record now, None where there is none; and how far Zoho's clock is ahead of the ledger's."""

    record: Record | None
    ahead: timedelta


def by_ledger(order: WrittenOrder, known: InLedger) -> Undone | None:
    """Why an order is not to be taken back, as far as the ledger knows; None where the CRM is to be asked."""
    return next(_reasons_of_ledger(order, known), None)


def _reasons_of_ledger(order: WrittenOrder, known: InLedger) -> Iterator[Undone]:
    """The reasons, the first that holds first; none is of use behind it."""
    ack = known.ack
    if order.obstacle is not None:
        yield impossible(order, order.obstacle)
    if ack is None:
        yield impossible(order, "the ledger was told to forget it")
        return
    if ack.status is AckStatus.SUBMITTED:
        yield kept(order, "a bulk job has it now", later_run=ack.run_id)
    if (known.in_doubt and not known.begun) or ack.error_code in _IN_DOUBT:
        yield kept(order, "a write of it may still land; undo once more when it is not in doubt any more")
    if ack.status is AckStatus.DELETED:
        yield kept(order, "its record was deleted since, as the order was")
    if known.later.runs:
        yield kept(order, "a later run wrote it", later_run=known.later.runs[-1])
    if known.later.person is not None:
        yield kept(order, "it was changed in the CRM before a later run, which was undone", known.later.person)
    if order.zoho_id is None:
        yield impossible(order, "the ledger does not know its record")
    if ack.zoho_id is not None and ack.zoho_id != order.zoho_id:
        yield kept(order, "a later run made another record of it", later_run=ack.run_id)
    yield from _reasons_of_values(order, known)


def _reasons_of_values(order: WrittenOrder, known: InLedger) -> Iterator[Undone]:
    if order.inserted and known.times_kept < order.writes - 1:
        yield impossible(order, "the run wrote it again after it had made it, and what it held between is not known")
    if not order.inserted and not known.times_kept:
        yield impossible(order, "its values from before are not kept (`keep_before`)")


def by_crm(
    order: WrittenOrder, known: InLedger, crm: InCrm, key_field: str, folding: KeyFolding, person: Person
) -> Undone | None:
    """Why an order is not to be taken back, as its record says; None where it is.

    Where an undo asked for it to be deleted, a record that is not there is the effect of that.
    """
    if crm.record is not None:
        return next(_reasons_of_record(order, known, crm, key_field, folding, person), None)
    if known.begun and order.inserted:
        return Undone(order.key, UndoOutcome.REVERSED)
    return kept(order, "its record is not in the CRM any more: somebody deleted it")


def _reasons_of_record(
    order: WrittenOrder, known: InLedger, crm: InCrm, key_field: str, folding: KeyFolding, person: Person
) -> Iterator[Undone]:
    record: Record = crm.record or {}
    who, held, changed = person(record), record.get(key_field), record.get(MODIFIED_TIME)
    if held is None or folding.fold(str(held)) != folding.fold(order.key):
        yield kept(order, "its record holds another key by now", who)
    if not record.get(MODIFIED_BY) or not isinstance(changed, str):
        yield impossible(order, "the CRM does not say who changed its record last, or when")
        return
    if who is not None:
        yield kept(order, f"it was changed in the CRM since, at {changed}", who)
    if not known.begun and known.ack is not None and _is_later(changed, known.ack.acked_at, crm.ahead):
        yield kept(order, f"it was changed since, at {changed}, by the API's own user, and by no run")


def _is_later(changed: str, acked_at: datetime, ahead: timedelta) -> bool:
    try:
        at = datetime.fromisoformat(changed).astimezone(timezone.utc).replace(tzinfo=None)
    except ValueError:
        return True
    return at - ahead > acked_at + OURS_WITHIN


def kept(order: WrittenOrder, why: str, who: str | None = None, later_run: str | None = None) -> Undone:
    """What became of an order that somebody or something wrote since."""
    return Undone(order.key, UndoOutcome.KEPT, why, who, later_run)


def impossible(order: WrittenOrder, why: str) -> Undone:
    """What became of an order that cannot be taken back."""
    return Undone(order.key, UndoOutcome.IMPOSSIBLE, why)
