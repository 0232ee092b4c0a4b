"""The orders that no run has brought over yet: the tap is asked, with its own settings and its own selection."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta

from orders_sync.configs import ConfigFiles, open_tap
from orders_sync.database_urls import place_of
from orders_sync.findings import EXPECTED, error_message
from sync_ledger.ledger import Ledger
from tap_legacy_orders.backlog import Backlog, count_backlog
from tap_legacy_orders.deadline import Deadline
from tap_legacy_orders.tap import TapLegacyOrders

TAP_IS_THERE = ("LEGACY_DATABASE_URL", "TAP_LEGACY_ORDERS_SQLALCHEMY_URL")
"""One of these variables is set where the environment holds the tap's settings."""


@dataclass(frozen=True, slots=True)
class NotCounted:
    """Why unsynced orders are not counted; with `is_error`, they should have been."""

    why: str
    is_error: bool = False


def tap_is_set_up(files: ConfigFiles) -> bool:
    """Whether there are settings of a tap at all."""
    return files.tap is not None or any(os.environ.get(name) for name in TAP_IS_THERE)


def count_unsynced(files: ConfigFiles, ledger: Ledger, within: timedelta) -> dict[str, Backlog | NotCounted]:
    """Ask the tap, by `ledger`; the answer by the name of its stream, or by "" where its settings do not give one."""
    if not tap_is_set_up(files):
        return {"": NotCounted(f"no settings of the tap ({TAP_IS_THERE[0]}, or --tap-config)")}
    try:
        tap = open_tap(files)
    except EXPECTED as error:
        return {"": NotCounted(error_message(error), is_error=True)}
    try:
        return {tap.stream_name: backlog_of(tap, ledger, within)}
    except EXPECTED as error:
        return {tap.stream_name: NotCounted(error_message(error), is_error=True)}


def backlog_of(tap: TapLegacyOrders, ledger: Ledger, within: timedelta) -> Backlog | NotCounted:
    """Count by this ledger, which may lack its tables still.

    Raises:
        TapConfigError, TapSyncError, DatabaseError: the orders cannot be read, or not in time.
    """
    ours = place_of(ledger.engine.url.render_as_string(hide_password=False), ledger.tables.metadata.schema)
    theirs = str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"])
    if place_of(theirs, tap.config.get("ack_schema")) != ours:
        return NotCounted("the tap's settings name another ledger")
    deadline = Deadline(tap.engine, within.total_seconds())
    try:
        with deadline.observed():
            # Not the tap's own ledger: opening that makes its tables, and makes orders due again.
            source = tap.orders_source(tap.stream_name, (), None, ledger=ledger)
            acks_are_there = ledger.tables.ack.name not in ledger.missing_tables()
            return count_backlog(source, deadline, acks_are_there=acks_are_there)
    finally:
        tap.engine.dispose()
