"""What is wrong with a stream, by the ledger alone: a run that failed, stands still or did not begin; limits passed."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from orders_sync.reporting.health import complaints, short
from orders_sync.reporting.status import StreamStatus, read_status
from sync_ledger.ledger import Ledger
from sync_ledger.run_facts import is_remembered, was_of_all
from sync_ledger.runs import UNDID, Sign, sign_of

RUNS_MOST = 200
FAILED = frozenset({"failed", "died"})
SAYS_NOTHING = frozenset({"terminated", "tried", UNDID})
"""Ends that somebody wanted: the run before says whether all is well."""
STARTS_LEAST = 6
STARTS_MOST = 20
REGULAR_SHARE = 0.8
"""Share of the intervals that must be near the median, else runs have no schedule that could be known."""
NEAR = 0.25
GRACE = timedelta(seconds=60)
"""How much later than expected a run may begin; a quarter of the interval, if that is longer and only concluded."""
CREDITS_SHARE = 0.9


@dataclass(frozen=True)
class Limits:
    """What people set; None is not checked, and `every` is concluded from the runs so far."""

    every: timedelta | None = None
    max_age: timedelta | None = None
    max_rejected: int | None = None
    credit_limit: int | None = None


@dataclass(frozen=True)
class SeenRun:
    """A run as a watcher sees it; `sign` is None for one that has ended. Times are naive UTC."""

    run_id: str
    partition: str
    where: str
    started_at: datetime
    heartbeat_at: datetime
    finished_at: datetime | None
    how_ended: str | None
    error: str | None
    sign: Sign | None


def conditions(ledger: Ledger, stream: str, limits: Limits) -> dict[str, str]:
    """What is wrong now, by a name that stays the same as long as it is.

    Raises:
        DatabaseError: the ledger cannot be read.
    """
    with ledger.connect() as connection:
        now = ledger.now(connection)
        runs = _seen_runs(connection, ledger.tables.run, stream, now)
    (status,) = read_status(ledger, [stream], last_runs=0)
    return of_runs(runs, now, limits.every) | of_status(status, limits)


def of_runs(runs: Sequence[SeenRun], now: datetime, every: timedelta | None) -> dict[str, str]:
    """What runs show, the newest first. Pure."""
    found = dict[str, str]()
    split = {run.partition for run in runs if run.partition.partition("/")[2] == runs[0].partition.partition("/")[2]}
    for partition in sorted(split):
        place = "" if partition == "1/1" else f" {partition}"
        found |= {f"{name}{place}": text for name, text in _of_partition(runs, partition, now).items()}
    if runs and all(run.sign is None for run in runs):
        found |= _missing(runs, now, every)
    return found


def of_status(status: StreamStatus, limits: Limits) -> dict[str, str]:
    """What is beyond limits, or was found by the last audit. Pure."""
    found = complaints(status, max_age=limits.max_age, max_rejected=limits.max_rejected)
    if limits.credit_limit is not None and status.credits_of_a_day >= CREDITS_SHARE * limits.credit_limit:
        share = status.credits_of_a_day / limits.credit_limit
        found["credits"] = f"{status.credits_of_a_day:,} credits were spent in 24 hours, {share:.0%} of the limit"
    audited = status.last_audit
    differences = sum(audited.found.values()) if audited else 0
    if audited and differences:
        when = f"{audited.ended_at:%Y-%m-%d %H:%M} UTC"
        found["audit"] = f"the audit of {when} found {differences:,} differences; see `orders-sync audit`"
    return found


def _seen_runs(connection: sa.Connection, run: sa.Table, stream: str, now: datetime) -> list[SeenRun]:
    scheduled = sa.or_(was_of_all(run), run.c.finished_at.is_(None))  # a push that is stuck keeps the others out
    mine = sa.select(run).where(run.c.stream == stream, is_remembered(run), scheduled)
    return [_seen(row, now) for row in connection.execute(mine.order_by(run.c.started_at.desc()).limit(RUNS_MOST))]


def _seen(row: Any, now: datetime) -> SeenRun:
    return SeenRun(
        run_id=row.run_id,
        partition=row.partition_name,
        where=f"process {row.pid} on {row.host}",
        started_at=row.started_at,
        heartbeat_at=row.heartbeat_at,
        finished_at=row.finished_at,
        how_ended=row.how_ended,
        error=row.error,
        sign=None if row.finished_at is not None else sign_of(row, now),
    )


def _of_partition(runs: Sequence[SeenRun], partition: str, now: datetime) -> Mapping[str, str]:
    """Whether its last run that says something failed, and whether one that has not ended shows no sign of life."""
    found = dict[str, str]()
    for run in runs:
        if run.partition != partition or run.sign is Sign.LIVES or run.how_ended in SAYS_NOTHING:
            continue
        if run.sign is Sign.SILENT:
            silent = short(abs(now - run.heartbeat_at))
            found["stuck"] = f"{_named(run)} ({run.where}) has shown no sign of life for {silent}: stopped, or cut off"
            continue
        if run.sign is Sign.GONE or run.how_ended == "died":
            found["failed"] = (
                f"{_named(run)} ({run.where}) ended without saying so; the next run takes over what it left"
            )
        elif run.how_ended in FAILED and run.finished_at is not None:
            why = f": {run.error}" if run.error else "; its log says why"
            found["failed"] = f"{_named(run)} failed at {_time(run.finished_at)}{why}"
        break
    return found


def _missing(runs: Sequence[SeenRun], now: datetime, every: timedelta | None) -> Mapping[str, str]:
    expected = every or usual_interval([run.started_at for run in runs if run.partition == runs[0].partition])
    if expected is None:
        return {}
    last = max(run.finished_at or run.started_at for run in runs)
    grace = GRACE if every else max(GRACE, NEAR * expected)
    if now - last <= expected + grace:
        return {}
    since = f"no run has begun since {_time(last)}, {short(now - last)} ago"
    return {"missing": f"{since}; one begins every {short(expected)}: see the schedule, and the log of its last start"}


def usual_interval(starts: Sequence[datetime]) -> timedelta | None:
    """How often runs begin, the newest start first; None where they begin too irregularly to be a schedule. Pure."""
    if len(starts) < STARTS_LEAST:
        return None
    newest = starts[:STARTS_MOST]
    intervals = [(later - earlier).total_seconds() for later, earlier in itertools.pairwise(newest)]
    usual = statistics.median(intervals)
    near = sum(abs(each - usual) <= NEAR * usual for each in intervals)
    return timedelta(seconds=usual) if usual > 0 and near >= REGULAR_SHARE * len(intervals) else None


def _named(run: SeenRun) -> str:
    return f"run {run.run_id[:8]} of {_time(run.started_at)}"


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
