"""What one run reads, chosen before its first page and written to the log."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone

from tap_legacy_orders.change_columns import likely_change_columns
from tap_legacy_orders.change_detection import ORDERS_MOST, too_many
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.ranges import Range


@dataclass(frozen=True, slots=True)
class ReadingScope:
    """What one run reads."""

    cutoff: datetime
    """Retries that came due up to here, by the ledger's clock: naive UTC."""
    range: Range
    dated_far_ahead: int
    """Orders dated so far ahead that they are read outside the range."""


def choose_scope(source: OrdersSource, bookmark: str | None, since: datetime | None = None) -> ReadingScope:
    """Choose what a run reads; `bookmark` is where an earlier run came to, `since` when it came there.

    Raises:
        TapConfigError: the bookmark is none for the replication key.
        TapSyncError: a database does not answer.
    """
    cutoff = source.ledger_now()
    # A bookmark of the key stands in STATE too where contents are compared: it says nothing of earlier runs.
    asks = bookmark is None or source.table.by_content
    last, first = source.last_began() if asks else (None, None)
    if source.table.by_content:
        every = source.table.content_every
        chosen = None if every is None or bookmark is None else source.beyond(bookmark)
        if chosen is None:
            return _all_of_it(source, cutoff, is_first=first is None)
        text = "Reading the orders of %s from key %s on: all are compared by content every %s"
        source.log.info(text, source.table.name, bookmark, every)
        return ReadingScope(cutoff, chosen, 0)
    chosen = source.choose_range(source.newest, bookmark, source.now(), source.settings.lookback, last or first)
    if since is not None and chosen.upper == bookmark and not chosen.clock_went_back:
        chosen = replace(chosen, is_closed=_has_closed(source, chosen, since, cutoff))
    _log_range(source, chosen, bookmark)
    late, ahead, future = source.count_late(chosen)
    _log_late(source, chosen, late, ahead, future)
    return ReadingScope(cutoff, chosen, future)


def _all_of_it(source: OrdersSource, cutoff: datetime, *, is_first: bool) -> ReadingScope:
    """Compare every order, as many as there may be: unless the settings ask for it, a large table is refused at first.

    Raises:
        TapConfigError: it is.
    """
    orders = source.count_up_to(ORDERS_MOST + 1)
    if orders > ORDERS_MOST and not source.settings.compares_any_number:
        if is_first:
            raise too_many(source.table.name)
        source.log.warning(
            "%s has grown to more than %s orders, all of which are compared: is there a column for `replication_key`?",
            source.table.name,
            f"{ORDERS_MOST:,}",
        )
    source.log.info(
        "Comparing all %s orders of %s by content: %s",
        f"{orders:,}" if orders <= ORDERS_MOST else f"more than {ORDERS_MOST:,}",
        source.table.name,
        _why_content(source),
    )
    return ReadingScope(cutoff, source.choose_range(source.newest, None, source.now(), source.settings.lookback), 0)


def _why_content(source: OrdersSource) -> str:
    if source.settings.compares_any_number:
        return "`change_detection` asks for it"
    likely = ", ".join(column.name for column in likely_change_columns(source.table.columns))
    return f"no column says when one changed (`replication_key` can name it{f', perhaps {likely}' if likely else ''})"


def _has_closed(source: OrdersSource, chosen: Range, since: datetime, now: datetime) -> bool:
    """Whether a run that came to its end began after the window had closed; only then is the ledger asked.

    The bookmark's time was that of whoever writes orders when it was first seen; that clock, right or wrong, has moved
    on since.
    """
    repeated = timedelta(0) if source.settings.zone is timezone.utc else timedelta(hours=1)
    closes = since + source.settings.lookback + chosen.tick + repeated
    if now < closes:
        return False
    last, _ = source.last_began()
    return last is not None and last > closes


def _log_range(source: OrdersSource, chosen: Range, bookmark: str | None) -> None:
    source.log.info(
        "Reading %s by %s from %s to %s (bookmark %s)",
        source.table.name,
        source.table.replication.name,
        chosen.lower or "the start",
        chosen.upper or "nowhere: there is no order, or all changed just now",
        bookmark or "none",
    )
    if chosen.clock_went_back:
        source.log.warning(
            "The bookmark is ahead of the database's clock, which was set back: every order is compared again"
        )


def _log_late(source: OrdersSource, chosen: Range, late: int, ahead: int, future: int) -> None:
    if late - future:
        source.log.info("%d orders changed after %s wait for a later run", late - future, chosen.too_recent_after)
    if ahead - future:
        source.log.warning(
            "%d orders are dated after %s, ahead of the database's clock, and wait until then: "
            "is `timezone` the one that the application writes in?",
            ahead - future,
            chosen.ahead,
        )
    if future:
        source.log.warning(
            "%d orders are dated after %s, more than a day ahead of the database's clock: "
            "they are sent, but the bookmark does not follow them",
            future,
            chosen.future,
        )
