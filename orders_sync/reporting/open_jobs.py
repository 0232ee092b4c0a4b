"""The bulk write jobs that are not settled, of all streams, and which run settles each."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import sqlalchemy as sa

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE
from sync_ledger.runs import seems_dead
from sync_ledger.tables import OPEN_STEPS, JobStep

_OF_RUNS = (
    "started_at",
    "finished_at",
    "heartbeat_at",
    "host",
    "pid",
    "process_space",
    "process_start",
    "partition_name",
)


@dataclass(frozen=True)
class KeptJob:
    """A job, how long ago it was begun, and its keeper; `adopted` when that is not the run that began it."""

    job_id: str
    zoho_job_id: str | None
    stream: str
    module: str
    step: str
    partition: str
    rows: int
    age: timedelta
    adopted: bool
    keeper: str
    orphaned: bool
    """Whether its run is over or dead, so that the next one takes care of it."""


def read_open_jobs(ledger: Ledger) -> list[KeptJob]:
    """List them, oldest first."""
    job, run = ledger.tables.job, ledger.tables.run
    query = (
        sa.select(job, *(run.c[name] for name in _OF_RUNS))
        .select_from(job.outerjoin(run, run.c.run_id == job.c.run_id))
        .where(job.c.step.in_([step.value for step in OPEN_STEPS]))
        .order_by(job.c.intended_at, job.c.job_id)
    )
    with ledger.connect() as connection:
        now = ledger.now(connection)
        rows = connection.execute(query).all()
    found = []
    for row in rows:
        live = row.started_at is not None and row.finished_at is None and not seems_dead(row, now)
        adopted = row.started_at is not None and row.started_at > row.intended_at
        how = " (adopted)" if adopted else ""
        split = row.partition_name not in {None, WHOLE.name}
        whose = f" of partition {row.partition_name}, or of another split," if split else ""
        keeper = f"process {row.pid} on {row.host}{how}" if live else f"the next run{whose} adopts it"
        if row.step == JobStep.POOLED.value:
            keeper = f"the worker that comes last sends it, or the next run of partition {row.partition_name}"
        found.append(
            KeptJob(
                job_id=row.job_id,
                zoho_job_id=row.zoho_job_id,
                stream=row.stream,
                module=row.module,
                step=row.step,
                partition=row.partition_name or WHOLE.name,
                rows=row.row_count,
                age=now - row.intended_at,
                adopted=adopted,
                keeper=keeper,
                orphaned=not live,
            )
        )
    return found
