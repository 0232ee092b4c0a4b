"""Writes under way: one packed row for each call that is sent and not settled, with the orders that it brings.

A row is noted in the transaction that checks the lease, right before the body goes, and settled, which deletes it, in
the transaction that writes the acks. What stays behind is *in doubt*: the rows of runs that are over, and those that
a living run left because no answer came. Such a write may have had its effect, or may still have it until
`may_land_until`: for an hour and five minutes at most, in which its access token ends, or until its process did.

`in_doubt.py` looks at them when nothing can land any more. All of it is done in the caller's transaction.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache
from typing import Any

import sqlalchemy as sa

from sync_ledger.job_journal import Manifest
from sync_ledger.partitions import Partition
from sync_ledger.tables import LedgerTables
from sync_processes.process_identity import process_has_ended

TOKEN_LASTS_MOST = timedelta(hours=1, minutes=5)
"""An access token ends after an hour by Zoho's clock; five minutes for what is under way when it does."""


class WriteKind(StrEnum):
    """What a call does to the orders that its row names."""

    UPSERT = "upsert"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    JOB = "job"
    """The creation of a bulk write job: while the row is there, nobody knows whether Zoho has it."""
    LINES = "lines"
    """Lines of the orders: written or deleted."""
    LINKS = "links"
    """Links of the orders, or fields of theirs that are cleared."""


@dataclass(frozen=True, slots=True)
class WriteUnderWay:
    """One call, or the creation of one job. `manifest` maps the orders' keys to the versions that went out.

    Times are by the ledger's clock, naive UTC: `left_at` is when its run went on without an answer, and `verified_at`
    the last look at it, if any. `job_id` is the journal's name for the job that was created, and for the insert call of
    an `INSERT`.
    """

    write_id: str
    stream: str
    run_id: str
    kind: WriteKind
    manifest: Manifest
    began_at: datetime
    may_land_until: datetime
    job_id: str | None = None
    left_at: datetime | None = None
    verified_at: datetime | None = None


def note(connection: sa.Connection, tables: LedgerTables, write: WriteUnderWay) -> None:
    """Note a write that is about to go, under a lease that the transaction has checked."""
    connection.execute(sa.insert(tables.write), _facts(write))


def note_held(connection: sa.Connection, tables: LedgerTables, write: WriteUnderWay) -> bool:
    """Note it if its run still holds its lease, in one statement; False where it does not.

    The run's row is locked until the end of the transaction, so that whoever takes over does so after it, and finds
    the write, or before it, and it is not noted. Whoever takes over changes `lock_name`, which is unique: on PostgreSQL
    a KEY SHARE lock waits for that, and not for a heartbeat, nor for the acks that are written with one.
    """
    return connection.execute(_noted_if_held(tables), _facts(write)).rowcount == 1


def _facts(write: WriteUnderWay) -> dict[str, Any]:
    return {
        "write_id": write.write_id,
        "stream": write.stream,
        "run_id": write.run_id,
        "kind": write.kind.value,
        "job_id": write.job_id,
        "row_count": len(write.manifest),
        "manifest": write.manifest.packed,
        "began_at": write.began_at,
        "may_land_until": write.may_land_until,
    }


def note_again(connection: sa.Connection, tables: LedgerTables, write: WriteUnderWay) -> None:
    """Note a further attempt of a call, or the same one where a commit's answer was lost."""
    facts = {"began_at": write.began_at, "may_land_until": write.may_land_until}
    renewed = sa.update(tables.write).where(tables.write.c.write_id == write.write_id).values(facts)
    if connection.execute(renewed).rowcount == 0:
        note(connection, tables, write)


def settle(connection: sa.Connection, tables: LedgerTables, write_ids: Collection[str]) -> None:
    """Delete the rows of writes that are in doubt no more. Safe to repeat."""
    for write_id in write_ids:  # one, nearly always: drivers take longer for a list of one
        connection.execute(_settled(tables), {"id": write_id})


def leave(connection: sa.Connection, tables: LedgerTables, write_ids: Collection[str], now: datetime) -> None:
    """Leave writes in doubt though their run lives: no answer came, and it goes on without one."""
    if write_ids:
        connection.execute(_left(tables), [{"id": write_id, "now": now} for write_id in write_ids])


