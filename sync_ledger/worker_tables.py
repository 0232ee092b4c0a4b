"""The tables by which workers share what an org gives to all of them."""

from __future__ import annotations

import sqlalchemy as sa

from sync_databases.engines import Engine
from sync_databases.table_types import blob_type, long_text_type, timestamp_type


def token_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """The access token that workers share (`shared_tokens.py`), by a hash of whose it is."""
    return sa.Table(
        "zoho_sync_token",
        metadata,
        sa.Column("owner", sa.String(64), primary_key=True),
        sa.Column("sealed", long_text_type(engine)),
        sa.Column("ends_at", timestamp_type(engine)),
        sa.Column("denied_until", timestamp_type(engine)),
        sa.Column("renewer", sa.String(32)),
        sa.Column("renewed_until", timestamp_type(engine)),
    )


def worker_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What each run that writes now holds of the org's limits (`worker_shares.py`)."""
    return sa.Table(
        "zoho_sync_worker",
        metadata,
        sa.Column("run_id", sa.String(32), primary_key=True),
        sa.Column("org", sa.String(32), nullable=False),
        sa.Column("upserts", sa.Integer, nullable=False),
        sa.Column("jobs", sa.Integer, nullable=False),
        sa.Column("seen_at", timestamp_type(engine), nullable=False),
    )


def pool_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """The orders of jobs that are `pooled`, sealed, in parts that any server takes (`pooled_orders.py`)."""
    return sa.Table(
        "zoho_sync_pool",
        metadata,
        sa.Column("job_id", sa.String(32), primary_key=True),
        sa.Column("part", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("sealed", blob_type(engine), nullable=False),
    )
