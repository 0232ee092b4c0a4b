"""The table of saved plans: which orders a run would have sent at a moment."""

from __future__ import annotations

import sqlalchemy as sa

from sync_databases.engines import Engine
from sync_databases.exact_text import ExactText
from sync_databases.table_types import blob_type, timestamp_type


def plan_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What `saved_plans.py` keeps, some thousand orders a row: keys, versions, fingerprints; no contents of orders."""
    return sa.Table(
        "zoho_sync_plan",
        metadata,
        sa.Column("plan_id", sa.String(32), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("saved_at", timestamp_type(engine), nullable=False),
        sa.Column("order_count", sa.Integer, nullable=False),
        sa.Column("packed", blob_type(engine), nullable=False),
    )
