"""What the ledger holds, stream by stream: acks by status, what is due again, open jobs, the last runs. Only reads.

What no run has read yet is not in the ledger: `backlog` is what the tap counts, where it was asked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from orders_sync.reporting.unsynced_count import NotCounted
from sync_ledger.acks import count_by_status
from sync_ledger.audits import Receipt, last_receipt
from sync_ledger.bindings import Binding, read_bindings
from sync_ledger.credit_usage import credits_of_a_day
from sync_ledger.decisions import retries_used_up
from sync_ledger.in_doubt import InDoubt, count_in_doubt
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.run_facts import is_remembered, was_of_all
from sync_ledger.runs import FOLLOWING
from sync_ledger.tables import OPEN_STEPS, RUN_COUNTS, AckStatus
from sync_ledger.undoing import HeldOrders, held_of
from sync_ledger.written_mappings import OlderOrders, older_orders
from tap_legacy_orders.backlog import Backlog

NOT_ASKED = NotCounted("the orders' table was not asked")
NO_TAP = NotCounted(
    "the tap's settings are of another stream; choose streams by --stream, or go by --ledger-only", is_error=True
)


@dataclass(frozen=True)
class OpenJob:
    """A bulk write job whose outcome is not settled. Times are naive UTC."""

    job_id: str
    zoho_job_id: str | None
    module: str
    step: str
    orders: int
    since: datetime


@dataclass(frozen=True)
class PastRun:
    """A run of the target, or one that is going on: then `finished_at` is None."""

    run_id: str
    started_at: datetime
    finished_at: datetime | None
    how_ended: str | None
    error: str | None
    """Why it failed, or what it left undone."""
    counts: Mapping[str, int]
    credits: int
    partition: str
    """Its share of the stream: `2/4`."""

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class StreamStatus:
    """Everything about one stream, at `now` of the ledger database's clock."""

    stream: str
    now: datetime
    acks: Mapping[str, int]
    due_now: int
    """Orders that the next run sends again although they have not changed."""
    due_later: int
    used_up: int
    """Orders that are parked since their retries are used up, and not because a person dismissed them."""
    oldest_waiting_at: datetime | None
    """When the oldest order that is in a job or due again got its ack."""
    open_jobs: Sequence[OpenJob]
    in_doubt: InDoubt
    """What may have been overwritten, or may yet be, by a write that had no answer: not simply synced."""
    last_finished_at: datetime | None
    """When the last run that came to its end did so; or when one that follows last sent its heartbeat.

    Where the stream is split, that is of the partition for which it is longest ago; None where one had no such run.
    """
    runs: Sequence[PastRun]
    """The newest first."""
    credits_of_a_day: int
    """Spent by the runs of all streams that lived within the last 24 hours."""
    binding: Binding | None = None
    """What the ledger's orders of this stream are bound to; None before a run has bound it."""
    older: Sequence[OlderOrders] = ()
    """Synced orders that were written before a field was mapped."""
    held: Sequence[HeldOrders] = ()
    """Orders that were undone and wait for `orders-sync release`, by the run that wrote them."""
    last_audit: Receipt | None = None
    """The last comparison with the CRM; None where there was none."""
    backlog: Backlog | NotCounted = NOT_ASKED
    """Orders of the table that the CRM does not have in their present version."""

    @property
    def refused(self) -> int:
        """Orders that are not tried again by themselves, and that nobody has dismissed."""
        return self.acks[AckStatus.REJECTED.value] - self.due_now - self.due_later + self.used_up

    def document(self) -> dict[str, Any]:
        """All of it for other programs; what is not known is null, and `not_counted` holds why."""
        counted = self.backlog if isinstance(self.backlog, Backlog) else None
        age = counted and counted.oldest_age
        return asdict(self) | {
            "refused": self.refused,
            "unsynced": counted and counted.unsynced,
            "oldest_unsynced_seconds": age and age.total_seconds(),
            "backlog": counted and asdict(counted),
            "not_counted": self.backlog.why if isinstance(self.backlog, NotCounted) else None,
        }


def read_status(ledger: Ledger, streams: Sequence[str], *, last_runs: int) -> list[StreamStatus]:
    """Read the status of these streams."""
    with ledger.connect() as connection:
        return [_stream(connection, ledger, stream, last_runs) for stream in streams]


def with_backlog(streams: Sequence[StreamStatus], counted: Mapping[str, Backlog | NotCounted]) -> list[StreamStatus]:
    """Add what taps have counted, by stream; an answer under "" is for all that no tap spoke of."""
    other = counted.get("", NO_TAP if counted else NOT_ASKED)
    return [replace(each, backlog=counted.get(each.stream, other)) for each in streams]


