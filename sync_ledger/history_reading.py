"""The history as commands read it: what became of one order, and what became of the orders of a run. Only reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from sync_ledger.history import Packed
from sync_ledger.run_facts import is_remembered
from sync_ledger.tables import LedgerTables

ROWS_AT_A_TIME = 1_000


@dataclass(frozen=True, slots=True)
class PastOutcome:
    """What became of one order once. Times are naive UTC by the ledger's clock."""

    key: str
    version: str
    happened_at: datetime
    run_id: str
    settlement: int
    """Which of the run's calls or jobs it was, counted in the order in which they were settled."""
    orders: int
    """How many orders stand in the same row of the ledger."""
    status: str
    action: str | None
    channel: str | None
    job_id: str | None
    zoho_id: str | None
    family: str | None
    code: str | None
    field: str | None
    message: str | None


def outcomes_of_run(connection: sa.Connection, tables: LedgerTables, run_id: str) -> Iterator[PastOutcome]:
    """What became of a run's orders, in the order in which the ledger took it; memory grows with one job at most."""
    outcome = tables.outcome
    query = sa.select(outcome).where(outcome.c.run_id == run_id).order_by(outcome.c.happened_at, outcome.c.outcome_id)
    rows = connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(query)
    for row in rows:
        yield from _outcomes(row)


def story_of(connection: sa.Connection, tables: LedgerTables, stream: str, key: str) -> list[PastOutcome]:
    """What became of one order, from the first outcome on that the history still has.

    A few look-ups by index: the order's own rows, and by its ack the row that holds it packed. Where the stream was
    told to forget, the ack no longer says which that is, and the packed rows from before are searched.
    """
    outcome, ack = tables.outcome, tables.ack
    own = sa.select(outcome).where(outcome.c.stream == stream, outcome.c.record_key == key)
    found = [each for row in connection.execute(own) for each in _outcomes(row)]
    this = (ack.c.stream == stream, ack.c.record_key == key)
    packed_at = connection.execute(sa.select(ack.c.packed_at).where(*this)).scalar()
    if packed_at is not None:
        its = sa.select(outcome).where(outcome.c.run_id.in_(_runs_at(tables.run, stream, packed_at)))
        found += _of_key(connection, its.where(outcome.c.happened_at == packed_at), key)
    forgotten = _forgotten_runs(connection, tables.run, stream)
    for run_id in forgotten:
        its = sa.select(outcome).where(outcome.c.run_id == run_id, outcome.c.packed.is_not(None))
        found += _of_key(connection, its, key)
    return sorted(found, key=lambda each: each.happened_at)


def _runs_at(run: sa.Table, stream: str, time: datetime) -> sa.Select[Any]:
    ended = sa.or_(run.c.finished_at.is_(None), run.c.finished_at >= time)
    return sa.select(run.c.run_id).where(run.c.stream == stream, run.c.started_at <= time, ended)


def _forgotten_runs(connection: sa.Connection, run: sa.Table, stream: str) -> Sequence[str]:
    query = sa.select(run.c.run_id).where(run.c.stream == stream, sa.not_(is_remembered(run)))
    return connection.execute(query.order_by(run.c.started_at)).scalars().all()


def _of_key(connection: sa.Connection, query: sa.Select[Any], key: str) -> list[PastOutcome]:
    rows = connection.execution_options(yield_per=ROWS_AT_A_TIME).execute(query)
    return [each for row in rows if row.packed is not None for each in _outcomes(row) if each.key == key]


def _outcomes(row: sa.Row[Any]) -> Iterator[PastOutcome]:
    """The orders of one row: one, or all that it holds packed."""
    if row.packed is None:
        orders = [(row.record_key, row.version, row.zoho_id)]
    else:
        packed = Packed.of(row.packed)
        orders = list(zip(packed.keys, packed.versions, packed.zoho_ids, strict=True))
    for key, version, zoho_id in orders:
        yield PastOutcome(
            key=key,
            version=version,
            happened_at=row.happened_at,
            run_id=row.run_id,
            settlement=row.settlement,
            orders=row.order_count,
            status=row.status,
            action=row.action,
            channel=row.channel,
            job_id=row.job_id,
            zoho_id=zoho_id,
            family=row.family,
            code=row.error_code,
            field=row.error_field,
            message=row.error_message,
        )
