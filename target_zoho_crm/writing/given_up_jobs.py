"""A job that a person waits for no longer: its result is still taken where it can be had, else its orders are due."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from sync_ledger.given_up_jobs import WAITS_AFTER
from sync_ledger.job_journal import JournalledJob
from sync_ledger.tables import OPEN_STEPS
from target_zoho_crm.api.client import JobAnswer, ZohoClient
from target_zoho_crm.api.codes import OF_EVERY_CALL
from target_zoho_crm.api.errors import ConfigurationError, Gone, TransientError
from target_zoho_crm.confirmation.stream_ledger import StreamLedger

Fetch = Callable[[JournalledJob, JobAnswer], Path | None]


class StillRunningError(Exception):
    """The job exists and its end was not seen: the next run adopts it."""


class GivenUpJobs:
    """Ends the wait for jobs of one stream. Safe for threads."""

    def __init__(self, client: ZohoClient, ledger: StreamLedger, fetch: Fetch) -> None:
        """`fetch` gives the result of a job that has ended."""
        self._client = client
        self._ledger = ledger
        self._fetch = fetch

    def result(self, job: JournalledJob, since: timedelta) -> Path | None:
        """The result of a job that was given up so long ago; None where its orders are due again.

        Raises:
            StillRunningError: it may still land, and less than a day has passed.
        """
        children = [child for child in self._ledger.child_jobs(job.job_id) if child.step in OPEN_STEPS]
        ended = [self._end_of(each) for each in (job, *children)]
        if all(ended):
            try:
                own = ended[0]
                # Jobs of lines or links that were given up with it are not waited for: all of it is sent again.
                return None if children or not isinstance(own, JobAnswer) else self._fetch(job, own)
            except StillRunningError:
                return None  # nobody can read it, and it cannot land any more
        if since >= WAITS_AFTER:
            return None
        hours = (WAITS_AFTER - since).total_seconds() / 3600
        raise StillRunningError(f"it was given up, and may still land: its orders are due in {hours:.1f} hours at last")

    def _end_of(self, job: JournalledJob) -> JobAnswer | bool:
        """The job as Zoho shows its end; True where Zoho knows none any more, False where no end is seen."""
        if job.zoho_job_id is None:
            return False
        try:
            answer = self._client.job(job.zoho_job_id)
        except Gone:
            return True
        except TransientError:
            return False
        except ConfigurationError as error:
            if error.code in OF_EVERY_CALL:
                raise
            return False
        return answer if answer.status.ended else False
