"""What is written of an order once its record is in the CRM, and before its ack: links, then lines.

Both writers go through the same steps: what cannot be written is refused before anything is sent; a call's orders are
followed up from memory; a job's from what was kept on the disk, or from the journal where an earlier run began it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.outcomes import Outcome
from target_zoho_crm.writing.zipped_rows import RowsToZip


class FollowUp(Protocol):
    """One kind of what belongs to orders."""

    def refuse(self, batch: Batch) -> tuple[Batch, list[Outcome]]:
        """Take out orders of which a part cannot be written; gives the others, and the refusals.

        Raises:
            ZohoError: what they name could not be asked for.
        """

    @property
    def comes_with_new(self) -> bool:
        """Whether it goes into the call that makes an order, since the CRM demands it of new records."""

    def with_new(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """What goes into the call that makes these orders, by the order's key and the field's name."""

    def rows_in_zip(self, batch: Batch) -> RowsToZip | None:
        """What goes into the zip of the job that makes these orders, if they are made with all of it."""

    def after_call(self, batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:
        """Write what belongs to the orders of one call; their outcomes with those of their parts.

        An order that is not among the outcomes any more is left as if it had not been sent.

        Raises:
            ZohoError: nobody knows what the CRM has of these orders; all are left as if they had not been sent.
        """

    def keep(self, job_id: str, batch: Batch) -> None:
        """Keep on the disk what is to be written of a job's orders once they are in the CRM.

        Raises:
            SpoolError: the disk does not take it.
        """

    def after_job(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """Write what was kept for a job's orders; their outcomes with those of their parts.

        For an adopted job nothing was kept: what the journal does not tell makes its orders due again.

        Raises:
            ZohoError: what ends the run, or leaves the job to the next one.
        """

    def discard(self, job_id: str) -> None:
        """Remove what was kept for a job and is not wanted any more, if anything is left of it."""


@dataclass(frozen=True, slots=True)
class FollowUps:
    """The follow-ups of one stream, in the order in which they are written; itself one, of all."""

    each: tuple[FollowUp, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.each)

    def refuse(self, batch: Batch) -> tuple[Batch, list[Outcome]]:
        """As `FollowUp.refuse`."""
        refused: list[Outcome] = []
        for follow_up in self.each:
            batch, further = follow_up.refuse(batch)
            refused += further
        return batch, refused

    @property
    def comes_with_new(self) -> bool:
        """Whether any of them does."""
        return any(follow_up.comes_with_new for follow_up in self.each)

    def with_new(self, batch: Batch) -> dict[str, dict[str, Any]]:
        """As `FollowUp.with_new`."""
        found: dict[str, dict[str, Any]] = {}
        for follow_up in self.each:
            for key, fields in follow_up.with_new(batch).items():
                found.setdefault(key, {}).update(fields)
        return found

    def rows_in_zip(self, batch: Batch) -> RowsToZip | None:
        """As `FollowUp.rows_in_zip`; one of them at most has such rows."""
        found = (follow_up.rows_in_zip(batch) for follow_up in self.each)
        return next((rows for rows in found if rows is not None), None)

    def after_call(self, batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:
        """As `FollowUp.after_call`."""
        for follow_up in self.each:
            outcomes = follow_up.after_call(batch, outcomes)
        return outcomes

    def keep(self, job_id: str, batch: Batch) -> None:
        """As `FollowUp.keep`."""
        for follow_up in self.each:
            follow_up.keep(job_id, batch)

    def after_job(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:
        """As `FollowUp.after_job`."""
        for follow_up in self.each:
            outcomes = follow_up.after_job(job, outcomes)
        return outcomes

    def discard(self, job_id: str) -> None:
        """As `FollowUp.discard`."""
        for follow_up in self.each:
            follow_up.discard(job_id)
