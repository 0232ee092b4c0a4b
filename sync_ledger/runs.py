"""Runs as the ledger knows them: which live, and which ended without saying so.

A run writes every few seconds that it lives, and counts how often. One whose process has certainly ended is over at
once. One that has been silent for a minute by the ledger's clock is watched for a minute, by the clock of whoever
watches, and is over if its count stood still: so no clock that was set keeps a dead run alive, or ends a living one.
One whose process lives on this host, stopped perhaps, is over only once runs here saw it stand for five minutes.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cache, partial
from typing import Any

import sqlalchemy as sa

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.retry_schedules import (
    LEASE_LOOK_SECONDS,
    LEASE_SILENT_SECONDS,
    LEASE_STANDING_SECONDS,
    LEASE_WATCH_SECONDS,
)
from sync_processes.process_identity import process_has_ended, process_lives

FOLLOWING = "following"
"""What stands in place of how a run ended while it lasts, and is not to end: its heartbeat shows that all goes on."""


UNDOING, UNDID = "undoing", "undid"
"""What stands there for a run that takes back what another one wrote, while it lasts and afterwards."""


def seems_dead(row: Any, now: datetime) -> bool:
    """Whether a run that has not ended is dead as far as one look tells: its process has ended, or it is silent."""
    return sign_of(row, now) is not Sign.LIVES


class Sign(StrEnum):
    """What a run shows of itself; the value is for people."""

    LIVES = "lives"
    SILENT = "shows no sign of life"
    GONE = "has ended without saying so"


def sign_of(row: Any, now: datetime) -> Sign:
    """What a run that has not ended shows at `now` by the ledger's clock."""
    if _has_ended(row):
        return Sign.GONE
    return Sign.SILENT if _is_silent(row, now) else Sign.LIVES


def live_run(ledger: Ledger, stream: str) -> str | None:
    """Describe the run of the stream that is live, if one is; changes nothing."""
    run = ledger.tables.run
    with ledger.connect() as connection:
        now = ledger.now(connection)
        rows = connection.execute(sa.select(run).where(run.c.stream == stream, run.c.finished_at.is_(None))).all()
    return next((described(row, now) for row in rows if not seems_dead(row, now)), None)


def mark_dead_runs(
    ledger: Ledger, stream: str, *, watched_for: Partition | None = None, stop: threading.Event | None = None
) -> int:
    """Mark the stream's runs dead that certainly are. Returns how many.

    With `watched_for` a silent run that has keys in common with that partition is watched, which takes a minute unless
    it shows that it lives; without, or once `stop` is set, it stays as it is.
    """
    now, unfinished = _look_up(ledger, stream)
    dead = [row for row in unfinished if _has_ended(row)]
    if watched_for is not None:
        silent = [
            row
            for row in unfinished
            if row not in dead and _is_silent(row, now) and not watched_for.has_no_key_of(row.partition_name)
        ]
        silent = [row for row in silent if _may_be_taken(ledger, row, now)]
        dead += _watched(ledger, stream, silent, now, stop or threading.Event())

    def mark(connection: sa.Connection, row: Any) -> int:
        return connection.execute(_marked_dead(ledger.tables.run, row, ledger.now(connection))).rowcount

    return sum(ledger.transact(partial(mark, row=row)) for row in dead)


def described(row: Any, now: datetime) -> str:
    """A live run in words for people, and what to do about it."""
    if process_lives(row.pid, row.process_space, row.process_start) and _is_silent(row, now):
        minutes = f"{LEASE_STANDING_SECONDS / 60:g}"
        what = f"it stands still; end it, or run again: it is taken over once it was seen so for {minutes} minutes"
    else:
        what = "wait until it ends, or stop it"
    return f"{_named(row, now)}; {what}"


def _named(row: Any, now: datetime) -> str:
    age = max(0, round((now - row.heartbeat_at).total_seconds()))
    return (
        f"a run of stream {row.stream!r} (partition {row.partition_name}) is live: process {row.pid} on {row.host}, "
        f"started {row.started_at:%Y-%m-%d %H:%M:%S} UTC, last heartbeat {age} s ago"
    )


