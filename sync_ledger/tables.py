"""The ledger's tables: what became of each order, the journal of bulk jobs, and the runs; and the ledger's version.

Keys are exact: every text that identifies something is compared byte by byte on every engine (`ExactText`).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Any

import sqlalchemy as sa

from sync_databases.engines import Engine, PartialIndexes
from sync_databases.exact_text import ExactText
from sync_databases.keys import KEY_LENGTH
from sync_databases.table_types import any_text_type, blob_type, counter_type, long_text_type, timestamp_type
from sync_ledger.alert_table import alert_table
from sync_ledger.audit_tables import accepted_table, audit_table
from sync_ledger.contact_tables import contact_table, difference_table
from sync_ledger.plan_table import plan_table
from sync_ledger.undo_tables import before_table, undone_table
from sync_ledger.worker_tables import pool_table, token_table, worker_table

CODE_LENGTH = 100
FIELD_LENGTH = 255
MESSAGE_LENGTH = 500
ERROR_LENGTH = 1_000
"""Characters kept of an error's code, field and text, so that the ledger cannot grow by what a server answers."""

DELETED_VERSION = "(deleted)"
"""The version of a deleted order; none that a database renders, so an order that comes back is unsynced."""


class AckStatus(StrEnum):
    """What the ledger says of one order."""

    SUBMITTED = "submitted"
    """In a bulk job; the outcome is not known yet."""
    SYNCED = "synced"
    REJECTED = "rejected"
    """Refused by Zoho or by our own check, or due again at `next_attempt_at`."""
    PARKED = "parked"
    """Retries are used up, or a person dismissed it, which takes its family away."""
    DELETED = "deleted"
    """Deleted from the legacy table, and the CRM knows: its record is deleted or marked, as `action` says."""
    HELD = "held"
    """What a run wrote of it was taken back (`undoing.py`): it is not written until `orders-sync release`."""


class JobStep(StrEnum):
    """How far a bulk job has come; each step is journalled before the next one begins."""

    POOLED = "pooled"
    """Orders that a worker of a split stream left to the one that comes last (`pooled_orders.py`)."""
    INTENT = "intent"
    """Its rows are `submitted`; Zoho knows nothing of it."""
    CALLING = "calling"
    """No job but an insert call: it may have had its effect."""
    UPLOADED = "uploaded"
    """Zoho has the file; the job may have been created."""
    CREATED = "created"
    """Zoho has the job."""
    GIVEN_UP = "given_up"
    """A person waits for it no longer; its rows are due once it has ended, or a day after that."""
    APPLIED = "applied"
    """Every row's outcome is in the ack table."""
    ABANDONED = "abandoned"
    """Never created; its rows are due again."""


OPEN_STEPS = tuple(step for step in JobStep if step not in {JobStep.APPLIED, JobStep.ABANDONED})


FILLED_PERCENT = 45
"""Of a page of acks on PostgreSQL: each is written twice, the second time in the same page, so no index changes."""


@dataclass(frozen=True)
class LedgerTables:
    """The tables in one schema of one database."""

    metadata: sa.MetaData
    ack: sa.Table
    job: sa.Table
    run: sa.Table
    version: sa.Table
    identity: sa.Table
    stream: sa.Table
    write: sa.Table
    content_form: sa.Table
    token: sa.Table
    mapping: sa.Table
    outcome: sa.Table
    audit: sa.Table
    accepted: sa.Table
    worker: sa.Table
    sample: sa.Table
    alert: sa.Table
    contact: sa.Table
    difference: sa.Table
    undone: sa.Table
    before: sa.Table
    plan: sa.Table
    pool: sa.Table

    @property
    def of_records(self) -> tuple[sa.Table, ...]:
        """The tables that every version of the ledger has."""
        return self.ack, self.job, self.run