def in_doubt(connection: sa.Connection, tables: LedgerTables, stream: str, partition: Partition) -> list[WriteUnderWay]:
    """The writes in doubt of a stream that a run of `partition` is to verify, oldest first.

    Those of runs that live, unless they left them, are under way, and not in doubt.
    """
    write, run = tables.write, tables.run
    alive = sa.select(run.c.run_id).where(run.c.stream == stream, run.c.finished_at.is_(None))
    of_others = sa.select(run.c.run_id).where(run.c.stream == stream, partition.is_disjoint_from(run.c.partition_name))
    query = (
        sa.select(write)
        .where(
            write.c.stream == stream,
            sa.or_(write.c.left_at.is_not(None), write.c.run_id.not_in(alive)),
            write.c.run_id.not_in(of_others),
        )
        .order_by(write.c.began_at, write.c.write_id)
    )
    return list(map(_under_way, connection.execute(query)))


def keys_that_may_land(connection: sa.Connection, tables: LedgerTables, stream: str, besides: str) -> set[str]:
    """The orders of which a record may come to be by a write that is not settled: of another run, or left by its own.

    What the run `besides` has under way is left out.
    """
    write = tables.write
    query = sa.select(write.c.manifest, write.c.row_count).where(
        write.c.stream == stream,
        write.c.kind.in_([kind.value for kind in (WriteKind.UPSERT, WriteKind.INSERT, WriteKind.JOB)]),
        sa.or_(write.c.run_id != besides, write.c.left_at.is_not(None)),
    )
    return {key for row in connection.execute(query) for key in Manifest(row.manifest, row.row_count).texts()}


def keys_in_doubt(connection: sa.Connection, tables: LedgerTables, stream: str) -> set[str]:
    """The orders of all writes that are not settled: under way, or in doubt."""
    write = tables.write
    query = sa.select(write.c.manifest, write.c.row_count).where(write.c.stream == stream)
    return {key for row in connection.execute(query) for key in Manifest(row.manifest, row.row_count).texts()}


def claim_look(connection: sa.Connection, tables: LedgerTables, write: WriteUnderWay, now: datetime) -> bool:
    """Note that a write in doubt is looked at in this transaction; False where somebody else was faster."""
    table = tables.write
    unchanged = table.c.verified_at.is_(None) if write.verified_at is None else table.c.verified_at == write.verified_at
    claim = sa.update(table).where(table.c.write_id == write.write_id, unchanged).values(verified_at=now)
    return connection.execute(claim).rowcount == 1


def keep(connection: sa.Connection, tables: LedgerTables, write: WriteUnderWay, texts: Mapping[str, str]) -> None:
    """Keep these orders of a write in doubt, with these texts in place of versions, and no others."""
    manifest = Manifest.of(texts)
    kept = sa.update(tables.write).where(tables.write.c.write_id == write.write_id)
    connection.execute(kept.values(manifest=manifest.packed, row_count=len(manifest)))


def of_ended_processes(connection: sa.Connection, tables: LedgerTables, stream: str) -> set[str]:
    """The ids of writes in doubt whose process has certainly ended: it sends nothing more.

    What it has sent may land still, since a body may wait at the CRM.
    """
    write, run = tables.write, tables.run
    query = (
        sa.select(write.c.write_id, run.c.pid, run.c.process_space, run.c.process_start)
        .join(run, run.c.run_id == write.c.run_id)
        .where(write.c.stream == stream, run.c.finished_at.is_not(None))
    )
    return {
        row.write_id
        for row in connection.execute(query)
        if process_has_ended(row.pid, row.process_space, row.process_start)
    }


@cache
def _noted_if_held(tables: LedgerTables) -> sa.Insert:
    write, run = tables.write, tables.run
    columns = [column for column in write.columns if column.name not in {"left_at", "verified_at"}]
    held = (
        sa.select(*(sa.bindparam(column.name, type_=column.type).label(f"new_{column.name}") for column in columns))
        .where(run.c.run_id == sa.bindparam("run_id", type_=run.c.run_id.type), run.c.finished_at.is_(None))
        .with_for_update(read=True, key_share=True)
    )
    return sa.insert(write).from_select(columns, held).execution_options(preserve_rowcount=True)


@cache
def _settled(tables: LedgerTables) -> sa.Delete:
    return sa.delete(tables.write).where(tables.write.c.write_id == sa.bindparam("id"))


@cache
def _left(tables: LedgerTables) -> sa.Update:
    write = tables.write
    return sa.update(write).where(write.c.write_id == sa.bindparam("id")).values(left_at=sa.bindparam("now"))


def _under_way(row: sa.Row[Any]) -> WriteUnderWay:
    return WriteUnderWay(
        write_id=row.write_id,
        stream=row.stream,
        run_id=row.run_id,
        kind=WriteKind(row.kind),
        manifest=Manifest(row.manifest, row.row_count),
        began_at=row.began_at,
        may_land_until=row.may_land_until,
        job_id=row.job_id,
        left_at=row.left_at,
        verified_at=row.verified_at,
    )
