"""The two writers of a stream: twins, of which the router takes the one that costs less."""

from __future__ import annotations

from typing import NamedTuple

from target_zoho_crm.writing.bulk_write import BulkWriter
from target_zoho_crm.writing.upsert import UpsertWriter


class WriterPair(NamedTuple):
    """Both take batches by `start`; `bulk` goes on with a dead run's jobs by `resume` too."""

    upserts: UpsertWriter
    bulk: BulkWriter