@cache
def ledger_tables(engine: Engine, schema: str | None = None) -> LedgerTables:
    """Describe the ledger in `schema`, or in the connection's own schema, as an `engine` keeps it.

    All ledgers of a process share it: statements are kept by table, and would be kept for each ledger anew.
    """
    metadata = sa.MetaData(schema=schema)
    version = sa.Table("zoho_sync_version", metadata, sa.Column("version", sa.Integer, primary_key=True))
    tables = _ack_table(metadata, engine), _job_table(metadata, engine), _run_table(metadata, engine)
    further = _identity_table(metadata), _stream_table(metadata, engine), _write_table(metadata, engine)
    latest = _content_form_table(metadata, engine), token_table(metadata, engine), _mapping_table(metadata, engine)
    of_audits = audit_table(metadata, engine), accepted_table(metadata, engine)
    newest = (
        _outcome_table(metadata, engine),
        *of_audits,
        worker_table(metadata, engine),
        _sample_table(metadata, engine),
        alert_table(metadata, engine),
        contact_table(metadata, engine),
        difference_table(metadata, engine),
        undone_table(metadata, engine),
        before_table(metadata, engine),
        plan_table(metadata, engine),
        pool_table(metadata, engine),
    )
    return LedgerTables(metadata, *tables, version, *further, *latest, *newest)


def _ack_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    table = sa.Table(
        "zoho_sync_ack",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("record_key", ExactText(KEY_LENGTH), primary_key=True),
        sa.Column("version", ExactText(KEY_LENGTH), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("zoho_id", sa.String(32)),
        sa.Column("action", sa.String(10)),
        sa.Column("channel", sa.String(10)),
        sa.Column("family", sa.String(15)),
        sa.Column("error_code", sa.Unicode(CODE_LENGTH)),
        sa.Column("error_field", sa.Unicode(FIELD_LENGTH)),
        sa.Column("error_message", any_text_type(engine, MESSAGE_LENGTH)),
        sa.Column("attempts", sa.Integer, nullable=False),
        sa.Column("next_attempt_at", timestamp_type(engine)),
        # When its calls began to fail with answers that blame nobody: it is parked a day later at the earliest.
        sa.Column("failing_since", timestamp_type(engine)),
        sa.Column("job_id", sa.String(32)),
        sa.Column("run_id", sa.String(32)),
        sa.Column("payload_hash", sa.String(64)),
        # A fingerprint of the order as it was read. With a form and no content: it was settled when it was read, so
        # that its version says enough. Without a form: another tap's, or an early version's.
        sa.Column("content", sa.String(32)),
        sa.Column("content_form", sa.String(16)),
        # What was last written to fields that may belong to people, as fingerprints by field (`field_marks.py`).
        sa.Column("field_marks", long_text_type(engine)),
        # By which mapping it was written, as `written_mappings.py` counts them.
        sa.Column("mapping_number", sa.Integer),
        sa.Column("folded_key", ExactText(KEY_LENGTH)),
        sa.Column("earlier_zoho_id", sa.String(32)),
        sa.Column("remade_run_id", sa.String(32)),
        sa.Column("acked_at", timestamp_type(engine), nullable=False),
        # When its last outcome was written that the history holds packed with others (`history.py`): finds that row.
        sa.Column("packed_at", timestamp_type(engine)),
    )
    waiting = table.c.next_attempt_at.is_not(None)
    # Nearly every order is synced and waits for nothing: the index holds just those that do, where it can.
    sa.Index(
        "ix_zoho_sync_ack_due",
        table.c.stream,
        table.c.next_attempt_at,
        **_where(engine, waiting),
    )
    folded = table.c.folded_key.is_not(None)
    sa.Index(
        "ix_zoho_sync_ack_folded",
        table.c.stream,
        table.c.folded_key,
        **_where(engine, folded),
    )
    # Which orders did a run make again? Asked at its end, and by `orders-sync problems`.
    remade = table.c.remade_run_id.is_not(None)
    sa.Index("ix_zoho_sync_ack_remade", table.c.stream, table.c.remade_run_id, **_where(engine, remade))
    # Whose record is it? Asked for records that an answer says were there already.
    sa.Index("ix_zoho_sync_ack_record", table.c.zoho_id, **_where(engine, table.c.zoho_id.is_not(None)))
    if engine.fill_factor is not None:
        statement = engine.fill_factor.format(percent=FILLED_PERCENT)
        sa.event.listen(table, "after_create", sa.DDL(statement))  # type: ignore[no-untyped-call]
    return table


def _where(engine: Engine, condition: sa.ColumnElement[bool]) -> dict[str, Any]:
    """What makes an index hold just some rows, on engines that can."""
    return {} if engine.partial_indexes is PartialIndexes.NONE else {f"{engine.name}_where": condition}


def _job_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    return sa.Table(
        "zoho_sync_job",
        metadata,
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False, index=True),
        sa.Column("module", sa.Unicode(100), nullable=False),
        sa.Column("parent_job_id", sa.String(32)),
        sa.Column("step", sa.String(10), nullable=False, index=True),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("manifest", blob_type(engine)),
        sa.Column("file_id", sa.String(64)),
        sa.Column("create_body", long_text_type(engine)),
        sa.Column("zoho_job_id", sa.String(64)),
        sa.Column("called_back_at", timestamp_type(engine)),
        sa.Column("synced_count", sa.Integer),
        sa.Column("rejected_count", sa.Integer),
        sa.Column("due_again_count", sa.Integer),
        sa.Column("credits", sa.Integer, nullable=False),
        sa.Column("error_message", any_text_type(engine, MESSAGE_LENGTH)),
        sa.Column("intended_at", timestamp_type(engine), nullable=False),
        sa.Column("updated_at", timestamp_type(engine), nullable=False),
    )


