"""The org's limits as they hold for one of several workers: what it may do at once changes as others come and go."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import partial

from sync_databases.database_errors import DatabaseUnavailableError
from sync_ledger.leases import Lease
from sync_ledger.retry_schedules import SHARE_CHECK_SECONDS, SHARE_KEPT_SECONDS
from sync_ledger.worker_shares import Limit, WorkerShares
from target_zoho_crm.api.places import Places

logger = logging.getLogger("target-zoho-crm")


class WorkerLimits:
    """Keeps the places of a run at its part of the org's, from a thread of its own.

    Nothing is held, and the ledger is not asked, before the first place is wanted, and after a while without one.
    """

    def __init__(self, places: Mapping[Limit, Places]) -> None:
        """`places` are those of the whole org until `start`."""
        self._places = places
        self._over = threading.Event()
        self._asked = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, lease: Lease, org: str) -> None:
        """Begin without a place, by the first lease of the run; another one changes nothing."""
        if self._thread is not None:
            return
        most = {limit: places.most for limit, places in self._places.items()}
        shares = WorkerShares(lease.ledger, lease.run_id, org, most)
        for places in self._places.values():
            places.asked = self._asked
        self._grant(dict.fromkeys(self._places, 0))
        self._thread = threading.Thread(target=partial(self._keep, shares), name="worker-limits", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """End, and leave all places to others."""
        self._over.set()
        self._asked.set()
        if self._thread is not None:
            self._thread.join()

    def _keep(self, shares: WorkerShares) -> None:
        try:
            while not self._over.is_set():
                self._asked.wait()
                if not self._over.is_set():
                    self._hold(shares)
        finally:  # whatever ended this thread, nothing waits for it
            self._grant({limit: places.most for limit, places in self._places.items()})

    def _hold(self, shares: WorkerShares) -> None:
        """Look again and again, until nothing was wanted for a while."""
        idle = 0.0
        while not self._over.is_set():
            idle = 0.0 if self._asked.is_set() or self._in_use else idle + SHARE_CHECK_SECONDS
            self._asked.clear()
            if idle > SHARE_KEPT_SECONDS:
                self._grant(dict.fromkeys(self._places, 0))
                if not self._in_use:  # and nobody can take one any more
                    break
            self._take(shares)
            self._over.wait(SHARE_CHECK_SECONDS)
        try:
            shares.give_back()
        except DatabaseUnavailableError as error:
            logger.warning("The ledger does not know that this run's share of calls and jobs is free: %s", error)

    def _take(self, shares: WorkerShares) -> None:
        try:
            granted = shares.take({limit: places.held for limit, places in self._places.items()})
        except DatabaseUnavailableError as error:
            logger.warning("This run's share of calls and jobs stays as it is: %s", error)
            return
        self._grant(granted)

    def _grant(self, numbers: Mapping[Limit, int]) -> None:
        for limit, number in numbers.items():
            self._places[limit].grant(number)

    @property
    def _in_use(self) -> bool:
        return any(places.in_use for places in self._places.values())
