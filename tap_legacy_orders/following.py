"""Follow mode: the tap goes on until it is told to stop, polling for what has become unsynced.

It outlives the loss of its database, and says so; while nothing changes it sends STATE now and then, so that whoever
keeps the state is never far behind.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import sqlalchemy as sa
from singer_sdk import typing as th
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from sync_ledger.retry_schedules import (
    FOLLOW_FULL_PASS_SECONDS,
    FOLLOW_GATHERING_SECONDS,
    FOLLOW_POLL_SECONDS,
    FOLLOW_SHORTEST_POLL_SECONDS,
    FOLLOW_STATE_SECONDS,
    FOLLOWED_DATABASE,
)
from tap_legacy_orders.followed_orders import FollowedOrders
from tap_legacy_orders.pages import Page
from tap_legacy_orders.poll_wakeup import Waking
from tap_legacy_orders.tap_errors import OutputClosedError, TapSyncError

HEARTBEAT_SECONDS = FOLLOW_STATE_SECONDS
"""How often STATE is sent though nothing has changed: Meltano loses the last one when it is stopped."""

ROUND_SECONDS = FOLLOW_FULL_PASS_SECONDS
"""How often everything is read as by a single run: orders without a date, or dated far ahead, are only found so."""

PROPERTIES = (
    th.Property(
        "follow",
        th.BooleanType,
        default=False,
        title="Follow",
        description="Whether the tap goes on after the last order and sends changes as they come (docs/operating.md)",
    ),
    th.Property(
        "poll_interval_seconds",
        th.NumberType(minimum=0),
        default=FOLLOW_POLL_SECONDS,
        title="Poll interval",
        description="How often `follow` looks for changes",
    ),
)

Attach = Callable[[Iterator[Page]], Iterator[Page]]
"""Adds to pages what belongs to their orders."""


class Following:
    """The pages of a run that lasts."""

    def __init__(
        self,
        orders: FollowedOrders,
        attach: Attach,
        waking: Waking,
        *,
        poll_interval: float,
        forget_connections: Callable[[], None],
        send_state: Callable[[str | None], None],
        logger: logging.Logger,
    ) -> None:
        """`poll_interval` is in seconds; `forget_connections` is called when one was lost.

        `send_state` writes STATE with a bookmark, also if it says the same as the last one.
        """
        self._orders = orders
        self._attach = attach
        self._waking = waking
        self._interval = max(poll_interval, FOLLOW_SHORTEST_POLL_SECONDS)
        self._forget_connections = forget_connections
        self._send_state = send_state
        self._log = logger
        self._lost_since: float | None = None
        self._losses = 0
        self._state_at = 0.0
        self._round_at = 0.0

    def pages(self, bookmark: str | None) -> Iterator[Page]:
        """Give pages until the run is told to stop; `bookmark` is where an earlier run came to.

        Raises:
            TapSyncError: the first look failed, or a later one for a reason that does not pass by itself.
        """
        self._log.info("Following: a look each %g s, and STATE at least each %g s", self._interval, HEARTBEAT_SECONDS)
        worked = False
        while not self._waking.stopped:
            began, found = time.monotonic(), 0
            try:
                for page in self._look(bookmark):
                    found += page.count
                    self._state_at = time.monotonic() + HEARTBEAT_SECONDS
                    yield page
                    if self._waking.stopped:
                        return
            except TapSyncError as error:
                if not worked or not _passes(error):
                    raise
                self._lost(error)
                continue
            worked = True
            self._found_again()
            bookmark = self._orders.bookmark or bookmark
            if time.monotonic() >= self._state_at:
                self._state_at = time.monotonic() + HEARTBEAT_SECONDS
                self._send_state(bookmark)
            self._pause(began, 1 if found else self._orders.queries)

    def _look(self, bookmark: str | None) -> Iterator[Page]:
        if time.monotonic() < self._round_at:
            return self._attach(self._orders.news())
        pages = self._attach(self._orders.round(bookmark))
        self._round_at = time.monotonic() + ROUND_SECONDS
        return pages

    def _pause(self, began: float, intervals: int) -> None:
        """Wait for the next look; a look that found nothing pays one interval for each of its queries."""
        self._orders.listen(self._waking)
        told = self._waking.wait(max(0.0, began + self._interval * intervals - time.monotonic()))
        if told:
            self._waking.wait(self._orders.settle_seconds + FOLLOW_GATHERING_SECONDS)

    def _lost(self, error: TapSyncError) -> None:
        if self._lost_since is None:
            self._lost_since = time.monotonic()
        self._losses += 1
        pause = replace(FOLLOWED_DATABASE, first_pause=self._interval).pause_after(self._losses)
        self._round_at = 0.0
        self._log.warning("%s; trying again in %.1f s", error, pause)
        self._waking.deafen()
        self._forget_connections()
        self._waking.wait(pause)

    def _found_again(self) -> None:
        if self._lost_since is not None:
            self._log.info("The database answers again, after %.0f s", time.monotonic() - self._lost_since)
            self._lost_since, self._losses = None, 0


def _passes(error: TapSyncError) -> bool:
    """Whether a failure is one of the way to the database, which may mend itself."""
    if isinstance(error, OutputClosedError):
        return False
    cause = error.__cause__
    if isinstance(cause, DBAPIError):
        return cause.connection_invalidated or isinstance(cause, (OperationalError, InterfaceError))
    # Rows are taken from the driver itself, whose errors SQLAlchemy has not wrapped then.
    return isinstance(cause, (OSError, sa.exc.TimeoutError)) or type(cause).__name__ in {
        "OperationalError",
        "InterfaceError",
        "AdminShutdown",
    }
