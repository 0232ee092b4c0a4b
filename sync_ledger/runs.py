"""Runs as the ledger knows them: which are live, and which have died without saying so.

A run writes every few seconds that it lives. One whose heartbeat is older than a minute by the ledger database's clock
is dead; on the same machine a run is dead as soon as its process has ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

import sqlalchemy as sa

from sync_ledger.ledger import Ledger
from sync_processes.process_identity import process_has_ended

DEAD_AFTER = timedelta(seconds=60)

FOLLOWING = "following"
"""What stands in place of how a run ended while it lasts, and is not to end: its heartbeat shows that all goes on."""


def seems_dead(row: Any, now: datetime) -> bool:
    """Whether a run that has not ended is dead: its heartbeat is too old, or its process has ended."""
    return now - row.heartbeat_at > DEAD_AFTER or process_has_ended(row.pid, row.process_space)


def live_run(ledger: Ledger, stream: str) -> str | None:
    """Describe the run of the stream that is live, if one is; changes nothing."""
    run = ledger.tables.run
    with ledger.connect() as connection:
        now = ledger.now(connection)
        rows = connection.execute(sa.select(run).where(run.c.stream == stream, run.c.finished_at.is_(None))).all()
    return next((described(row, now) for row in rows if not seems_dead(row, now)), None)


def mark_dead_runs(ledger: Ledger, stream: str) -> int:
    """Mark the stream's runs dead whose heartbeat is too old or whose process has ended. Returns how many.

    Where the clock was set back since a heartbeat, a run is dead a minute after it was first checked.
    """
    run = ledger.tables.run

    def look_up() -> tuple[datetime, Sequence[Any]]:
        with ledger.connect() as connection:
            return ledger.now(connection), connection.execute(_unfinished(run), {"stream": stream}).all()

    now, unfinished = ledger.with_retries(look_up)
    dead = [row for row in unfinished if seems_dead(row, now)]
    for row in unfinished:
        if row not in dead and row.heartbeat_at > now:
            ledger.transact(partial(_redate_heartbeat, run, row, now))

    def mark(connection: sa.Connection, row: Any) -> int:
        return connection.execute(_marked_dead(run, row, ledger.now(connection))).rowcount

    return sum(ledger.transact(partial(mark, row=row)) for row in dead)


def described(row: Any, now: datetime) -> str:
    """A live run in words for people, and what to do about it."""
    age = max(0, round((now - row.heartbeat_at).total_seconds()))
    return (
        f"a run of stream {row.stream!r} (partition {row.partition_name}) is live: process {row.pid} on {row.host}, "
        f"started {row.started_at:%Y-%m-%d %H:%M:%S} UTC, last heartbeat {age} s ago; wait until it ends, or stop it"
    )


@cache
def _unfinished(run: sa.Table) -> sa.Select[Any]:
    return sa.select(run.c.run_id, run.c.heartbeat_at, run.c.pid, run.c.process_space).where(
        run.c.stream == sa.bindparam("stream"), run.c.finished_at.is_(None)
    )


def _redate_heartbeat(run: sa.Table, row: Any, now: datetime, connection: sa.Connection) -> None:
    """Date a heartbeat of the future as of now: the ledger's clock was set back, and a dead run would seem to live."""
    here = sa.and_(run.c.run_id == row.run_id, run.c.heartbeat_at == row.heartbeat_at)
    connection.execute(sa.update(run).where(here).values(heartbeat_at=now))


def _marked_dead(run: sa.Table, row: Any, now: datetime) -> sa.Update:
    """End a run, unless it has written a heartbeat since it was read."""
    return (
        sa.update(run)
        .where(run.c.run_id == row.run_id, run.c.finished_at.is_(None), run.c.heartbeat_at == row.heartbeat_at)
        .values(finished_at=now, how_ended="died", lock_name=row.run_id)
    )