def _stream(connection: sa.Connection, ledger: Ledger, stream: str, last_runs: int) -> StreamStatus:
    ack, run, now = ledger.tables.ack, ledger.tables.run, ledger.now(connection)
    counted = count_by_status(connection, ack, stream)
    due_now, due_later = _due(connection, ack, stream, now)
    return StreamStatus(
        stream=stream,
        now=now,
        acks={status.value: counted.get(status.value, 0) for status in AckStatus},
        due_now=due_now,
        due_later=due_later,
        used_up=_used_up(connection, ack, stream),
        oldest_waiting_at=_oldest_waiting(connection, ack, stream),
        open_jobs=_open_jobs(connection, ledger.tables.job, stream),
        in_doubt=count_in_doubt(connection, ledger.tables, stream),
        last_finished_at=_last_finished(connection, run, stream),
        runs=_runs(connection, run, stream, last_runs),
        credits_of_a_day=credits_of_a_day(connection, run, now),
        binding=read_bindings(connection, ledger.tables).get(stream),
        older=older_orders(connection, ledger.tables, stream),
        held=held_of(connection, ledger.tables, stream),
        last_audit=last_receipt(connection, ledger.tables.audit, stream),
    )


def _last_finished(connection: sa.Connection, run: sa.Table, stream: str) -> datetime | None:
    newest = (
        sa.select(run.c.partition_name)
        .where(run.c.stream == stream, was_of_all(run))
        .order_by(run.c.started_at.desc())
        .limit(1)
    )
    name = connection.execute(newest).scalar()
    if name is None:
        return None
    follows = run.c.finished_at.is_(None) & (run.c.how_ended == FOLLOWING)
    ended = sa.case((run.c.how_ended == "finished", run.c.finished_at), (follows, run.c.heartbeat_at))
    query = sa.select(run.c.partition_name, sa.func.max(ended)).where(
        run.c.stream == stream, is_remembered(run), was_of_all(run)
    )
    by_partition = {row[0]: row[1] for row in connection.execute(query.group_by(run.c.partition_name))}
    of = Partition.named(name).of  # how the stream is split now
    times = [by_partition.get(Partition(index, of).name) for index in range(1, of + 1)]
    known = [each for each in times if each is not None]
    return min(known) if len(known) == of else None


def _oldest_waiting(connection: sa.Connection, ack: sa.Table, stream: str) -> datetime | None:
    waits = sa.or_(
        ack.c.status == AckStatus.SUBMITTED.value,
        sa.and_(ack.c.status == AckStatus.REJECTED.value, ack.c.next_attempt_at.is_not(None)),
    )
    return connection.execute(sa.select(sa.func.min(ack.c.acked_at)).where(ack.c.stream == stream, waits)).scalar()


def _due(connection: sa.Connection, ack: sa.Table, stream: str, now: datetime) -> tuple[int, int]:
    waiting = sa.select(sa.func.count()).where(
        ack.c.stream == stream,
        ack.c.status == AckStatus.REJECTED.value,
        ack.c.next_attempt_at.is_not(None),
    )
    everything = connection.execute(waiting).scalar_one()
    later = connection.execute(waiting.where(ack.c.next_attempt_at > now)).scalar_one()
    return everything - later, later


def _used_up(connection: sa.Connection, ack: sa.Table, stream: str) -> int:
    query = sa.select(sa.func.count()).where(ack.c.stream == stream, retries_used_up(ack))
    found: int = connection.execute(query).scalar_one()
    return found


def _open_jobs(connection: sa.Connection, job: sa.Table, stream: str) -> list[OpenJob]:
    query = (
        sa.select(job.c.job_id, job.c.zoho_job_id, job.c.module, job.c.step, job.c.row_count, job.c.intended_at)
        .where(job.c.stream == stream, job.c.step.in_([step.value for step in OPEN_STEPS]))
        .order_by(job.c.intended_at, job.c.job_id)
    )
    return [OpenJob(*row) for row in connection.execute(query)]


def _runs(connection: sa.Connection, run: sa.Table, stream: str, last_runs: int) -> list[PastRun]:
    query = sa.select(run).where(run.c.stream == stream).order_by(run.c.started_at.desc()).limit(last_runs)
    return [
        PastRun(
            run_id=row.run_id,
            started_at=row.started_at,
            finished_at=row.finished_at,
            how_ended=row.how_ended,
            error=row.error,
            counts={name: getattr(row, f"{name}_count") or 0 for name in RUN_COUNTS},
            credits=row.credits or 0,
            partition=row.partition_name,
        )
        for row in connection.execute(query)
    ]
