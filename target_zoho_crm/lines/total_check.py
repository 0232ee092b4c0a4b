"""The total that the CRM computes of an order's line items, compared with the legacy order's own.

Both are read back once the lines are written: what counts is what the CRM holds, however it rounds.
"""

from __future__ import annotations

import logging
from decimal import Decimal
from typing import Any

from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.api.codes import Family, OwnCode
from target_zoho_crm.api.errors import TransientError
from target_zoho_crm.batch import Batch
from target_zoho_crm.confirmation.outcomes import Outcome, ids_of
from target_zoho_crm.lines.line_settings import GRAND_TOTAL, OnTotalMismatch
from target_zoho_crm.writing.child_failures import LINES, ChildFailure, ChildFailures, unknown, with_failures
from target_zoho_crm.writing.records_read import RecordsRead

logger = logging.getLogger("target-zoho-crm")

SAMPLE_ORDERS = 3


class TotalCheck:
    """Follows orders up by a look at their totals; last of all, since it is about what the lines have become."""

    def __init__(self, stream: str, field: str, on_mismatch: OnTotalMismatch, records: RecordsRead) -> None:
        """`field` is the order's own field that holds the legacy total."""
        self._stream = stream
        self._field = field
        self._on_mismatch = on_mismatch
        self._records = records

    def refuse(self, batch: Batch) -> tuple[Batch, list[Outcome]]:
        """Refuse none."""
        return batch, []

    @property
    def comes_with_new(self) -> bool:
        """Nothing is written here."""
        return False

    def with_new(self, batch: Batch) -> dict[str, dict[str, Any]]:  # noqa: ARG002 - as `FollowUp` has it
        """Nothing."""
        return {}

    def rows_in_zip(self, batch: Batch) -> None:
        """Nothing."""

    def after_call(self, batch: Batch, outcomes: list[Outcome]) -> list[Outcome]:  # noqa: ARG002 - as `FollowUp` has it
        """Compare the totals of the orders that are written; 1 credit for 100 of them."""
        return self._compared(outcomes)

    def after_job(self, job: JournalledJob, outcomes: list[Outcome]) -> list[Outcome]:  # noqa: ARG002 - as `FollowUp` has it
        """The same for those of a job."""
        return self._compared(outcomes)

    def _compared(self, outcomes: list[Outcome]) -> list[Outcome]:
        ids = ids_of(outcomes)
        if not ids:
            return outcomes
        try:
            found = self._records.by_id(list(ids.values()), [self._field, GRAND_TOTAL])
        except TransientError as error:
            if self._on_mismatch is OnTotalMismatch.WARN:
                logger.warning("Stream %r: totals of %d orders were not compared: %s", self._stream, len(ids), error)
                return outcomes
            failures = ChildFailures()
            failures.add(unknown("its total could not be read back", LINES), *ids)
            return with_failures(outcomes, failures)
        wrong = {
            order: said for order, id_ in ids.items() if (said := self._difference(found.get(id_, {}))) is not None
        }
        if not wrong:
            return outcomes
        if self._on_mismatch is OnTotalMismatch.REJECT:
            failures = ChildFailures()
            for order, said in wrong.items():
                failures.add(ChildFailure(OwnCode.TOTAL_DIFFERS, Family.DATA, GRAND_TOTAL, said), order)
            return with_failures(outcomes, failures)
        shown = ", ".join(f"order {order!r}: {said}" for order, said in list(wrong.items())[:SAMPLE_ORDERS])
        more = ", ..." if len(wrong) > SAMPLE_ORDERS else ""
        logger.warning("Stream %r: the totals of %d orders differ (%s%s)", self._stream, len(wrong), shown, more)
        return outcomes

    def _difference(self, record: dict[str, Any]) -> str | None:
        """What is to be said of a record whose totals differ; a total that is not there is not compared."""
        ours, theirs = record.get(self._field), record.get(GRAND_TOTAL)
        if ours is None or theirs is None or Decimal(str(ours)) == Decimal(str(theirs)):
            return None
        return f"{GRAND_TOTAL} is {theirs}, and {self._field} {ours}"

    def keep(self, job_id: str, batch: Batch) -> None:
        """Keep nothing."""

    def discard(self, job_id: str) -> None:
        """Nothing was kept."""