def _run_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    return sa.Table(
        "zoho_sync_run",
        metadata,
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("partition_name", sa.String(20), nullable=False),
        # While the run lives: stream and partition, so that the unique index admits one run. Afterwards: its run id.
        sa.Column("lock_name", ExactText(150), nullable=False, unique=True),
        sa.Column("host", sa.Unicode(255), nullable=False),
        sa.Column("pid", sa.Integer, nullable=False),
        sa.Column("process_space", sa.String(100), nullable=False),
        sa.Column("started_at", timestamp_type(engine), nullable=False),
        sa.Column("heartbeat_at", timestamp_type(engine), nullable=False),
        sa.Column("finished_at", timestamp_type(engine)),
        sa.Column("how_ended", sa.String(20)),
        *(sa.Column(f"{name}_count", sa.Integer) for name in RUN_COUNTS),
        sa.Column("credits", sa.Integer),
        # The run's transactions under its lease; NULL where version 0.1 made the row. STATE names run and count.
        sa.Column("settlements", sa.Integer),
        # Counts heartbeats: a lease whose count stands still is dead, whatever any clock says. NULL before version 4.
        sa.Column("beats", sa.Integer),
        # When the process began, as its system counts: another process may have the same id later.
        sa.Column("process_start", sa.String(40)),
        # Since when runs on the same host saw the count stand still at `standing_beats`, though the process lives.
        sa.Column("standing_since", timestamp_type(engine)),
        sa.Column("standing_beats", sa.Integer),
        # A fingerprint of the target's settings, without secrets.
        sa.Column("settings_mark", sa.String(16)),
        # What a user calls runs that belong together.
        sa.Column("run_group", any_text_type(engine, RUN_GROUP_LENGTH)),
        # Why orders were refused, as JSON (`run_facts.py`).
        sa.Column("causes", long_text_type(engine)),
        # Since when nothing is concluded from the run any more: `forget` keeps it for its credits and the history.
        sa.Column("forgotten_at", timestamp_type(engine)),
        # 1 of a run that was given some orders only, of a file or a plan; NULL of any other.
        sa.Column("in_part", sa.Integer),
        # Why it failed, or what it left undone, as its log says it.
        sa.Column("error", any_text_type(engine, ERROR_LENGTH)),
        # 1 of a run of a split stream that has read all of its share: it takes no orders of others any more.
        sa.Column("came_to_end", sa.Integer),
    )


def _identity_table(metadata: sa.MetaData) -> sa.Table:
    return sa.Table(
        "zoho_sync_ledger",
        metadata,
        sa.Column("only_row", sa.Integer, primary_key=True, autoincrement=False),  # always 1: a second one is refused
        sa.Column("ledger_id", sa.String(32), nullable=False),
    )


