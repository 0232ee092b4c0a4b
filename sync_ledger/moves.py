"""What a person says is the same under a new name: a stream, its table, its module. Acks and open jobs go along."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from typing import Any

import sqlalchemy as sa

from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.tables import OPEN_STEPS, LedgerTables


def rebind(ledger: Ledger, stream: str, *, old_stream: str | None = None, module: str | None = None) -> int:
    """Let `stream` go on with what the ledger knows of it, or of `old_stream`. Returns the number of its acks.

    Its table and the columns of its key are bound anew by the next run; `module` is the new name of its module.

    Raises:
        LeaseHeldError: a run of one of the streams is live.
        LedgerError: the ledger does not know the old stream, or the new one has acks of its own.
    """
    old = old_stream or stream
    with ExitStack() as held:
        leases = [Lease.acquire(ledger, name) for name in sorted({stream, old})]
        for lease in leases:
            held.callback(lease.release, "rebound", {}, 0)
        return ledger.with_retries(partial(_move, ledger, leases[0], old, stream, module))


def take_over_alias(lease: Lease, alias: str) -> int:
    """Let a stream have the acks that version 0.1 wrote under a stream map's alias. Returns how many."""
    tables = lease.ledger.tables
    ack, bound = tables.ack, tables.stream

    def once() -> int:
        with lease.transaction() as connection:
            if connection.execute(sa.select(bound.c.stream).where(bound.c.stream.in_([alias, lease.stream]))).first():
                return 0  # a stream of its own, or one that was asked before
            known = sa.select(ack.c.record_key).where(ack.c.stream == lease.stream).subquery()
            twice = sa.and_(ack.c.stream == alias, ack.c.record_key.in_(sa.select(known.c.record_key)))
            connection.execute(sa.delete(ack).where(twice))
            for table in _of_streams(tables):
                connection.execute(sa.update(table).where(table.c.stream == alias).values(stream=lease.stream))
            moved = connection.execute(sa.update(ack).where(ack.c.stream == alias).values(stream=lease.stream))
            return moved.rowcount

    return lease.ledger.with_retries(once)


def _move(ledger: Ledger, lease: Lease, old: str, new: str, module: str | None) -> int:
    tables = ledger.tables
    with lease.transaction() as connection:
        bound = connection.execute(sa.select(tables.stream.c.module).where(tables.stream.c.stream == old)).scalar()
        if bound is None:
            raise LedgerError(f"the ledger has bound no stream {old!r}; the first run of a stream binds it")
        if old != new:
            _must_be_empty(connection, tables.ack, new)
            connection.execute(sa.delete(tables.stream).where(tables.stream.c.stream == new))
            remembered = tables.mapping, tables.sample, tables.contact, tables.difference
            for table in remembered:
                connection.execute(sa.delete(table).where(table.c.stream == new))
            for table in (*_of_streams(tables), tables.ack, *remembered):
                connection.execute(sa.update(table).where(table.c.stream == old).values(stream=new))
        facts: dict[str, Any] = {"stream": new, "source_table": None, "key_columns": None}
        if module is not None:
            facts["module"] = module
            job = tables.job
            its = (job.c.stream == new, job.c.module == bound, job.c.step.in_([step.value for step in OPEN_STEPS]))
            connection.execute(sa.update(job).where(*its).values(module=module))
        connection.execute(sa.update(tables.stream).where(tables.stream.c.stream == old).values(facts))
        count = sa.select(sa.func.count()).where(tables.ack.c.stream == new)
        return int(connection.execute(count).scalar_one())


def _of_streams(tables: LedgerTables) -> tuple[sa.Table, ...]:
    """What goes with the acks of a stream, whatever it is called."""
    return tables.job, tables.run, tables.write, tables.outcome, tables.undone, tables.before, tables.plan


def _must_be_empty(connection: sa.Connection, ack: sa.Table, stream: str) -> None:
    if connection.execute(sa.select(ack.c.record_key).where(ack.c.stream == stream).limit(1)).first():
        way_out = f"if they are of no use, `orders-sync forget --stream {stream}` first"
        raise LedgerError(f"stream {stream!r} has acks of its own; {way_out}")
