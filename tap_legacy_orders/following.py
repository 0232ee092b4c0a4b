"""Follow mode: the tap goes on until it is stopped, polling for what has become unsynced.

It outlives the loss of its database, and logs it; while nothing changes it sends STATE now and then, so that whoever
keeps the state is never far behind.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Protocol

import sqlalchemy as sa
from singer_sdk import typing as th
from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError

from sync_ledger.retry_schedules import (
    COMPARISON_SECONDS,
    FOLLOW_FULL_PASS_SECONDS,
    FOLLOW_GATHERING_SECONDS,
    FOLLOW_POLL_SECONDS,
    FOLLOW_SHORTEST_POLL_SECONDS,
    FOLLOW_STATE_SECONDS,
    FOLLOWED_DATABASE,
)
from tap_legacy_orders.followed_orders import FollowedOrders
from tap_legacy_orders.pages import Page
from tap_legacy_orders.poll_wakeup import PollWakeup
from tap_legacy_orders.tap_errors import OutputClosedError, TapConfigError, TapSyncError

HEARTBEAT_SECONDS = FOLLOW_STATE_SECONDS
"""How often STATE is sent though nothing has changed: Meltano loses the last one when it is stopped."""

FULL_PASS_SECONDS = FOLLOW_FULL_PASS_SECONDS
"""How often everything is read as by a single run: only that finds orders without a date, or dated far ahead."""


def refuse_unfit(*, follows: bool, find_deleted: bool) -> None:
    """Refuse what does not go with `follow`.

    Raises:
        TapConfigError: `find_deleted` is set: deletions are found when a run ends.
    """
    if follows and find_deleted:
        raise TapConfigError("find_deleted: deletions are found by runs that end; set it without `follow`")


PROPERTIES = (
    th.Property(
        "follow",
        th.BooleanType,
        default=False,
        title="Follow",
        description="Whether the tap goes on after the last order and sends changes as they come (docs/running.md)",
    ),
    th.Property(
        "poll_interval_seconds",
        th.NumberType(minimum=0),
        default=FOLLOW_POLL_SECONDS,
        title="Poll interval",
        description="How often `follow` polls for changes",
    ),
    th.Property(
        "notify_table",
        th.StringType,
        title="Notifying table",
        description="The table whose trigger wakes `follow`, where `orders_table` is a view; may be schema.table",
    ),
)

Attach = Callable[[Iterator[Page]], Iterator[Page]]
"""Adds to pages what belongs to their orders."""


class Comparison(Protocol):
    """When every order is compared again, where the filter asks for it (`stream_state.py`)."""

    def due_in(self) -> float | None:
        """In how many seconds; None: never."""

    def begin(self) -> None:
        """Note that it begins."""


class Following:
    """The pages of a run that lasts."""

    def __init__(
        self,
        orders: FollowedOrders,
        attach: Attach,
        wakeup: PollWakeup,
        *,
        poll_interval: float,
        forget_connections: Callable[[], None],
        send_state: Callable[[str | None], None],
        comparison: Comparison,
        logger: logging.Logger,
    ) -> None:
        """`poll_interval` is in seconds; `forget_connections` is called when one was lost.

        `send_state` writes STATE with a bookmark, also if it equals the last one.
        """
        self._orders = orders
        self._attach = attach
        self._wakeup = wakeup
        self._interval = max(poll_interval, FOLLOW_SHORTEST_POLL_SECONDS)
        self._forget_connections = forget_connections
        self._send_state = send_state
        self._comparison = comparison
        self._compare_at = math.inf
        self._log = logger
        self._lost_since: float | None = None
        self._losses = 0
        self._state_at = 0.0
        self._full_pass_at = 0.0

    def pages(self, bookmark: str | None) -> Iterator[Page]:
        """Give pages until the run is stopped; `bookmark` is where an earlier run came to.

        Raises:
            TapSyncError: the first poll failed, or a later one for a reason that does not pass by itself.
        """
        self._log.info("Following: a poll every %g s, and STATE at least every %g s", self._interval, HEARTBEAT_SECONDS)
        worked = False
        pause = self._comparison.due_in()
        self._compare_at = math.inf if pause is None else time.monotonic() + pause
        while not self._wakeup.stopped:
            began, found = time.monotonic(), 0
            try:
                for page in self._poll(bookmark):
                    found += page.count
                    self._state_at = time.monotonic() + HEARTBEAT_SECONDS
                    yield page
                    if self._wakeup.stopped:
                        return
            except TapSyncError as error:
                if not worked or not _is_passing(error):
                    raise
                self._wait_after_loss(error)
                continue
            worked = True
            self._note_recovery()
            bookmark = self._orders.bookmark or bookmark
            if time.monotonic() >= self._state_at:
                self._state_at = time.monotonic() + HEARTBEAT_SECONDS
                self._send_state(bookmark)
            self._pause(began, 1 if found else self._orders.queries)

    def _poll(self, bookmark: str | None) -> Iterator[Page]:
        if time.monotonic() >= self._compare_at:
            self._comparison.begin()
            self._log.info("`filter` asks more than the order's own columns: every order is compared, as once a day")
            self._compare_at = time.monotonic() + COMPARISON_SECONDS
            self._full_pass_at, bookmark = 0.0, None
        if time.monotonic() < self._full_pass_at:
            return self._attach(self._orders.new_pages())
        pages = self._attach(self._orders.full_pass(bookmark))
        self._full_pass_at = time.monotonic() + FULL_PASS_SECONDS
        return pages

    def _pause(self, began: float, intervals: int) -> None:
        """Wait for the next poll; one that found nothing waits an interval for each of its queries."""
        self._orders.listen(self._wakeup)
        notified = self._wakeup.wait(max(0.0, began + self._interval * intervals - time.monotonic()))
        if notified:
            self._wakeup.wait(self._orders.min_age_seconds + FOLLOW_GATHERING_SECONDS)

    def _wait_after_loss(self, error: TapSyncError) -> None:
        if self._lost_since is None:
            self._lost_since = time.monotonic()
        self._losses += 1
        pause = replace(FOLLOWED_DATABASE, first_pause=self._interval).pause_after(self._losses)
        self._full_pass_at = 0.0
        self._log.warning("%s; trying again in %.1f s", error, pause)
        self._wakeup.stop_listening()
        self._forget_connections()
        self._wakeup.wait(pause)

    def _note_recovery(self) -> None:
        if self._lost_since is not None:
            self._log.info("The database answers again, after %.0f s", time.monotonic() - self._lost_since)
            self._lost_since, self._losses = None, 0


def _is_passing(error: TapSyncError) -> bool:
    """Whether a failure is one of the connection, which may pass by itself."""
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
