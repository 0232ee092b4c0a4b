"""What a report says of some days: runs, outcomes, refusals, credits, jobs, and what waits, by the ledger. Only reads.

The days end with the last sign of life in the ledger, unless an end is given: so the same ledger gives the same report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

import sqlalchemy as sa

from orders_sync.reporting.status import StreamStatus, read_status
from sync_ledger.credit_usage import DAY
from sync_ledger.ledger import Ledger
from sync_ledger.problems import Problem, problems_of
from sync_ledger.runs import FOLLOWING
from sync_ledger.tables import OPEN_STEPS, RUN_COUNTS, AckStatus

KEYS_OF_A_PROBLEM = 5


@dataclass(frozen=True, slots=True)
class ReportedRun:
    """One run; times are naive UTC. `ended_at` is its last sign of life where it has not ended."""

    run_id: str
    stream: str
    partition: str
    started_at: datetime
    ended_at: datetime
    how_ended: str
    """`live` where it has not."""
    counts: Mapping[str, int]
    credits: int
    error: str | None
    """Why it failed, or what it left undone."""

    @property
    def seconds(self) -> float:
        """How long it took, or has taken."""
        return (self.ended_at - self.started_at).total_seconds()


@dataclass(frozen=True, slots=True)
class ReportedJob:
    """One bulk write job; `ended_at` None where it has not ended."""

    job_id: str
    stream: str
    module: str
    step: str
    orders: int
    intended_at: datetime
    ended_at: datetime | None
    credits: int

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.ended_at is None else (self.ended_at - self.intended_at).total_seconds()


@dataclass(frozen=True, slots=True)
class Point:
    """A figure at a time."""

    at: datetime
    value: float


@dataclass(frozen=True, slots=True)
class Waiting:
    """Orders that wait for the same."""

    stream: str
    orders: int
    for_whom: str


@dataclass(frozen=True)
class Report:
    """All that a report says."""

    since: datetime
    until: datetime
    streams: Sequence[StreamStatus]
    runs: Sequence[ReportedRun]
    """The earliest first."""
    days: Mapping[str, Mapping[str, int]]
    """Outcomes by the day on which their runs began."""
    credits: Sequence[Point]
    """What the runs of the 24 hours before each run's end spent."""
    credit_limit: int | None
    freshness: Mapping[str, Sequence[Point]]
    """By stream, at the end of each run that finished: seconds since the run before it began. No change took longer."""
    problems: Mapping[str, Sequence[Problem]]
    jobs: Sequence[ReportedJob]
    waiting: Sequence[Waiting]

    def document(self) -> dict[str, Any]:
        """For other programs."""
        streams = [
            {"stream": each.stream, "acks": each.acks, "oldest_waiting_at": each.oldest_waiting_at}
            for each in self.streams
        ]
        document = {name: value for name, value in asdict(self).items() if name != "streams"}
        runs = [{**asdict(each), "seconds": each.seconds} for each in self.runs]
        jobs = [{**asdict(each), "seconds": each.seconds} for each in self.jobs]
        return document | {"streams": streams, "runs": runs, "jobs": jobs}


def read_report(
    ledger: Ledger, streams: Sequence[str], days: float, *, until: datetime | None, credit_limit: int | None
) -> Report:
    """Read what happened to these streams within so many days."""
    with ledger.connect() as connection:
        end = until or _last_sign(connection, ledger.tables.run, streams) or ledger.now(connection)
        since = end - timedelta(days=days)
        runs = _runs(connection, ledger.tables.run, streams, since, end)
        every = _runs(connection, ledger.tables.run, None, since - DAY, end)
        problems = {
            stream: problems_of(connection, ledger.tables, stream, samples=KEYS_OF_A_PROBLEM) for stream in streams
        }
        jobs = _jobs(connection, ledger.tables.job, streams, since, end)
    status = [replace(each, now=end) for each in read_status(ledger, streams, last_runs=0)]
    return Report(
        since=since,
        until=end,
        streams=status,
        runs=runs,
        days=_days(runs),
        credits=_credits(every, since),
        credit_limit=credit_limit,
        freshness={stream: _freshness([each for each in runs if each.stream == stream]) for stream in streams},
        problems=problems,
        jobs=jobs,
        waiting=[each for stream in status for each in _waiting(stream, problems[stream.stream])],
    )


