"""A stream's first contact with its destination: ten orders go by calls, are read back and compared, then the others.

What Zoho makes of a value (rounding, zones, pick lists, owners, automations) no document says for an org; ten orders
say it before sixty thousand are written. What only jobs do, the first job says before the second one begins. Values
never reach a log: `orders-sync accept` reads them again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection, Sequence
from enum import Enum

from sync_databases.waiting import CLOCK, Clock
from sync_ledger import first_contact
from sync_ledger.first_contact import FIRST_ORDERS
from sync_ledger.leases import Lease
from sync_ledger.retry_schedules import FIRST_CONTACT_SECONDS
from sync_ledger.tables import AckStatus
from target_zoho_crm.api.codes import OwnCode, ZohoCode
from target_zoho_crm.api.costs import CALL_RECORDS
from target_zoho_crm.api.errors import ConfigurationError, QuotaError, TransientError, stopped
from target_zoho_crm.batch import Batch, Channel
from target_zoho_crm.compare.difference_kinds import DifferenceKind
from target_zoho_crm.compare.records import Difference
from target_zoho_crm.confirmation.problem_summary import SAMPLE_KEYS
from target_zoho_crm.confirmation.stream_ledger import StreamLedger
from target_zoho_crm.delivery.contact_report import FirstContactError, by_kind, report
from target_zoho_crm.delivery.read_back import ReadBack
from target_zoho_crm.delivery.router import Router
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.stream_policy import StreamPolicy
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.workers import RunWorkers

ROUNDS = 10
"""So many times ten orders go by themselves where Zoho refuses them: a run of refused orders ends some time."""

_OTHER_MATCH = frozenset({OwnCode.KEY_CONFLICT.value, ZohoCode.DUPLICATE_DATA.value})

logger = logging.getLogger("target-zoho-crm")


class Phase(Enum):
    """How far a first contact has come."""

    CALLS = "calls"
    """The first ten orders go by calls, and are compared."""
    FIRST_JOB = "first job"
    """The first job is awaited and compared before a second one begins."""
    OVER = "over"


class FirstContact:
    """The first contact of one stream in one run."""

    def __init__(
        self,
        policy: StreamPolicy,
        read_back: ReadBack,
        *,
        lease: Lease,
        ledger: StreamLedger,
        workers: RunWorkers,
        stop: threading.Event,
        begin: Callable[[], int | None],
        expected: int | None,
        clock: Clock = CLOCK,
    ) -> None:
        """`begin` waits for other workers, and says how many orders are compared; None: no contact is to be made.

        `expected` is how many orders this run will have, as far as that is known.
        """
        self._policy = policy
        self._read_back = read_back
        self._lease = lease
        self._ledger = ledger
        self._workers = workers
        self._stop = stop
        self._clock = clock
        self._begin = begin
        self._compared = 0
        self._expected = expected
        self._sent: list[Batch] = []
        self._matched: list[Difference] = []
        self._sent_at = 0.0
        self._rounds = 0
        self._taken = 0
        self._first_job: int | None = None
        self._sample: Batch | None = None
        self._has_unseen_job = False
        self._is_ours = False
        self._phase = Phase.OVER
        self._take()

    def _take(self) -> None:
        """Make the first contact, or go on with it, once no other worker makes it. Raises as `begin` does."""
        compared = self._begin()
        if compared is None:
            self._phase = Phase.OVER
            return
        self._is_ours, self._compared = True, compared
        if compared >= FIRST_ORDERS:
            self._phase = Phase.FIRST_JOB
        elif self._phase is Phase.OVER:  # else a batch of a job may be on its way here
            self._phase = Phase.CALLS

    @property
    def is_open(self) -> bool:
        """Whether orders go by `send` of this class still."""
        return self._phase is not Phase.OVER

    def begin_schema(self, lines: CompiledLines | None) -> None:
        """Go on under another schema; what was sent under the one before is compared. Raises as `settle_full`."""
        self._settle()
        self._read_back.begin_schema(lines)

    def most(self, batch_orders: int, router: Router) -> int:
        """With how many orders the next batch is full, where `batch_orders` fill one else.

        The first job is what is left of the load beside full jobs, where that pays: so no further job is paid for it.
        """
        if self._phase is Phase.CALLS:
            return min(self._room, batch_orders)
        if self._phase is Phase.OVER:
            return batch_orders
        if self._first_job is None:
            if not router.goes_by_jobs(batch_orders):
                if self._is_ours:
                    self._end()  # no batch goes by a job
                self._phase = Phase.OVER
                return batch_orders
            left = 0 if self._expected is None else self._expected - self._taken
            rest = left % batch_orders if left > batch_orders else 0
            self._first_job = rest if rest and router.goes_by_jobs(rest) else batch_orders
        return self._first_job

    @property
    def _room(self) -> int:
        """How many orders may still be written before the first ones are compared."""
        return FIRST_ORDERS - self._compared - sum(len(batch.entries) for batch in self._sent) - len(self._matched)

    @property
    def may_be_left(self) -> bool:
        """Whether orders may be left to another worker: the first ones are compared, or are to be sent first."""
        return self._phase is not Phase.CALLS

    def leave_job(self) -> None:
        """Note that another worker sends what may be the first job, and compares it."""
        self._has_unseen_job = True

    def send(self, batch: Batch, router: Router) -> None:
        """Send some of the first orders, or what may be the first job, and wait for their outcomes.

        Orders that are refused are not counted.

        Raises:
            FirstContactError: what the first job wrote differs, in a way that nobody has accepted.
            ZohoError, DatabaseError, RejectedError: what ends the run.
        """
        self._taken += len(batch.entries)
        if not self._is_ours and (self._phase is Phase.CALLS or router.goes_by_jobs(len(batch.entries))):
            self._take()
        if self._phase is Phase.CALLS:
            self._send_some(batch, router)
        elif self._phase is Phase.FIRST_JOB:
            self._send_first_job(batch, router)
        else:  # another worker made it
            router.send(batch)

    def _send_some(self, batch: Batch, router: Router) -> None:
        """Send some of the first orders by calls, and wait for their outcomes."""
        if self._compared + self._rounds == 0 and batch.entries and self._policy.operation is not Operation.UPDATE:
            self._look_for_another_ledger(batch)
        router.send(batch, Channel.UPSERT)
        self._workers.wait()
        self._rounds += 1
        self._note_others(batch)
        there = self._synced(batch)
        if there.entries:
            older = (each.without(there.entries) for each in self._sent)  # what they hold was overwritten
            self._sent = [*(each for each in older if each.entries), there]
            self._sent_at = self._clock.seconds()

    def _look_for_another_ledger(self, batch: Batch) -> None:
        """Say that orders of which this ledger knows nothing were written with its rights: it seems not to be kept."""
        try:
            written = self._read_back.written_by_us_of_late(batch)
        except (ConfigurationError, QuotaError, TransientError) as error:  # a warning that is not worth a run
            logger.info("Stream %r: whether another ledger writes here cannot be asked: %s", self._policy.stream, error)
            return
        if written:
            logger.warning(
                "Stream %r: %d of its first %d orders are in module %s already, written within a day by this token's "
                "user, and this ledger knows of none: another ledger writes there, or this one is not kept from run "
                "to run (`ack_url`), or was forgotten",
                self._policy.stream,
                written,
                len(batch.entries),
                self._policy.module,
            )

    def _send_first_job(self, batch: Batch, router: Router) -> None:
        """Send by one job what one takes, and once it is compared the others; by calls what no job takes."""
        while batch.entries and self._phase is Phase.FIRST_JOB:
            first, channel = router.first_job(batch)
            batch = batch.without(first.entries)
            self._send_by_one_job(first, channel, router)
        router.send(batch)

    def _send_by_one_job(self, batch: Batch, channel: Channel | None, router: Router) -> None:
        """Where it goes by a job: wait for it, read a sample of it back, and let the others go."""
        sample = _sample_of(batch)
        unique = sample.mapping.matches_by_more and self._policy.operation is Operation.UPSERT
        by_jobs = router.goes_by_jobs(len(batch.entries)) or channel is Channel.BULK_WRITE
        before = self._keys_there(sample) if unique and by_jobs else None
        router.send(batch, channel)
        if not (by_jobs and self._workers.jobs.busy):  # a job of an earlier run may be at work too
            return
        logger.info(
            "Stream %r: the first job is awaited and compared, before a second one begins (`first_contact`)",
            self._policy.stream,
        )
        self._workers.wait()
        written = self._synced(sample)
        if not written.entries:
            self._has_unseen_job = True  # left to the next run, or refused as a whole: the next one shows what jobs do
            return
        self._sample = written
        found = self._differences([written], before)
        if found is not None:
            self._judge(found, "the first job's orders", "No second job began.")
        self._phase = Phase.OVER

    def _keys_there(self, batch: Batch) -> Collection[str] | None:
        """The keys that the CRM has before the job; None where the token may not ask for them."""
        try:
            return self._read_back.keys_there(batch)
        except ConfigurationError as error:
            logger.info(
                "Stream %r: which orders are in the CRM already cannot be asked: %s", self._policy.stream, error
            )
            return None

    def _synced(self, batch: Batch) -> Batch:
        known = self._ledger.known_records(batch.entries)
        return batch.only([key for key in batch.entries if key in known and known[key].status is AckStatus.SYNCED])

    def _note_others(self, batch: Batch) -> None:
        """Note orders for which the CRM found a record that is another's: a job would have written to it."""
        if self._policy.operation is not Operation.UPSERT:
            return
        key_field = batch.mapping.key_field.api_name.casefold()
        for key, (code, name) in first_contact.refused_fields(self._lease, batch.entries).items():
            if code in _OTHER_MATCH and name.casefold() != key_field:
                self._matched.append(Difference(key, name, DifferenceKind.OTHER_MATCH, None, None))

    def settle_full(self) -> None:
        """Once the first orders are all in the CRM: wait, read them back, and compare.

        Raises:
            FirstContactError: what is held differs, in a way that nobody has accepted.
            ZohoError, DatabaseError: they cannot be read, or what was found cannot be noted.
        """
        if self._phase is not Phase.CALLS:
            return
        if self._room <= 0:
            rest = FIRST_CONTACT_SECONDS - (self._clock.seconds() - self._sent_at)
            if rest > 0:
                logger.info(
                    "Stream %r: the first %d orders are in the CRM; they are read back in %.0f s and compared, before "
                    "the others go (`first_contact`)",
                    self._policy.stream,
                    FIRST_ORDERS,
                    rest,
                )
                self._clock.wait(rest, self._stop)
            if self._stop.is_set():
                raise stopped()
            self._settle()
        elif self._rounds >= ROUNDS:
            self._end()  # nothing is to be learned from orders that Zoho refuses

    def settle_aged(self) -> None:
        """Compare what has lain in the CRM for long enough, without waiting. Raises as `settle_full`.

        A run that lasts may have nothing more to compare for days, and leaves the contact to other workers meanwhile.
        """
        if self._sent and self._clock.seconds() - self._sent_at >= FIRST_CONTACT_SECONDS:
            self._settle()
        if self._policy.continuous and self._is_ours and self.is_open and not (self._sent or self._matched):
            self._is_ours = not first_contact.leave(self._lease)

    def at_end(self, *, whole: bool) -> Sequence[str]:
        """Compare what was sent so far, and the first job once more; gives the lines of `FirstContactError`, if any.

        `whole`: all records have come, so that no job is to be awaited any more.
        """
        try:
            self._settle()
            if self._sample is not None and not self._policy.continuous:  # else it is days old by now
                found = self._differences([self._sample])
                if found is not None:
                    self._judge(found, "the first job's orders", "All were sent.")
            elif self._phase is Phase.FIRST_JOB and self._is_ours and whole and not self._has_unseen_job:
                self._end()
        except FirstContactError as error:
            return error.lines
        except (TransientError, QuotaError) as error:  # what was sent is settled, whatever a look at it says
            logger.warning("Stream %r: the first orders could not be read back: %s", self._policy.stream, error)
        return ()

    def _differences(self, batches: Sequence[Batch], before: Collection[str] | None = None) -> list[Difference] | None:
        """What the CRM holds otherwise; None where the token may not read, which ends the contact."""
        try:
            return [each for batch in batches for each in self._read_back.differences(batch, before)]
        except ConfigurationError as error:
            logger.warning("Stream %r: the first orders cannot be compared, and go on: %s", self._policy.stream, error)
            self._end()
            return None

    def _end(self) -> None:
        first_contact.end(self._lease)
        self._phase = Phase.OVER

    def _settle(self) -> None:
        """Compare the first orders that were sent so far, at once. Raises as `settle_full`."""
        if not (self._sent or self._matched):
            return
        batches, self._sent = self._sent, []
        matched, self._matched = self._matched, []
        count = sum(len(batch.entries) for batch in batches) + len(matched)
        found = self._differences(batches)
        if found is None:
            return
        self._compared += count
        if self._compared >= FIRST_ORDERS:
            self._phase = Phase.FIRST_JOB
        self._judge([*found, *matched], f"the first {count} orders", "No other order was sent.")

    def _judge(self, differences: Sequence[Difference], which: str, how_far: str) -> None:
        """Note what was found, and end the run where nobody has accepted it.

        Raises:
            FirstContactError: as it says.
        """
        found = by_kind(differences)
        left = first_contact.note(
            self._lease,
            self._compared,
            {kind: each.keys[:SAMPLE_KEYS] for kind, each in found.items()},
            is_over=self._sample is not None,
        )
        if left:
            self._phase = Phase.OVER
            raise FirstContactError(report(self._policy.stream, {kind: found[kind] for kind in left}, which, how_far))
        logger.info(
            "Stream %r: first contact: %s were read back, and hold what was sent%s",
            self._policy.stream,
            which,
            f", but for {len(found)} differences that were accepted" if found else "",
        )


def _sample_of(batch: Batch) -> Batch:
    """A hundred orders at even distances: as many as one call reads."""
    keys = list(batch.entries)
    return batch.only(keys[:: max(1, len(keys) // CALL_RECORDS)][:CALL_RECORDS])
