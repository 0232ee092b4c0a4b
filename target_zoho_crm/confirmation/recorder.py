"""What is done with outcomes: acks and journal first, then flags, counts, and the STATE that waits for them."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence

from sync_ledger.job_journal import JournalledJob
from target_zoho_crm.api.code_kinds import Place
from target_zoho_crm.api.codes import Family, OwnCode
from target_zoho_crm.api.errors import QuotaError, TransientError, ZohoError, blames_nobody, request_error
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.batch import Batch, Channel, PendingRecords
from target_zoho_crm.confirmation.failed_calls import FailedCalls
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.problem_summary import Problems
from target_zoho_crm.confirmation.sent_contents import SentContents
from target_zoho_crm.confirmation.state_gate import StateGate
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.confirmation.sync_flags import SyncFlags, unflagged
from target_zoho_crm.stream_policy import OnRejection, StreamPolicy

logger = logging.getLogger("target-zoho-crm")


class RejectedError(Exception):
    """A record was refused and the user wants no run to go past that."""


class Recorder:
    """Records what became of one stream's orders, and of the calls that were to write them. Safe for threads."""

    def __init__(
        self,
        policy: StreamPolicy,
        *,
        ledger: StreamLedger,
        state_gate: StateGate,
        problems: Problems,
        credits: CreditMeter,  # noqa: A002 - the field's word
        flags: SyncFlags | None = None,
        contents: SentContents | None = None,
    ) -> None:
        """`flags` where the tap goes by a flag in the orders' table: it is set after the ack.

        `contents` are those of what is sent.
        """
        self._policy = policy
        self._ledger = ledger
        self._state_gate = state_gate
        self._problems = problems
        self._credits = credits
        self._flags = flags
        self._contents = contents or SentContents(None)
        self._failed_calls = FailedCalls(continuous=policy.continuous)

    # Outcomes

    def record(
        self,
        pending: PendingRecords | None,
        outcomes: Sequence[Outcome],
        channel: Channel | None,
        job: JournalledJob | None = None,
        payload_hashes: Mapping[str, str] | None = None,
    ) -> None:
        """Write outcomes to the ledger, then count them; only then may STATE pass their records.

        `pending` None: an earlier run has read these records, and they are not of this run's sum.

        Raises:
            ConfigurationError, QuotaError: Zoho refused one for a reason that no record is to blame for.
            RejectedError: one was refused and `on_rejection` is fail_fast; the ledger knows all of them by then.
        """
        rows = {} if self._flags is None else self._rows_sent(outcomes, adopted=pending is None)
        confirmed = self._ledger.confirm(outcomes, channel, job, payload_hashes)
        if self._flags is not None:
            self._flags.set(confirmed.in_the_crm, rows)
        if pending is not None:
            held = [each for each in confirmed.refused if self._is_held(each)]
            settled = [each for each in confirmed.refused if not self._is_held(each)] if held else confirmed.refused
            self._state_gate.confirmed(pending, (*confirmed.in_the_crm, *settled), confirmed.due_again - len(held))
            self._failed_calls.left(len(held))
        if len(confirmed.in_the_crm) == len(outcomes):
            return
        stream = self._policy.stream
        self._problems.note(stream, [each for each in confirmed.refused if each.status is not Status.HELD])
        stopping = next((each for each in outcomes if each.status is Status.UNSYNCED), None)
        if stopping is not None:
            where = f"stream {stream!r}, order {stopping.key!r}"
            raise request_error(stopping.code or "", where=where, place=Place.ROW)
        refused = next((each for each in confirmed.refused if _is_refusal(each)), None)
        if refused is not None and self._policy.on_rejection is OnRejection.FAIL_FAST:
            raise RejectedError(
                f"stream {stream!r}, order {refused.key!r}: {refused.code}"
                f"{f' in field {refused.field}' if refused.field else ''}; on_rejection is fail_fast"
            )

    def _rows_sent(self, outcomes: Sequence[Outcome], *, adopted: bool) -> dict[str, str | None]:
        """What is known of the rows of orders that may change without another version; None where nothing is."""
        keys = [outcome.key for outcome in outcomes]
        if adopted:
            return dict.fromkeys(self._ledger.keys_with_content(keys))
        return self._contents.rows_among(keys)

    def _is_held(self, outcome: Outcome) -> bool:
        """Whether STATE must not pass an order: nobody is known to be at fault, and its tap does not ask the ledger."""
        return not self._policy.due_by_ledger and outcome.code in (OwnCode.CALL_FAILED, OwnCode.UPLOAD_FAILED)

    def set_missing_flags(self, batch: Batch) -> Batch:
        """Set the flags of orders that are in the CRM at this very version; gives the others."""
        if self._flags is None:
            return batch
        versions = batch.manifest
        known = self._ledger.synced_at(versions)
        if not known:
            return batch
        outcomes = unflagged({key: versions[key] for key in known})
        self._flags.set(outcomes, self._rows_sent(outcomes, adopted=False))
        self._contents.settled(known)
        self._state_gate.confirmed(batch.pending, outcomes, 0)
        return batch.without(known)

    def due_again(self, pending: PendingRecords | None, orders: int) -> None:
        """Count orders that the ledger now holds as due again; a lasting run lets STATE pass them.

        The tap finds them by the ledger, wherever its bookmark stands.
        """
        if self._policy.continuous and pending is not None:
            self._state_gate.due_again(pending, orders)

    def leave_unsynced(self, batch: Batch, error: ZohoError) -> None:
        """Leave orders that could not be sent to the next run, which reads them again.

        Raises:
            Exception: `error` itself, when nothing gets through any more.
        """
        self._failed_calls.failed(error)
        if not batch.entries:
            return
        stream = self._policy.stream
        if self._policy.continuous:  # no next run: the ledger holds them as due, and the tap sends them again
            code, message = OwnCode.CALL_FAILED.value if blames_nobody(error) else error.code, error.happened
            outcomes = [
                Outcome(key, entry.version, Status.REJECTED, code=code, message=message, family=Family.TRANSIENT)
                for key, entry in batch.entries.items()
            ]
            self.record(batch.pending, outcomes, Channel.UPSERT)
            logger.warning("%d orders of stream %r are due again: %s", len(outcomes), stream, error)
            return
        logger.warning(
            "%d orders of stream %r are left unsynced, the next run sends them: %s", len(batch.entries), stream, error
        )

    # Calls

    def left_waiting(self, orders: int) -> None:
        """Note orders, if any, whose calls failed while no write got through: the run is not complete."""
        self._failed_calls.left(orders)

    @property
    def calls_failed(self) -> int:
        """How many calls have failed as a whole in this run."""
        return self._failed_calls.total

    def call_succeeded(self) -> None:
        """Note that a call got through."""
        self._failed_calls.succeeded()

    def call_failed(self, error: TransientError | QuotaError, *, settled: bool = False) -> None:
        """Note a call that failed as a whole, or that our own budget has no credits for.

        `settled`: its orders are due again, so that the run is complete without them.

        Raises:
            QuotaError: nothing more can be sent, and not for our own budget.
            TransientError: `error` itself, when nothing gets through any more.
        """
        of_budget = self.ends_budget(error)
        if isinstance(error, QuotaError) and not of_budget:
            raise error
        if not of_budget:
            self._failed_calls.failed(error, settled=settled)

    def ends_budget(self, error: ZohoError) -> bool:
        """Whether an error says that our own budget is spent: what it kept from being sent is left to the next run."""
        if error.code != OwnCode.CREDIT_BUDGET:
            return False
        self._credits.run_short()
        return True


def _is_refusal(outcome: Outcome) -> bool:
    return outcome.status in {Status.REJECTED, Status.PARKED} and outcome.family is not Family.TRANSIENT
