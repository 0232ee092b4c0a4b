"""The tables of undo: one row for each order of a run that was taken back, and the values from before it."""

from __future__ import annotations

import sqlalchemy as sa

from sync_databases.engines import Engine
from sync_databases.exact_text import ExactText
from sync_databases.keys import KEY_LENGTH
from sync_databases.table_types import any_text_type, blob_type, counter_type, timestamp_type

WHY_LENGTH = 500


def undone_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What `undoing.py` keeps. `run_id` is the run whose writes were taken back. Holds no contents of orders."""
    table = sa.Table(
        "zoho_sync_undone",
        metadata,
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("record_key", ExactText(KEY_LENGTH), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("outcome", sa.String(12), nullable=False),
        # Why it was not taken back, and by whom or which run the order was written since.
        sa.Column("why", any_text_type(engine, WHY_LENGTH)),
        sa.Column("person", any_text_type(engine, WHY_LENGTH)),
        sa.Column("later_run_id", sa.String(32)),
        sa.Column("happened_at", timestamp_type(engine), nullable=False),
        # Since when the order is held for this; NULL where it is not, or was released.
        sa.Column("held_at", timestamp_type(engine)),
    )
    sa.Index("ix_zoho_sync_undone_held", table.c.stream, table.c.held_at)
    return table


def before_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What `before_values.py` keeps: contents of records, compressed and encrypted."""
    table = sa.Table(
        "zoho_sync_before",
        metadata,
        sa.Column("before_id", counter_type(engine), sa.Identity(), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("run_id", sa.String(32), nullable=False),
        sa.Column("happened_at", timestamp_type(engine), nullable=False),
        sa.Column("order_count", sa.Integer, nullable=False),
        sa.Column("keys_packed", blob_type(engine), nullable=False),
        sa.Column("sealed", blob_type(engine), nullable=False),
    )
    sa.Index("ix_zoho_sync_before_run", table.c.run_id)
    return table
