"""The tables of audits: a receipt of each, and the differences that a person accepted."""

from __future__ import annotations

import sqlalchemy as sa

from sync_databases.engines import Engine
from sync_databases.exact_text import ExactText
from sync_databases.keys import KEY_LENGTH
from sync_databases.table_types import long_text_type, timestamp_type


def audit_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """What was compared, when, and what was found: counts and fingerprints, and nothing of an order."""
    return sa.Table(
        "zoho_sync_audit",
        metadata,
        sa.Column("audit_id", sa.String(32), primary_key=True),
        sa.Column("stream", ExactText(100), nullable=False),
        sa.Column("began_at", timestamp_type(engine), nullable=False),
        sa.Column("ended_at", timestamp_type(engine), nullable=False),
        # JSON: which orders, which fields, and what was not compared.
        sa.Column("scope", long_text_type(engine), nullable=False),
        # JSON: how many of each kind.
        sa.Column("found", long_text_type(engine), nullable=False),
        sa.Column("orders", sa.Integer, nullable=False),
        sa.Column("records", sa.Integer, nullable=False),
        sa.Column("equal", sa.Integer, nullable=False),
        sa.Column("credits", sa.Integer, nullable=False),
        # Fingerprints of both sides whatever their order; NULL where an audit did not read all of them.
        sa.Column("database_hash", sa.String(32)),
        sa.Column("crm_hash", sa.String(32)),
    )


def accepted_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """Differences that a person accepted: they count again once they are others."""
    return sa.Table(
        "zoho_sync_accepted",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("record_key", ExactText(KEY_LENGTH), primary_key=True),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("accepted_at", timestamp_type(engine), nullable=False),
    )
