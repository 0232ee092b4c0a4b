"""Where one stream's orders go, and what is done with each outcome: the part that both writers share."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import Family, OwnCode
from target_zoho_crm.api.errors import QuotaError, TransientError, ZohoError, request_error
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.batch import Batch, Channel, PendingRecords
from target_zoho_crm.confirmation.failed_calls import FailedCalls
from target_zoho_crm.confirmation.in_flight import InFlight
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.problem_summary import Problems
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.confirmation.sync_flags import SyncFlags, unflagged
from target_zoho_crm.confirmation.unattributed_failures import UnattributedFailures
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.write_settings import Automations, Operation
from target_zoho_crm.writing.records_by_key import RecordsByKey

logger = logging.getLogger("target-zoho-crm")


class OnRejection(StrEnum):
    """What a refused record does to the run."""

    SKIP = "skip"
    FAIL = "fail"
    FAIL_FAST = "fail_fast"


class RejectedError(Exception):
    """A record was refused and the user wants no run to go past that."""


@dataclass(frozen=True)
class Destination:
    """One stream's module in the CRM, with all that writing to it needs."""

    stream: str
    module: str
    client: ZohoClient
    stop: threading.Event
    ledger: StreamLedger
    folding: KeyFolding
    in_flight: InFlight
    state_gate: StateGate
    problems: Problems
    on_rejection: OnRejection
    credits: CreditMeter
    automations: Automations
    ignore_empty: bool
    operation: Operation
    records: RecordsByKey
    continuous: bool = False
    """Whether no next run is to be waited for: what was left is taken up again by this one."""
    flags: SyncFlags | None = None
    """Where the tap goes by a flag in the orders' table: it is set after the ack."""
    callback_url: str | None = field(default=None, repr=False)
    failed_calls: FailedCalls = field(default_factory=FailedCalls)
    unattributed_failures: UnattributedFailures = field(default_factory=UnattributedFailures)

    def conclude(
        self,
        pending: PendingRecords | None,
        outcomes: Sequence[Outcome],
        channel: Channel | None,
        job: JournalledJob | None = None,
        payload_hashes: Mapping[str, str] | None = None,
    ) -> None:
        """Write outcomes to the ledger, then count them; only then may STATE pass their records.

        Raises:
            ConfigurationError, QuotaError: Zoho refused one for a reason that no record is to blame for.
            RejectedError: one was refused and `on_rejection` is fail_fast; the ledger knows all of them by then.
        """
        confirmed = self.ledger.confirm(outcomes, channel, job, payload_hashes)
        if self.flags is not None:
            self.flags.set(confirmed.in_the_crm)
        if pending is not None:  # else an earlier run has read these records, and they are not of this run's sum
            self.state_gate.confirmed(pending, (*confirmed.in_the_crm, *confirmed.refused), confirmed.due_again)
        if len(confirmed.in_the_crm) == len(outcomes):
            return
        self.problems.note(self.stream, confirmed.refused)
        stopping = next((each for each in outcomes if each.status is Status.UNSYNCED), None)
        if stopping is not None:
            raise request_error(stopping.code or "", where=f"stream {self.stream!r}, order {stopping.key!r}")
        refused = next((each for each in confirmed.refused if _is_refusal(each)), None)
        if refused is not None and self.on_rejection is OnRejection.FAIL_FAST:
            raise RejectedError(
                f"stream {self.stream!r}, order {refused.key!r}: {refused.code}"
                f"{f' in field {refused.field}' if refused.field else ''}; on_rejection is fail_fast"
            )

    def without_unflagged(self, batch: Batch) -> Batch:
        """Set the flags of orders that are in the CRM at this very version; gives the others."""
        if self.flags is None:
            return batch
        versions = batch.manifest
        known = self.ledger.synced_at(versions)
        if not known:
            return batch
        outcomes = unflagged({key: versions[key] for key in known})
        self.flags.set(outcomes)
        self.state_gate.confirmed(batch.pending, outcomes, 0)
        return batch.without(known)

    def due_again(self, pending: PendingRecords | None, orders: int) -> None:
        """Count orders that the ledger now holds as due again; a lasting run lets STATE pass them.

        The tap finds them by the ledger, wherever its bookmark stands.
        """
        if self.continuous and pending is not None:
            self.state_gate.due_again(pending, orders)

    def ends_budget(self, error: ZohoError) -> bool:
        """Whether an error says that our own budget is spent: what it kept from being sent is left to the next run."""
        if error.code != OwnCode.CREDIT_BUDGET:
            return False
        self.credits.run_short()
        return True

    def call_failed(self, error: TransientError | QuotaError) -> None:
        """Note a call that failed as a whole, or that our own budget has no credits for.

        Raises:
            QuotaError: nothing more can be sent, and not for our own budget.
        """
        of_budget = self.ends_budget(error)
        if isinstance(error, QuotaError) and not of_budget:
            raise error
        if not of_budget:
            self.failed_calls.failed(error)

    def left_unsynced(self, batch: Batch, error: ZohoError) -> None:
        """Let go of orders that could not be sent; the next run reads them again."""
        self.failed_calls.failed(error)
        if not batch.entries:
            return
        if self.continuous:  # no next run: the ledger holds them as due, and the tap sends them again
            outcomes = [
                Outcome(
                    key,
                    entry.version,
                    Status.REJECTED,
                    code=error.code,
                    message=error.happened,
                    family=Family.TRANSIENT,
                )
                for key, entry in batch.entries.items()
            ]
            self.conclude(batch.pending, outcomes, Channel.UPSERT)
            logger.warning("%d orders of stream %r are due again: %s", len(outcomes), self.stream, error)
            return
        logger.warning(
            "%d orders of stream %r are left unsynced, the next run sends them: %s",
            len(batch.entries),
            self.stream,
            error,
        )


def _is_refusal(outcome: Outcome) -> bool:
    return outcome.status in {Status.REJECTED, Status.PARKED} and outcome.family is not Family.TRANSIENT
