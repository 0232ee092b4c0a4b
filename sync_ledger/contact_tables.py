"""The tables of first contacts: how far each stream's has come, and the kinds of difference that were found."""

from __future__ import annotations

import sqlalchemy as sa

from sync_databases.engines import Engine
from sync_databases.exact_text import ExactText
from sync_databases.table_types import long_text_type, timestamp_type

DIFFERENT_FIELD_LENGTH = 100


def contact_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """One row for each stream that began when its ledger knew of no synced order; older streams have none."""
    return sa.Table(
        "zoho_sync_contact",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        # The run that makes it, for which those of other partitions wait; "nobody" while it has nothing to compare.
        sa.Column("run_id", sa.String(32), nullable=False),
        # Orders that were read back and compared.
        sa.Column("compared", sa.Integer, nullable=False),
        sa.Column("began_at", timestamp_type(engine), nullable=False),
        sa.Column("ended_at", timestamp_type(engine)),
    )


def difference_table(metadata: sa.MetaData, engine: Engine) -> sa.Table:
    """Kinds of difference by field: found, and accepted by a person for all orders of the stream, or not yet."""
    return sa.Table(
        "zoho_sync_difference",
        metadata,
        sa.Column("stream", ExactText(100), primary_key=True),
        sa.Column("field_name", ExactText(DIFFERENT_FIELD_LENGTH), primary_key=True),
        sa.Column("kind", sa.String(20), primary_key=True),
        # JSON: keys of orders that have it. Their values are in no ledger.
        sa.Column("record_keys", long_text_type(engine), nullable=False),
        sa.Column("found_at", timestamp_type(engine), nullable=False),
        sa.Column("accepted_at", timestamp_type(engine)),
    )
