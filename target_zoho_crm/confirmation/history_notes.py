"""What the history says of outcomes, and what their acks say of the history."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Sequence
from datetime import datetime

import sqlalchemy as sa

from sync_ledger.history import Packed, Settlement, note_acks, note_packed, remove_notes
from sync_ledger.job_journal import JournalledJob
from sync_ledger.leases import Lease
from sync_ledger.tables import LedgerTables
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation.outcomes import CREATED, Outcome


class HistoryNotes:
    """Begins the notes of each of one run's transactions. Safe for threads."""

    def __init__(self, tables: LedgerTables, lease: Lease) -> None:
        """Note for the run that holds `lease`."""
        self._tables = tables
        self._lease = lease
        self._numbers = itertools.count(1)

    def begin(self) -> SettlementNotes:
        """The notes of one transaction, which may have to be made several times."""
        return SettlementNotes(self._tables, Settlement(self._lease.stream, self._lease.run_id, next(self._numbers)))


class SettlementNotes:
    """The notes of one transaction: each order once, though the answer to a commit may have been lost."""

    def __init__(self, tables: LedgerTables, settlement: Settlement) -> None:
        """Use `HistoryNotes.begin`."""
        self._tables = tables
        self._settlement = settlement
        self._tried = False

    def of_attempt(self, connection: sa.Connection) -> SettlementNotes:
        """Begin an attempt at the transaction: what one before it noted, whose answer was lost, goes."""
        if self._tried:
            remove_notes(connection, self._tables, self._settlement)
        self._tried = True
        return self

    def outcomes(
        self,
        connection: sa.Connection,
        now: datetime,
        good: Sequence[Outcome],
        refused: Sequence[Outcome],
        channel: Channel | None,
        job: JournalledJob | None,
    ) -> None:
        """Note outcomes whose acks are written: `good` are in the CRM, `refused` are not."""
        made = [outcome for outcome in good if outcome.action == CREATED]
        if made:
            note_packed(
                connection,
                self._tables,
                self._settlement,
                now,
                Packed([each.key for each in made], [each.version for each in made], [each.zoho_id for each in made]),
                action=CREATED,
                channel=channel.value if channel else None,
                job_id=job.job_id if job else None,
            )
        others = [outcome.key for outcome in good if outcome.action != CREATED] if len(made) < len(good) else []
        others += [outcome.key for outcome in refused]
        if others:
            note_acks(connection, self._tables, self._settlement, now, others)

    def acks(
        self, connection: sa.Connection, now: datetime, keys: Collection[str], job: JournalledJob | None = None
    ) -> None:
        """Note what the acks of these orders say now; with `job` of those alone that it holds."""
        note_acks(connection, self._tables, self._settlement, now, keys, job_id=job.job_id if job else None)
