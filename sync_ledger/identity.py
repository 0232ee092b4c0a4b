"""Which ledger this is: an id made once, and the runs with their settlements, which STATE names.

A STATE is believed where the ledger holds what it speaks of. One of another ledger, or of a run (or of settlements of
a run) that this ledger does not have, since it was restored from a backup, would pass over orders that the ledger
knows nothing of.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa

from sync_ledger.run_facts import is_remembered
from sync_ledger.state_contract import StateMark
from sync_ledger.tables import LedgerTables

OF_NO_LEDGER = "it names no ledger"
_ABSENT = "none-"


def absent_id() -> str:
    """Make up an id for a ledger that is not there, by which STATE of one run of the tap is known."""
    return _ABSENT + uuid.uuid4().hex


def is_absent(ledger_id: str | None) -> bool:
    """Whether an id is one of these."""
    return ledger_id is not None and ledger_id.startswith(_ABSENT)


def give_identity(connection: sa.Connection, tables: LedgerTables) -> Sequence[str]:
    """Give the ledger its id, unless it has one; of two that do so at once, one is refused by the primary key."""
    if not identity_of(connection, tables):
        connection.execute(sa.insert(tables.identity).values(only_row=1, ledger_id=uuid.uuid4().hex))
    return ()


def identity_of(connection: sa.Connection, tables: LedgerTables) -> str:
    """The ledger's id; empty before it has one."""
    found: str | None = connection.execute(_identity(tables.identity)).scalar()
    return found or ""


@cache
def _identity(identity: sa.Table) -> sa.Select[Any]:
    return sa.select(identity.c.ledger_id)


def why_not_believed(
    connection: sa.Connection, tables: LedgerTables, ledger_id: str, stream: str, mark: StateMark | None
) -> str | None:
    """Why a STATE with this mark is not to be believed; None where it is."""
    run = tables.run
    if mark is None:
        # STATE of version 0.1 is believed once: as long as the last run of the stream was one of that version.
        of_stream = sa.select(run.c.settlements).where(run.c.stream == stream, is_remembered(run))
        query = of_stream.order_by(run.c.started_at.desc()).limit(1)
        last = connection.execute(query).first()
        return None if last is not None and last.settlements is None else OF_NO_LEDGER
    if mark.ledger_id != ledger_id and not (is_absent(mark.ledger_id) and is_absent(ledger_id)):
        return "it is of another ledger"
    if mark.run_id is None:
        # Without our target nothing was settled by it: orders that it passes over may be unknown to this ledger.
        return None if is_absent(ledger_id) else "no run of this ledger's target let it out"
    its = (run.c.run_id == mark.run_id, is_remembered(run))
    row = connection.execute(sa.select(run.c.settlements).where(*its)).first()
    if row is None or (row.settlements or 0) < mark.settlements:
        return "this ledger lacks what it speaks of: it was restored from a backup, or told to forget"
    return None
