"""The table of alerts: which were sent of each stream, by each channel."""

from __future__ import annotations

import sqlalchemy as sa

from sync_databases.engines import Engine
from sync_databases.exact_text import ExactText
from sync_databases.table_types import any_text_type, timestamp_type

ALERT_TEXT_LENGTH = 500


def alert_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """One row for each thing that is wrong and each channel, from when it was seen until its end was sent there."""
    return sa.Table(
        "zoho_sync_alert",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("condition_name", sa.String(40), primary_key=True),
        # A hash of the channel's URL, which may hold a password.
        sa.Column("channel", sa.String(16), primary_key=True),
        # The same in every message of it, so that a receiver knows a repeat.
        sa.Column("alert_id", sa.String(32), nullable=False),
        sa.Column("described", any_text_type(engine, ALERT_TEXT_LENGTH), nullable=False),
        sa.Column("since", timestamp_type(engine), nullable=False),
        # Who sends it now, and since when: nobody else does so meanwhile.
        sa.Column("sender", sa.String(32)),
        sa.Column("claimed_at", timestamp_type(engine)),
        sa.Column("sent_at", timestamp_type(engine)),
    )
