"""What a person decides about refused orders: try them again, leave them, or begin a stream from scratch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.job_journal import list_jobs, open_of_stream
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.made_again import dismiss_made_again
from sync_ledger.problems import REFUSED
from sync_ledger.run_facts import is_remembered
from sync_ledger.tables import AckStatus, LedgerTables


@dataclass(frozen=True, slots=True)
class Choice:
    """Which of a stream's refused orders are meant: those of these keys, those of a code, or (both None) all."""

    keys: Sequence[str] | None = None
    code: str | None = None


def retry(connection: sa.Connection, table: sa.Table, stream: str, choice: Choice, now: datetime) -> int:
    """Make refused orders due at once, with all their tries before them. Returns how many."""
    values = {"status": AckStatus.REJECTED.value, "next_attempt_at": now, "attempts": 0, "failing_since": None}
    return sum(
        connection.execute(sa.update(table).where(*which, table.c.status.in_(REFUSED)).values(values)).rowcount
        for which in _chosen(connection, table, stream, choice)
    )


def dismiss(connection: sa.Connection, table: sa.Table, stream: str, choice: Choice) -> int:
    """Park rejected orders, and let be those whose retries are used up: not tried again until they change.

    Of what would pass by itself the family is taken away: nobody waits for it any more. Of orders that were made again
    the earlier records are forgotten. Returns how many.
    """
    lasting = sa.case((table.c.family != "transient", table.c.family))
    values = {"status": AckStatus.PARKED.value, "next_attempt_at": None, "family": lasting}
    rejected = sa.or_(table.c.status == AckStatus.REJECTED.value, retries_used_up(table))
    count = 0
    for which in _chosen(connection, table, stream, choice):
        count += connection.execute(sa.update(table).where(*which, rejected).values(values)).rowcount
        dismiss_made_again(connection, table, stream, which)
    return count


def retries_used_up(table: sa.Table) -> sa.ColumnElement[bool]:
    """Which orders were parked by us, after their last try, and not by a person."""
    return sa.and_(table.c.status == AckStatus.PARKED.value, table.c.family == "transient")


def statuses(connection: sa.Connection, table: sa.Table, stream: str, keys: Sequence[str]) -> Mapping[str, str]:
    """Look up the status of those keys that have an ack."""
    found: dict[str, str] = {}
    query = sa.select(table.c.record_key, table.c.status).where(table.c.stream == stream)
    for chunk in lookup_chunks(connection, keys):
        found.update((key, status) for key, status in connection.execute(query.where(table.c.record_key.in_(chunk))))
    return found


def forget(ledger: Ledger, stream: str) -> int:
    """Delete all that the ledger concludes from of a stream: every order is unsynced again. Returns how many acks.

    The next run binds the stream anew. It does not believe the STATE of a run that is forgotten. Runs, with the credits
    that they spent, jobs that are over, and the history stay for people to look at.

    Raises:
        LeaseHeldError: a run of the stream is live, of whichever partition.
        LedgerError: bulk jobs are under way, which would write beside those of the next run.
    """
    tables = ledger.tables
    lease = Lease.acquire(ledger, stream)
    try:
        with ledger.connect() as connection:
            waiting = list_jobs(connection, open_of_stream(tables.job), stream)
        if waiting:
            raise LedgerError(
                f"{len(waiting)} bulk write jobs of stream {stream!r} are still open; run the pair once, so that they "
                "are settled, and then forget"
            )
        return ledger.with_retries(lambda: _forget(tables, lease))
    finally:
        lease.release("forgot", {}, 0)


def _forget(tables: LedgerTables, lease: Lease) -> int:
    with lease.transaction() as connection:
        forgotten = connection.execute(sa.delete(tables.ack).where(tables.ack.c.stream == lease.stream)).rowcount
        remembered = tables.stream, tables.mapping, tables.sample, tables.contact
        for table in (*remembered, tables.undone, tables.before, tables.plan):
            connection.execute(sa.delete(table).where(table.c.stream == lease.stream))
        run = tables.run
        others = (run.c.stream == lease.stream, run.c.run_id != lease.run_id, is_remembered(run))
        connection.execute(sa.update(run).where(*others).values(forgotten_at=lease.ledger.now(connection)))
    return forgotten


def _chosen(
    connection: sa.Connection, table: sa.Table, stream: str, choice: Choice
) -> Iterator[list[sa.ColumnElement[bool]]]:
    """The conditions of one statement, or of several where the keys are too many for one."""
    which = [table.c.stream == stream]
    if choice.code is not None:
        which.append(table.c.error_code == choice.code)
    if choice.keys is None:
        yield which
        return
    for chunk in lookup_chunks(connection, choice.keys):
        yield [*which, table.c.record_key.in_(chunk)]
