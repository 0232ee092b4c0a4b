"""A call that fails as a whole for no clear reason: its orders are sent in parts until those that fail it are known.

An outage fails calls too, and must not be searched through. So there is a search only while something gets through; and
where no write of the stream has, one order is first sent alone, patiently. A search costs three times the credits of
its call at most: what it has narrowed down by then is kept in the ledger, and the next run goes on from there. Only an
order that failed alone is counted an attempt.
"""

from __future__ import annotations

import logging
import random
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from sync_databases.chunks import chunks_of
from sync_ledger.retry_schedules import API_CALLS, SEARCH_CREDITS_FACTOR, SPLIT_CALLS
from target_zoho_crm.api.codes import Family, OwnCode
from target_zoho_crm.api.costs import CREDIT_RECORDS, upsert_credits
from target_zoho_crm.api.errors import TransientError, UnattributedFailure, blames_nobody
from target_zoho_crm.api.limits import wait_or_stop
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.confirmation.unattributed_failures import UnattributedFailures
from target_zoho_crm.writing.split_search import find_failing

logger = logging.getLogger("target-zoho-crm")

Send = Callable[[Sequence[str]], list[Outcome]]
"""Sends some orders in one call that is not repeated where it fails for no clear reason: `UnattributedFailure`."""


class _CreditsSpentError(Exception):
    """The search has cost what it may."""