def _stream_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What each stream is bound to (`bindings.py`), and what is remembered of its set-up."""
    return sa.Table(
        "zoho_sync_stream",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("module", any_text_type(engine, 100), nullable=False),
        sa.Column("key_field", any_text_type(engine, 100), nullable=False),
        sa.Column("org", sa.String(32)),
        sa.Column("source_table", any_text_type(engine, 255)),
        sa.Column("key_columns", any_text_type(engine, 255)),
        sa.Column("shares_module", sa.Boolean, nullable=False),
        # Version 0.1 let streams share a module: those that did, with different keys, go on.
        sa.Column("of_early_version", sa.Boolean, nullable=False),
        sa.Column("filter_mark", sa.String(32)),
        sa.Column("columns_mark", sa.String(32)),
        sa.Column("mapping_mark", sa.String(32)),
        sa.Column("bookmark", long_text_type(engine)),
        sa.Column("bound_at", timestamp_type(engine), nullable=False),
    )


def _write_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What is sent and not settled (`writes_under_way.py`): few rows, each there for as long as a call takes."""
    return sa.Table(
        "zoho_sync_write",
        metadata,
        sa.Column("write_id", sa.String(32), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("job_id", sa.String(32)),
        sa.Column("row_count", sa.Integer, nullable=False),
        sa.Column("manifest", blob_type(engine), nullable=False),
        sa.Column("began_at", timestamp_type(engine), nullable=False),
        sa.Column("may_land_until", timestamp_type(engine), nullable=False),
        # When its run stopped waiting for an answer and went on.
        sa.Column("left_at", timestamp_type(engine)),
        # When its orders were compared with the CRM for the first time.
        sa.Column("verified_at", timestamp_type(engine)),
    )


def _content_form_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What the contents of acks are made of (`content_forms.py`)."""
    return sa.Table(
        "zoho_sync_content_form",
        metadata,
        sa.Column("form", sa.String(16), primary_key=True),
        sa.Column("described", long_text_type(engine), nullable=False),
    )


def _mapping_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """By which mappings each stream was written (`written_mappings.py`)."""
    return sa.Table(
        "zoho_sync_mapping",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("described", long_text_type(engine), nullable=False),  # "": not known
    )


def _sample_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """Some orders of each stream, column by column (`order_samples.py`)."""
    return sa.Table(
        "zoho_sync_sample",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("partition_name", sa.String(20), primary_key=True),
        sa.Column("described", long_text_type(engine), nullable=False),
    )


def _outcome_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What became of orders, run by run (`history.py`): one row a call or job, or one an order. Holds no contents."""
    table = sa.Table(
        "zoho_sync_outcome",
        metadata,
        sa.Column("outcome_id", counter_type(engine), sa.Identity(), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        # Which of the run's transactions wrote it: one for each call and job.
        sa.Column("settlement", sa.Integer, nullable=False),
        sa.Column("happened_at", timestamp_type(engine), nullable=False),
        sa.Column("status", sa.String(10), nullable=False),
        sa.Column("channel", sa.String(10)),
        sa.Column("job_id", sa.String(32)),
        sa.Column("order_count", sa.Integer, nullable=False),
        # Keys, versions and record ids of several orders; NULL where the columns below are of one.
        sa.Column("packed", blob_type(engine)),
        sa.Column("record_key", ExactText(KEY_LENGTH)),
        sa.Column("version", ExactText(KEY_LENGTH)),
        sa.Column("zoho_id", sa.String(32)),
        sa.Column("action", sa.String(10)),
        sa.Column("family", sa.String(15)),
        sa.Column("error_code", sa.Unicode(CODE_LENGTH)),
        sa.Column("error_field", sa.Unicode(FIELD_LENGTH)),
        sa.Column("error_message", any_text_type(engine, MESSAGE_LENGTH)),
    )
    # What became of the orders of a run? And of which call was an order that was packed then?
    sa.Index("ix_zoho_sync_outcome_run", table.c.run_id, table.c.happened_at)
    key = table.c.record_key.is_not(None)
    sa.Index("ix_zoho_sync_outcome_key", table.c.stream, table.c.record_key, **_where(engine, key))
    return table


RUN_GROUP_LENGTH = 100

RUN_COUNTS = ("read", "synced", "unchanged", "superseded", "rejected", "parked", "held", "unsynced")
"""What a run counts; `read` is the sum of the others."""
