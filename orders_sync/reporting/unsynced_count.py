"""The orders that no run has brought over yet: the tap is asked, with its own settings and its own selection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import (
    TAP_PREFIX,
    TAP_VARIABLES,
    ConfigFiles,
    given_to_taps,
    make_tap,
    of_environment,
)
from orders_sync.config_sources.database_urls import place_of
from orders_sync.config_sources.project import TAP_NEEDS, surroundings
from sync_ledger.ledger import Ledger
from tap_legacy_orders.backlog import Backlog, count_backlog
from tap_legacy_orders.deadline import Deadline
from tap_legacy_orders.tap import TapLegacyOrders


@dataclass(frozen=True, slots=True)
class NotCounted:
    """Why unsynced orders are not counted; with `is_error`, they should have been."""

    why: str
    is_error: bool = False


def count_unsynced(
    files: ConfigFiles, ledger: Ledger, within: timedelta, *, stream: str | None = None
) -> dict[str, Backlog | NotCounted]:
    """Ask each tap that is meant, by `ledger`; the answers by the names of their streams, or of the one `stream` alone.

    What a tap's settings do not give a name for stands under "".
    """
    try:
        if files.tap is None and surroundings().project is None:
            known = of_environment(TAP_PREFIX, TAP_VARIABLES)
            missing = [TAP_VARIABLES[name] for name in TAP_NEEDS if name not in known]
            if missing:
                return {"": NotCounted(f"no settings of the tap ({' and '.join(missing)}, or --tap-config)")}
        given = given_to_taps(files)
    except EXPECTED as error:
        return {"": _not_counted(error)}
    found: dict[str, Backlog | NotCounted] = {}
    for each in given:
        try:
            tap = make_tap(each)
        except EXPECTED as error:
            found[""] = _not_counted(error)
            continue
        if stream in {None, tap.stream_name}:
            found[tap.stream_name] = _counted(tap, ledger, within)
    return found


def _not_counted(error: Exception) -> NotCounted:
    return NotCounted(surroundings().with_places(error_message(error)), is_error=True)


def _counted(tap: TapLegacyOrders, ledger: Ledger, within: timedelta) -> Backlog | NotCounted:
    try:
        return backlog_of(tap, ledger, within)
    except EXPECTED as error:
        return _not_counted(error)


def backlog_of(tap: TapLegacyOrders, ledger: Ledger, within: timedelta) -> Backlog | NotCounted:
    """Count by this ledger, or by what stands in for it.

    Raises:
        TapConfigError, TapSyncError, DatabaseError: the orders cannot be read, or not in time.
    """
    ours = place_of(ledger.engine.url.render_as_string(hide_password=False), ledger.place.tables.metadata.schema)
    theirs = str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"])
    if place_of(theirs, tap.config.get("ack_schema")) != ours:
        return NotCounted("the tap's settings name another ledger")
    deadline = Deadline(tap.engine, within.total_seconds())
    try:
        with deadline.observed():
            # Not the tap's own ledger: opening that makes its tables, and makes orders due again.
            source = tap.orders_source(tap.stream_name, (), None, ledger=ledger)
            return count_backlog(source, deadline)
    finally:
        tap.engine.dispose()
