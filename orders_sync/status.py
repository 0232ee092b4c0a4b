"""What the ledger says, stream by stream: acks by status, what is due again, open jobs, the last runs. Only reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync_ledger.acks import count_by_status
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.tables import OPEN_STEPS, RUN_COUNTS, AckStatus


@dataclass(frozen=True)
class OpenJob:
    """A bulk write job whose outcome is not settled. Moments are naive UTC."""

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
    counts: Mapping[str, int]
    credits: int

    @property
    def seconds(self) -> float | None:
        """How long it took."""
        return None if self.finished_at is None else (self.finished_at - self.started_at).total_seconds()


@dataclass(frozen=True)
class StreamStatus:
    """Everything about one stream."""

    stream: str
    acks: Mapping[str, int]
    due_now: int
    """Orders that the next run sends again although they have not changed."""
    due_later: int
    open_jobs: Sequence[OpenJob]
    runs: Sequence[PastRun]
    """The newest first."""


def read_status(ledger: Ledger, *, last_runs: int) -> list[StreamStatus]:
    """Read the status of every stream that ever had a run, in the order of their names.

    Raises:
        LedgerError: there is no ledger, or it cannot be read.
    """
    file = ledger.engine.url.database if ledger.engine.dialect.name == "sqlite" else None
    if file and not Path(file).exists():  # connecting would make an empty one
        raise _no_ledger(ledger)
    try:
        with ledger.connect() as connection:
            if not sa.inspect(connection).has_table(ledger.tables.run.name, schema=ledger.tables.metadata.schema):
                raise _no_ledger(ledger)
            run = ledger.tables.run
            streams = connection.execute(sa.select(run.c.stream).distinct().order_by(run.c.stream)).scalars().all()
            return [_stream(connection, ledger, stream, last_runs) for stream in streams]
    except (DBAPIError, OSError) as error:
        cause = str(getattr(error, "orig", error)).strip().splitlines()
        raise LedgerError(
            f"the ledger cannot be read at {shown(ledger)}: {cause[0] if cause else type(error).__name__}"
        ) from error


def shown(ledger: Ledger) -> str:
    """Where the ledger lies, without its password."""
    return ledger.engine.url.render_as_string(hide_password=True)


def _no_ledger(ledger: Ledger) -> LedgerError:
    return LedgerError(f"there is no ledger at {shown(ledger)}; the first run of the tap or the target makes it")


def _stream(connection: sa.Connection, ledger: Ledger, stream: str, last_runs: int) -> StreamStatus:
    counted = count_by_status(connection, ledger.tables.ack, stream)
    due_now, due_later = _due(connection, ledger, stream)
    return StreamStatus(
        stream=stream,
        acks={status.value: counted.get(status.value, 0) for status in AckStatus},
        due_now=due_now,
        due_later=due_later,
        open_jobs=_open_jobs(connection, ledger.tables.job, stream),
        runs=_runs(connection, ledger.tables.run, stream, last_runs),
    )


def _due(connection: sa.Connection, ledger: Ledger, stream: str) -> tuple[int, int]:
    ack = ledger.tables.ack
    now = ledger.now(connection)
    waiting = sa.select(sa.func.count()).where(
        ack.c.stream == stream,
        ack.c.status == AckStatus.REJECTED.value,
        ack.c.next_attempt_at.is_not(None),
    )
    everything = connection.execute(waiting).scalar_one()
    later = connection.execute(waiting.where(ack.c.next_attempt_at > now)).scalar_one()
    return everything - later, later


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
            counts={name: getattr(row, f"{name}_count") or 0 for name in RUN_COUNTS},
            credits=row.credits or 0,
        )
        for row in connection.execute(query)
    ]
