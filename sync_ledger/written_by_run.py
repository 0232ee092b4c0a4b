"""What one run wrote to the CRM, order by order, as the history has it: what can be undone, or why it cannot. Reads."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.history_reading import PastOutcome, outcomes_of_run
from sync_ledger.tables import AckStatus, LedgerTables
from sync_ledger.undoing import UndoOutcome

INSERTED = "insert"
UPDATED = "update"
_WRITES = frozenset({INSERTED, UPDATED})
_HALF_WRITTEN = ("LINES_", "LINKS_")
"""How the codes of orders begin whose record was written, and not all that belongs to it."""


@dataclass(frozen=True, slots=True)
class WrittenOrder:
    """One order as a run left it. `at` is when its last outcome was noted: naive UTC by the ledger's clock.

    `inserted`: the run's first write made the record. `writes`: how often it was written. `obstacle`: why what the run
    did cannot be taken back, where that is known without asking the CRM.
    """

    key: str
    version: str
    zoho_id: str | None
    inserted: bool
    writes: int
    at: datetime
    obstacle: str | None = None


def written_by_run(connection: sa.Connection, tables: LedgerTables, run_id: str) -> dict[str, WrittenOrder]:
    """The orders that a run wrote, by key. Memory grows with them: some 300 bytes an order."""
    found: dict[str, WrittenOrder] = {}
    for each in outcomes_of_run(connection, tables, run_id):
        before = found.get(each.key)
        if _is_write(each):
            first = before is None or not before.writes
            inserted = each.action == INSERTED if first or before is None else before.inserted
            writes = 1 if before is None else before.writes + 1
            found[each.key] = WrittenOrder(each.key, each.version, each.zoho_id, inserted, writes, each.happened_at)
        elif (obstacle := _obstacle(each)) is not None:
            known = before or WrittenOrder(
                each.key, each.version, each.zoho_id, inserted=False, writes=0, at=each.happened_at
            )
            found[each.key] = replace(known, at=each.happened_at, obstacle=obstacle)
    return found


@dataclass(frozen=True, slots=True)
class LaterWrites:
    """What was written of an order after a run: by which runs, the last one last, as far as that was not undone.

    `person`: who had changed the record before one of those that were undone since.
    """

    runs: tuple[str, ...] = ()
    person: str | None = None


def later_writes(
    connection: sa.Connection, tables: LedgerTables, stream: str, run_id: str, orders: Mapping[str, WrittenOrder]
) -> dict[str, LaterWrites]:
    """What later runs wrote of these orders, by key.

    A record that a later run made is another one, which its ack names.
    """
    found: dict[str, dict[str, datetime]] = {}
    people: dict[str, str] = {}
    outcome = tables.outcome
    columns = ("record_key", "run_id", "happened_at", "status", "action", "error_code")
    query = sa.select(*(outcome.c[name] for name in columns)).where(
        outcome.c.stream == stream, outcome.c.run_id != run_id
    )
    for chunk in lookup_chunks(connection, orders):
        taken_back = _taken_back(connection, tables, stream, chunk)
        for key, other, at, status, action, code in connection.execute(query.where(outcome.c.record_key.in_(chunk))):
            wrote = (status == AckStatus.SYNCED.value and action in _WRITES) or _is_half_written(status, code)
            if not wrote or at < orders[key].at:
                continue
            if (key, other) not in taken_back:
                found.setdefault(key, {})[other] = at
            elif taken_back[key, other] is not None:
                people[key] = str(taken_back[key, other])
    return {
        key: LaterWrites(tuple(sorted(found.get(key, {}), key=found.get(key, {}).__getitem__)), people.get(key))
        for key in found.keys() | people.keys()
    }


def _taken_back(
    connection: sa.Connection, tables: LedgerTables, stream: str, keys: Collection[str]
) -> dict[tuple[str, str], str | None]:
    """Of which runs these orders were taken back, and who had changed each before: by key and run."""
    undone = tables.undone
    query = sa.select(undone.c.record_key, undone.c.run_id, undone.c.person).where(
        undone.c.stream == stream, undone.c.outcome == UndoOutcome.REVERSED.value, undone.c.record_key.in_(keys)
    )
    return {(key, run_id): person for key, run_id, person in connection.execute(query)}


def _is_write(each: PastOutcome) -> bool:
    return each.status == AckStatus.SYNCED.value and each.action in _WRITES


def _is_half_written(status: str, code: str | None) -> bool:
    refused = status in {AckStatus.REJECTED.value, AckStatus.PARKED.value}
    return refused and code is not None and code.startswith(_HALF_WRITTEN)


def _obstacle(each: PastOutcome) -> str | None:
    if each.status == AckStatus.DELETED.value:
        return "the run deleted its record, or marked it as deleted; Zoho's recycle bin keeps it for 60 days"
    if _is_half_written(each.status, each.code):
        return f"the run wrote its record and not all that belongs to it ({each.code})"
    return None
