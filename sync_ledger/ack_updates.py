"""What an ack that takes another one's place keeps of it: the assignments of each engine's upsert."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sync_ledger.tables import AckStatus
from sync_ledger.tries import are_of_ack

_KEY = ("stream", "record_key")
_KEPT_WHEN_UNKNOWN = frozenset({"zoho_id", "action", "field_marks", "mapping_number", "packed_at"})
"""A refusal knows no CRM id; the id that an earlier version got stays. So does the mapping of what was written, and the
way to its row in the history."""
_OF_WHAT_WAS_SENT = ("payload_hash", "content", "content_form")

Value = Callable[[str], sa.ColumnElement[object]]


@dataclass(frozen=True, slots=True)
class Likeness:
    """What acks that are written together have in common: the less they say, the less the database has to work out."""

    of_job: bool
    """They confirm what one job was made of, and replace acks of that job alone."""
    unknown: frozenset[str]
    """Columns that are NULL in all of them."""
    all_synced: bool


def ack_updates(
    table: sa.Table, columns: Sequence[str], new: Value, alike: Likeness
) -> list[tuple[str, sa.ColumnElement[object]]]:
    """Columns and what is assigned to them; `new` names a column of the new ack, of those in `columns`.

    Those that ask for the old row come first: MySQL assigns from left to right.
    """
    same = are_of_ack(table, new)
    attempts = sa.case((same, table.c.attempts + new("attempts")), else_=new("attempts"))
    updates = [("attempts", attempts), ("failing_since", _failing_since(table, new, same, alike))]
    updates += _of_what_was_sent(table, new, alike)
    if "zoho_id" not in alike.unknown:
        # An order that has another record now was made again: its earlier record is gone, or holds its key no more.
        another = table.c.zoho_id != new("zoho_id")
        updates.append(("earlier_zoho_id", sa.case((another, table.c.zoho_id), else_=table.c.earlier_zoho_id)))
        updates.append(("remade_run_id", sa.case((another, new("run_id")), else_=table.c.remade_run_id)))
    done = {*_KEY, *(name for name, _ in updates), *_OF_WHAT_WAS_SENT}
    for name in columns:
        if name in _KEPT_WHEN_UNKNOWN:
            if name not in alike.unknown:
                updates.append((name, sa.func.coalesce(new(name), table.c[name])))
        elif name not in done:
            updates.append((name, new(name)))
    return updates


def _failing_since(
    table: sa.Table, new: Value, same: sa.ColumnElement[bool], alike: Likeness
) -> sa.ColumnElement[object]:
    if alike.all_synced:
        return new("failing_since")
    # No parameter, since those of a row are counted.
    synced: sa.ColumnElement[str] = sa.literal_column(f"'{AckStatus.SYNCED.value}'")
    fails_still = sa.and_(new("status") != synced, same)  # in this order: most are synced
    since = sa.func.coalesce(table.c.failing_since, new("failing_since"))
    return sa.case((fails_still, since), else_=new("failing_since"))


def _of_what_was_sent(table: sa.Table, new: Value, alike: Likeness) -> list[tuple[str, sa.ColumnElement[object]]]:
    """A job's outcome confirms what the job was made of; any other ack holds itself what was sent, or knows no more."""
    if alike.of_job:
        known = [name for name in _OF_WHAT_WAS_SENT if name not in alike.unknown]
        return [(name, sa.func.coalesce(new(name), table.c[name])) for name in known]
    of_same_job = table.c.job_id == new("job_id")
    return [
        (name, sa.case((of_same_job, sa.func.coalesce(new(name), table.c[name])), else_=new(name)))
        for name in _OF_WHAT_WAS_SENT
    ]
