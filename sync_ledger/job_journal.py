"""The journal of bulk jobs: written before each step, so that a job outlives the run that made it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import msgspec
import sqlalchemy as sa

from sync_ledger.tables import MESSAGE_LENGTH, OPEN_STEPS, JobStep

SHORT_ID = 8

MANIFEST_LEVEL = 1
"""Keys and versions compress well at any level; the first is the fastest."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """Texts by key, compressed, so that a job in flight takes little memory: 25,000 rows about 300 kB.

    A job's own maps the key of each CSV row to its version.
    """

    packed: bytes
    rows: int

    @classmethod
    def of(cls, texts: Mapping[str, str]) -> Manifest:
        """Compress; the order of the keys is kept."""
        return cls(zlib.compress(msgspec.json.encode(texts), MANIFEST_LEVEL), len(texts))

    def texts(self) -> dict[str, str]:
        """Undo that: made anew for each caller."""
        return msgspec.json.decode(zlib.decompress(self.packed), type=dict[str, str])

    def __len__(self) -> int:
        """How many rows it has."""
        return self.rows


@dataclass(frozen=True, slots=True)
class JournalledJob:
    """A bulk job as the journal knows it, with the key and version of each CSV row.

    A job of lines names the job of their orders as `parent_job_id`, and maps the key of each line to that of its order.
    It is over when that one is.
    """

    job_id: str
    stream: str
    run_id: str
    module: str
    step: JobStep
    manifest: Manifest
    credits: int
    file_id: str | None = None
    create_body: str | None = None
    zoho_job_id: str | None = None
    parent_job_id: str | None = None

    @property
    def short_id(self) -> str:
        """As much of its id as names it among the open jobs."""
        return self.job_id[:SHORT_ID]

    @property
    def is_adopted(self) -> bool:
        """Whether an earlier run sent it: one of this run is journalled under its name, and does not carry it."""
        return bool(self.run_id)


def journal_intent(connection: sa.Connection, table: sa.Table, job: JournalledJob, now: datetime) -> None:
    """Note a job before anything of it is sent; in the transaction that makes its acks `submitted`.

    Safe to repeat, since the answer to a commit may be lost.
    """
    if connection.execute(sa.select(table.c.job_id).where(table.c.job_id == job.job_id)).first():
        return
    facts = {
        "job_id": job.job_id,
        "stream": job.stream,
        "run_id": job.run_id,
        "module": job.module,
        "parent_job_id": job.parent_job_id,
        "step": job.step.value,
        "row_count": len(job.manifest),
        "manifest": job.manifest.packed,
        "credits": 0,
        "intended_at": now,
        "updated_at": now,
    }
    connection.execute(sa.insert(table), facts)


def age_of(connection: sa.Connection, table: sa.Table, job_id: str, now: datetime) -> timedelta:
    """How long ago a job, or an insert call, was journalled."""
    began: datetime = connection.execute(sa.select(table.c.intended_at).where(table.c.job_id == job_id)).scalar_one()
    return now - began


def journal_step(
    connection: sa.Connection, table: sa.Table, job_id: str, step: JobStep, now: datetime, **facts: Any
) -> None:
    """Note that a job has come to `step`, with what was learned (file_id, zoho_job_id, counts, ...).

    A job that is over gives up its manifest: by then the ack table holds all of it.
    """
    if step in {JobStep.APPLIED, JobStep.ABANDONED}:
        facts["manifest"] = None
        facts["create_body"] = None
    if facts.get("error_message"):
        facts["error_message"] = facts["error_message"][:MESSAGE_LENGTH]
    facts |= {"step": step.value, "updated_at": now}
    connection.execute(sa.update(table).where(table.c.job_id == job_id), facts)


@cache
def open_of_stream(table: sa.Table) -> sa.Select[Any]:
    """Ask for the jobs of a `stream` that are not over, oldest first; for `list_jobs`."""
    return (
        sa.select(table)
        .where(table.c.stream == sa.bindparam("stream"), table.c.step.in_([step.value for step in OPEN_STEPS]))
        .order_by(table.c.intended_at, table.c.job_id)
    )


def list_jobs(connection: sa.Connection, query: sa.Select[Any], stream: str) -> list[JournalledJob]:
    """List those of a stream's jobs that `query` asks for."""
    return list(map(_journalled, connection.execute(query, {"stream": stream})))


def jobs_of_lines(connection: sa.Connection, table: sa.Table, parent_job_id: str) -> list[JournalledJob]:
    """List all jobs of the lines of one job's orders; those that are over have no manifest any more."""
    query = sa.select(table).where(table.c.parent_job_id == parent_job_id).order_by(table.c.job_id)
    return list(map(_journalled, connection.execute(query)))


def journal_applied(
    connection: sa.Connection, table: sa.Table, job_id: str, counts: tuple[int, int, int], now: datetime
) -> None:
    """Note that a job's outcomes are acks, with its jobs of lines; `counts` are those synced, rejected, due again."""
    facts = dict(zip(("synced_count", "rejected_count", "due_again_count"), counts, strict=True))
    journal_step(connection, table, job_id, JobStep.APPLIED, now, **facts)
    _close_jobs_of_lines(connection, table, job_id, now)


def _close_jobs_of_lines(connection: sa.Connection, table: sa.Table, parent_job_id: str, now: datetime) -> None:
    open_steps = [step.value for step in OPEN_STEPS]
    connection.execute(
        sa.update(table)
        .where(table.c.parent_job_id == parent_job_id, table.c.step.in_(open_steps))
        .values(step=JobStep.APPLIED.value, updated_at=now, manifest=None, create_body=None)
    )


def _journalled(row: sa.Row[Any]) -> JournalledJob:
    return JournalledJob(
        job_id=row.job_id,
        stream=row.stream,
        run_id=row.run_id,
        module=row.module,
        step=JobStep(row.step),
        manifest=Manifest(row.manifest, row.row_count) if row.manifest is not None else Manifest.of({}),
        credits=row.credits,
        file_id=row.file_id,
        create_body=row.create_body,
        zoho_job_id=row.zoho_job_id,
        parent_job_id=row.parent_job_id,
    )