class SplitCall:
    """The orders of one call that failed, by key.

    `outcomes` are those of the orders sent since and of those in quarantine; `unsent` are the others.
    """

    def __init__(
        self,
        stream: str,
        versions: Mapping[str, str],
        send: Send,
        *,
        unattributed: UnattributedFailures,
        stop: threading.Event,
        known: bool = False,
    ) -> None:
        """Begin with all orders unsent; `unattributed` is what the run knows of such calls.

        `known`: an earlier run saw that these orders fail together, or that the only one does alone.
        """
        self.outcomes: list[Outcome] = []
        self.unsent = dict(versions)
        self._stream = stream
        self._send = send
        self._unattributed = unattributed
        self._stop = stop
        self._known = known
        self._credits_left = SEARCH_CREDITS_FACTOR * upsert_credits(len(versions))
        self._failing: Sequence[str] = list(versions)
        """The fewest orders that are known to fail together."""
        self._suspects: list[Sequence[str]] = []
        """Others that are."""
        self._failed_alone: str | None = None
        self._last: UnattributedFailure | None = None
        self._in_the_crm: dict[str, Outcome] = {}

    @property
    def has_failed(self) -> bool:
        """Whether a call with some of these orders has failed, which may have had its effect."""
        return self._last is not None

    def run(self) -> None:
        """Send all orders in one call, or in parts where that fails or is known to.

        Raises:
            ZohoError: what ended the search, an outage for one; what is unsent by then is nobody's fault.
        """
        if self._known and len(self.unsent) > 1:
            self._go_on()
            return
        began = time.monotonic()
        try:
            self._deliver(list(self.unsent))
        except UnattributedFailure as failure:
            if self._known:
                self._judge_alone(failure)
            else:
                self._search(failure, began)

    def _search(self, failure: UnattributedFailure, began: float) -> None:
        """Send all orders but those that fail the call, which was first sent at `began`."""
        self._note(failure)
        self._unattributed.check_outage(failure, began)
        logger.warning("Stream %r: %s; its %d orders are sent in parts", self._stream, failure, len(self.unsent))
        wait_or_stop(self._stop, SPLIT_CALLS.pause_after(1))
        self._go_on()

    def _go_on(self) -> None:
        """Do the same with orders that are known to fail together.

        Where an earlier search did not come to its end there are several that fail. Tens cost no more credits than one
        call of them all, and each of the failing ones is searched for itself.
        """
        self._failing = list(self.unsent)
        tens = list(chunks_of(self._failing, CREDIT_RECORDS)) if self._known else []
        try:
            if len(tens) > 1:
                self._failing = ()
                self._suspects = [ten for ten in tens if not self._passes(ten)]
            else:
                self._suspects = [self._failing]
            while self._suspects:
                self._failing = self._suspects.pop()
                self._find_in(self._failing)
        except _CreditsSpentError:
            self._leave_to_next_run()

    def _find_in(self, keys: Sequence[str]) -> None:
        for key in find_failing([key for key in keys if key in self.unsent], self._passes):
            # One that was left over by others that passed has not been sent alone yet.
            if key in self.unsent and not self._passes([key]):
                self._quarantine(key)
            self._failing = ()

    def _judge_alone(self, failure: UnattributedFailure) -> None:
        """Take the only order, which was known to fail and has failed alone again."""
        (key,) = self.unsent
        self._note(failure)
        self._unattributed.check_outage(failure)
        self._refuse(key, OwnCode.BREAKS_CALLS, None)

    def _passes(self, keys: Sequence[str]) -> bool:
        part = [key for key in keys if key in self.unsent]
        if part == [self._failed_alone]:
            return False
        if part and self._last is not None:
            self._unattributed.check_limit(self._last)
            with self._unattributed.probing:
                if self._unattributed.maybe_outage and len(self.unsent) > CREDIT_RECORDS:  # fewer cost no more by parts
                    self._probe(self._last)
        part = [key for key in part if key in self.unsent]
        if not part:
            return True
        self._pay(part)
        try:
            self._deliver(part)
        except UnattributedFailure as failure:
            self._note(failure)
            self._failing = part
            self._unattributed.check_outage(failure)
            self._failed_alone = part[0] if len(part) == 1 else None
            return False
        self._failing = [key for key in self._failing if key in self.unsent]
        return True

    def _pay(self, part: Sequence[str]) -> None:
        """Keep to the credits of a search; those for the orders that nothing is known against are not spent before."""
        others = len(self.unsent) - len(part) - sum(map(len, self._suspects))
        cost = upsert_credits(len(part))
        if cost + upsert_credits(others) > self._credits_left:
            raise _CreditsSpentError
        self._credits_left -= cost

    def _probe(self, last: UnattributedFailure) -> None:
        """Send one order alone, and if need be another one patiently, to learn whether any write goes through.

        Any two, by chance, so that orders which fail calls themselves do not stand in the way run after run.
        """
        first, second = random.sample(list(self.unsent), 2)
        self._pay_for_probe()
        try:
            self._deliver([first])
        except UnattributedFailure as failure:
            self._note(failure)
        else:
            return
        for attempt in range(1, min(API_CALLS.attempts, self._credits_left) + 1):
            self._credits_left -= 1
            try:
                self._deliver([second])
            except UnattributedFailure as failure:
                self._note(failure)
                if not isinstance(failure.plain, TransientError):
                    raise failure.plain from failure
                if attempt < API_CALLS.attempts:
                    wait_or_stop(self._stop, API_CALLS.pause_after(attempt))
            else:
                return
        self._unattributed.check_outage(last)
        self._quarantine(second)
        raise last.plain

    def _pay_for_probe(self) -> None:
        if not self._credits_left:
            raise _CreditsSpentError
        self._credits_left -= 1

    def _deliver(self, keys: Sequence[str]) -> None:
        try:
            outcomes = self._send(keys)
        except UnattributedFailure:
            raise
        except TransientError as error:
            if blames_nobody(error):
                raise UnattributedFailure(error) from error
            raise
        failed = {each.key: each for each in outcomes if each.code == OwnCode.CALL_FAILED}
        self.outcomes += [each for each in outcomes if each.key not in failed]
        for key in keys:
            if key not in failed:
                del self.unsent[key]
        if failed:  # they are in the CRM; calls for what belongs to them failed
            self._in_the_crm.update(failed)
            message = next(iter(failed.values())).message or ""
            raise UnattributedFailure(TransientError(OwnCode.CALL_FAILED, message))

    def _note(self, failure: UnattributedFailure) -> None:
        self._last = failure
        self._unattributed.failed()

    def _leave_to_next_run(self) -> None:
        """Send those that nothing is known against; the others are the next run's, those that fail together by name."""
        groups = [[key for key in group if key in self.unsent] for group in (self._failing, *self._suspects)]
        others = [key for key in self.unsent if key not in set().union(*groups)]
        if upsert_credits(len(others)) <= self._credits_left:
            try:
                if others:
                    self._deliver(others)
            except UnattributedFailure as failure:
                self._note(failure)
        groups.append([key for key in others if key in self.unsent])
        for group in filter(None, groups):
            name = uuid.uuid4().hex
            logger.warning("Stream %r: the next run goes on to search %d orders", self._stream, len(group))
            for key in group:
                self._refuse(key, OwnCode.CALL_FAILED, name)

    def _quarantine(self, key: str) -> None:
        """Put an order in quarantine: it is due again, alone, so that a wrong finding costs one more call."""
        self._unattributed.quarantined()
        self._refuse(key, OwnCode.BREAKS_CALLS, None)

    def _refuse(self, key: str, code: str, group: str | None) -> None:
        version = self.unsent.pop(key)
        in_the_crm = self._in_the_crm.get(key)
        outcome = in_the_crm or Outcome(key=key, version=version, status=Status.REJECTED, family=Family.TRANSIENT)
        what = f"calls with this order fail as a whole: {self._last.happened}" if self._last is not None else None
        self.outcomes.append(structs.replace(outcome, code=code, message=what, group=group))
