"""Writes in doubt, of which nobody knows whether they had their effect: what the ledger still holds of them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.codes import LedgerCode
from sync_ledger.tables import AckStatus, LedgerTables

_UNCONFIRMED = (
    LedgerCode.INSERT_UNCONFIRMED.value,
    LedgerCode.JOB_WITHOUT_RESULT.value,
    LedgerCode.BREAKS_CALLS.value,
    LedgerCode.CALL_FAILED.value,
)


def unconfirmed_since(
    connection: sa.Connection, tables: LedgerTables, stream: str, versions: Mapping[str, str]
) -> dict[str, datetime]:
    """When the last write of these orders began, where it may have had its effect: by key.

    Only orders that are at the same version still: another one was never sent.
    """
    ack, job = tables.ack, tables.job
    found: dict[str, datetime] = {}
    query = (
        sa.select(ack.c.record_key, ack.c.version, job.c.intended_at)
        .join(job, job.c.job_id == ack.c.job_id)
        .where(
            ack.c.stream == stream,
            ack.c.status == AckStatus.REJECTED.value,
            ack.c.error_code.in_(_UNCONFIRMED),
        )
    )
    keys: Collection[str] = versions.keys()
    for chunk in lookup_chunks(connection, keys):
        rows = connection.execute(query.where(ack.c.record_key.in_(chunk)))
        found.update({key: began for key, version, began in rows if versions[key] == version})
    return found