def _look_up(ledger: Ledger, stream: str) -> tuple[datetime, Sequence[Any]]:
    def look_up() -> tuple[datetime, Sequence[Any]]:
        with ledger.connect() as connection:
            now = ledger.now(connection)
            return now, connection.execute(_unfinished(ledger.tables.run), {"stream": stream}).all()

    return ledger.with_retries(look_up)


def _has_ended(row: Any) -> bool:
    return process_has_ended(row.pid, row.process_space, row.process_start)


def _is_silent(row: Any, now: datetime) -> bool:
    """A heartbeat of the future is from before the ledger's clock was set back, and tells as little as an old one."""
    silent: timedelta = abs(now - row.heartbeat_at)
    return silent > timedelta(seconds=LEASE_SILENT_SECONDS)


def _may_be_taken(ledger: Ledger, row: Any, now: datetime) -> bool:
    """Whether a silent run is none of this host, or was seen to stand here for long enough; else notes that it does."""
    if not process_lives(row.pid, row.process_space, row.process_start):
        return True
    since: datetime | None = row.standing_since if row.standing_beats == row.beats else None
    if since is not None and since <= now:
        return now - since >= timedelta(seconds=LEASE_STANDING_SECONDS)
    run = ledger.tables.run
    noted = sa.update(run).where(_is_unchanged(run, row)).values(standing_since=now, standing_beats=row.beats)
    ledger.transact(lambda connection: connection.execute(noted))
    return False


def _watched(ledger: Ledger, stream: str, rows: Sequence[Any], now: datetime, stop: threading.Event) -> Sequence[Any]:
    """Those of these runs that show no sign of life for as long as they are watched; none once `stop` is set."""
    if rows:
        ledger.log.warning("%s: it is watched for up to %g s", _named(rows[0], now), LEASE_WATCH_SECONDS)
    watched = 0.0
    while rows and watched < LEASE_WATCH_SECONDS:
        began = ledger.clock.seconds()
        ledger.clock.wait(LEASE_LOOK_SECONDS, stop)
        if stop.is_set():
            return []
        there = {(row.run_id, row.beats, row.heartbeat_at) for row in _look_up(ledger, stream)[1]}
        rows = [row for row in rows if (row.run_id, row.beats, row.heartbeat_at) in there]
        # Where this process stood still itself, or the ledger did, the other one may have, too: that does not count.
        watched += min(ledger.clock.seconds() - began, 2 * LEASE_LOOK_SECONDS)
    return rows


@cache
def _unfinished(run: sa.Table) -> sa.Select[Any]:
    return sa.select(run).where(run.c.stream == sa.bindparam("stream"), run.c.finished_at.is_(None))


def _is_unchanged(run: sa.Table, row: Any) -> sa.ColumnElement[bool]:
    """Say in SQL that a run has neither ended nor written a heartbeat since it was read."""
    beats = run.c.beats.is_(None) if row.beats is None else run.c.beats == row.beats
    return sa.and_(
        run.c.run_id == row.run_id, run.c.finished_at.is_(None), beats, run.c.heartbeat_at == row.heartbeat_at
    )


def _marked_dead(run: sa.Table, row: Any, now: datetime) -> sa.Update:
    return sa.update(run).where(_is_unchanged(run, row)).values(finished_at=now, how_ended="died", lock_name=row.run_id)


def runs_so_far(connection: sa.Connection, run: sa.Table, stream: str, partition: Partition, besides: str = "") -> str:
    """Say which runs had keys in common with a partition by now: it changes when one begins, or settles anything.

    One that only took back what another had written does not count: its orders are held, whatever was read of them.

    No clock has a part in it, so that no clock that is set hides a run. `besides` is the id of one that does not count.
    """
    counts = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(run.c.beats), 0)).where(
        run.c.stream == stream,
        sa.not_(partition.is_disjoint_from(run.c.partition_name)),
        run.c.run_id != besides,
        sa.func.coalesce(run.c.how_ended, "").not_in([UNDOING, UNDID]),
    )
    runs, beats = connection.execute(counts).one()
    return f"{runs} runs, {beats} heartbeats"


def live_runs_beside(ledger: Ledger, stream: str, partition: Partition) -> Sequence[str]:
    """Describe the live runs that have keys in common with a partition."""
    now, unfinished = _look_up(ledger, stream)
    return [described(row, now) for row in unfinished if not partition.has_no_key_of(row.partition_name)]