def _last_sign(connection: sa.Connection, run: sa.Table, streams: Sequence[str]) -> datetime | None:
    last = sa.select(sa.func.max(sa.func.coalesce(run.c.finished_at, run.c.heartbeat_at)))
    return connection.execute(last.where(run.c.stream.in_(streams))).scalar()


def _runs(
    connection: sa.Connection, run: sa.Table, streams: Sequence[str] | None, since: datetime, until: datetime
) -> list[ReportedRun]:
    ended = sa.func.coalesce(run.c.finished_at, run.c.heartbeat_at)
    query = sa.select(run, ended.label("ended_at")).where(ended >= since, run.c.started_at <= until)
    if streams is not None:
        query = query.where(run.c.stream.in_(streams))
    return [
        ReportedRun(
            run_id=row.run_id,
            stream=row.stream,
            partition=row.partition_name,
            started_at=row.started_at,
            ended_at=max(row.started_at, min(row.ended_at, until)),
            how_ended="live" if row.finished_at is None or row.how_ended == FOLLOWING else row.how_ended,
            counts={name: getattr(row, f"{name}_count") or 0 for name in RUN_COUNTS},
            credits=row.credits or 0,
            error=row.error,
        )
        for row in connection.execute(query.order_by(run.c.started_at, run.c.run_id))
    ]


def _jobs(
    connection: sa.Connection, job: sa.Table, streams: Sequence[str], since: datetime, until: datetime
) -> list[ReportedJob]:
    columns = (job.c.job_id, job.c.stream, job.c.module, job.c.step, job.c.row_count, job.c.intended_at)
    # A job of lines has no counts of its own.
    ended = sa.case((job.c.step.not_in([step.value for step in OPEN_STEPS]), job.c.updated_at))
    query = sa.select(*columns, ended, job.c.credits).where(
        job.c.stream.in_(streams), job.c.zoho_job_id.is_not(None), job.c.updated_at >= since, job.c.intended_at <= until
    )
    return [ReportedJob(*row) for row in connection.execute(query.order_by(job.c.intended_at, job.c.job_id))]


def _days(runs: Sequence[ReportedRun]) -> dict[str, dict[str, int]]:
    names = [name for name in RUN_COUNTS if name != "read"]
    days: dict[str, dict[str, int]] = {}
    for run in runs:
        day = days.setdefault(f"{run.started_at:%Y-%m-%d}", dict.fromkeys(names, 0))
        for name in names:
            day[name] += run.counts[name]
    return days


def _credits(runs: Sequence[ReportedRun], since: datetime) -> list[Point]:
    ends = sorted((run.ended_at, run.credits) for run in runs)
    points, first, spent = [], 0, 0
    for at, credits_ in ends:
        spent += credits_
        while ends[first][0] <= at - DAY:
            spent -= ends[first][1]
            first += 1
        if at >= since:
            points.append(Point(at, spent))
    return points


def _freshness(runs: Sequence[ReportedRun]) -> list[Point]:
    finished = [run for run in runs if run.how_ended == "finished"]
    by_partition: dict[str, list[ReportedRun]] = {}
    for run in finished:
        by_partition.setdefault(run.partition, []).append(run)
    points = [
        Point(later.ended_at, (later.ended_at - earlier.started_at).total_seconds())
        for some in by_partition.values()
        for earlier, later in pairwise(some)
    ]
    return sorted(points, key=lambda point: (point.at, point.value))


def _waiting(status: StreamStatus, problems: Sequence[Problem]) -> list[Waiting]:
    people = sum(each.rejected - each.due for each in problems)
    parts = (
        (status.acks[AckStatus.SUBMITTED.value], "Zoho: they are in bulk write jobs"),
        # Which of them are due by now is a question of the time, and the report is the same whenever it is drawn.
        (status.due_now + status.due_later, "a run that sends them again, once the time of their next try has come"),
        (status.in_doubt.due, "the next run, which compares them with the CRM"),
        (status.in_doubt.orders, "writes that may land late"),
        (people, "somebody who corrects them in the legacy system"),
        (status.used_up, "somebody who looks at them: their tries are used up"),
    )
    return [Waiting(status.stream, orders, whom) for orders, whom in parts if orders]
