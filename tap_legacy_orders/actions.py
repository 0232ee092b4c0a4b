"""What to do with an order of a page: the rule of `unsynced_queries.py`, in Python, for a ledger elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import IntEnum

from sync_ledger.tables import AckStatus


class Action(IntEnum):
    """What to do with an order of a page."""

    SEND = 0
    LEAVE_OUT = 1
    """Changed while its earlier version is in flight: not sent now, and the bookmark must not pass it."""
    SKIP = 2
    COMPARE = 3
    """Its ack has this very version: the content decides."""


@dataclass(frozen=True, slots=True)
class AckState:
    """One order's ack, as far as the choice needs it."""

    version: str
    status: str
    next_attempt_at: datetime | None
    content: str | None = None
    content_form: str | None = None


def action_for(
    ack: AckState | None,
    version: str,
    cutoff: datetime,
    *,
    by_flag: bool = False,
    by_content: bool = False,
    alone: bool = False,
) -> Action:
    """Decide about an order at `version`; due retries are skipped, since they were sent before the pages began.

    `by_flag`: its flag is unset; if it is synced all the same, the target sets the flag and sends nothing.
    `by_content`: it lies in the window. `alone`: no version says what changed.
    """
    if ack is None or (by_flag and ack.version == version and ack.status == AckStatus.SYNCED.value):
        return Action.SEND
    if _is_due(ack, cutoff):
        return Action.SKIP
    if ack.version == version:
        return Action.COMPARE if by_content and _has_content_to_compare(ack, alone=alone) else Action.SKIP
    return Action.LEAVE_OUT if ack.status == AckStatus.SUBMITTED.value else Action.SEND


def compared_action(status: str | None, acked: str | None) -> Action:
    """The action of an unsettled order of the window, by what a page's query says of its ack; see `_acked`."""
    if acked is not None:
        return Action.COMPARE
    return Action.LEAVE_OUT if status == AckStatus.SUBMITTED.value else Action.SEND


def _has_content_to_compare(ack: AckState, *, alone: bool) -> bool:
    """Whether an ack can speak of another content: one without a form has none, one with just a form needed none.

    Where contents `alone` say what changed, each is needed.
    """
    return ack.content is not None or ((alone or ack.content_form is None) and ack.status != AckStatus.SUBMITTED.value)


def _is_due(ack: AckState, cutoff: datetime) -> bool:
    return ack.status == AckStatus.REJECTED.value and ack.next_attempt_at is not None and ack.next_attempt_at <= cutoff
