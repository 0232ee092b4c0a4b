"""What the ledger keeps of a run beside its counts: its settings, its group, and what was refused."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

import msgspec
import sqlalchemy as sa

CAUSES_MOST = 100
"""Causes that a run keeps, the most frequent ones: its row stays small whatever is refused."""


class InPart(Enum):
    """Which orders a run was given that was not given all."""

    BY_HAND = 1
    """Those of a file."""
    OF_PLAN = 2
    """Those of a saved plan, as far as they were unsynced."""


@dataclass(frozen=True, slots=True)
class RunFacts:
    """What a run knows of itself when it begins."""

    settings_mark: str | None = None
    """A fingerprint of its settings, without secrets: two runs that have the same one ran under the same settings."""
    run_group: str | None = None
    in_part: InPart | None = None
    """Where it was given some orders only: it says nothing of what else is unsynced."""


class RefusalCause(msgspec.Struct, frozen=True):
    """Why a run did not get orders through, and how many; `standing` says whether they are tried again."""

    code: str
    field: str
    standing: str
    message: str
    orders: int


def encoded_causes(causes: Sequence[RefusalCause]) -> str | None:
    """As the ledger holds them, the most frequent first; None where there are none."""
    most = sorted(causes, key=lambda cause: -cause.orders)[:CAUSES_MOST]
    return msgspec.json.encode(most).decode() if most else None


def decoded_causes(text: str | None) -> list[RefusalCause]:
    """Undo that."""
    return msgspec.json.decode(text, type=list[RefusalCause]) if text else []


def is_remembered(run: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether conclusions may be drawn from a run: none from one whose stream was told to forget."""
    return run.c.forgotten_at.is_(None)


def was_of_all(run: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a run was given all orders that were unsynced, and not some of them by hand."""
    return run.c.in_part.is_(None)


def was_by_hand(run: sa.FromClause) -> sa.ColumnElement[bool]:
    """Whether a run was given orders that need not be in the table at all."""
    return sa.func.coalesce(run.c.in_part, 0) == InPart.BY_HAND.value


def comes_by_hand(connection: sa.Connection, run: sa.Table, stream: str) -> bool:
    """Whether each run of a stream was given orders by hand: no tap sends them, so only their file can come again."""
    target_ran = sa.or_(run.c.settings_mark.is_not(None), run.c.read_count.is_not(None))  # not an undo, or `forget`
    by_hand = sa.case((was_by_hand(run), 1), else_=0)
    least = connection.execute(sa.select(sa.func.min(by_hand)).where(run.c.stream == stream, target_ran)).scalar()
    return least == 1
