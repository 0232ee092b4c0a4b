"""Which stretch of the replication key one run reads, and which orders it leaves for later because they are too new.

An order changed just now could change again within the same tick of its clock, under the same version text; so time
keys are read up to `settle_seconds` ago, and where a tick is a minute or a day, up to the last tick that is over.
Orders dated further ahead than any wrong clock are read outside the range, and never move the bookmark.

The range begins before the bookmark: by how much orders may be committed late, by a tick of what the column really
holds, by the hour that repeats itself. In that window an equal version says too little, and contents are compared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone, tzinfo

from sync_databases.column_texts import can_hold, is_below_all
from sync_databases.columns import Column, Kind, Storage, tick_of
from sync_databases.page_order import AFTER_ALL_DATES
from sync_databases.timestamps import Timestamp, read_timestamp
from sync_databases.value_sql import TIME_KINDS, ValueSql
from tap_legacy_orders import windows
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.text_dates import SORTED_WAYS, sorts_by_no_time, unsorted_dates
from tap_legacy_orders.windows import SECOND

FUTURE_SLACK = timedelta(days=1)
"""Orders dated further ahead than this would never come of age; nearer ones are a clock or a zone that is off."""

CLOCK_SKEW = timedelta(minutes=5)
"""Clocks of applications differ by this much; more is a sign that `timezone` is not theirs."""

Newest = Callable[[str | None], str | None]
"""Asks for the text of the largest replication key up to another one."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The clock of a run, and how far from it a run keeps."""

    now: datetime
    """The orders' database's clock: naive UTC."""
    zone: tzinfo
    """Where times without an offset belong."""
    lookback: timedelta
    min_age: timedelta
    """How long an order must be unchanged before it is read."""
    lookback_count: int = 0
    """How far back of a column that counts."""
    began: datetime | None = None
    """When the last run began that came to its end, by the ledger's clock; for runs without a bookmark."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A part of the range: from `lower` on, before `until` or to the range's end."""

    lower: str | None
    until: str | None
    in_window: bool


@dataclass(frozen=True, slots=True)
class Range:
    """The stretch, in texts of the replication key, both ends inclusive."""

    lower: str | None
    upper: str | None
    """None: there is nothing to read."""
    too_recent_after: str | None = None
    """Orders dated after this wait for a later run."""
    ahead: str | None = None
    """What is dated after this is ahead of the database's clock, not just changed."""
    future: str | None = None
    """Orders dated after this are sent all the same, outside the range."""
    clock_went_back: bool = False
    """The bookmark is ahead of the clock, so it does not cover orders changed since: all are compared."""
    window: str | None = None
    """Where the window begins, in which an order may change without another version; None: the range begins there."""

    tick: timedelta = SECOND
    """The step in which the column's values advance, as far as it is known."""

    is_closed: bool = False
    """Nothing is newer than the bookmark, and nothing in the window can change any more without another version."""

    def from_the_start(self) -> Range:
        """The range without a lower end; the window begins where it did."""
        return self if self.lower is None else replace(self, lower=None, window=self.lower)

    def stretches(self) -> list[Stretch]:
        """The range, divided where the window begins."""
        if self.is_closed:
            return [Stretch(self.lower, None, in_window=False)]
        if self.window is None:
            return [Stretch(self.lower, None, in_window=True)]
        before = Stretch(self.lower, self.window, in_window=False)
        return [before, Stretch(self.window, None, in_window=True)]


def choose_range(
    column: Column,
    database: ValueSql,
    newest: Newest,
    bookmark: str | None,
    clock: Clock,
    *,
    own_version: bool,
    must_sort: bool = True,
) -> Range:
    """Choose this run's range. `own_version`: a column other than `column` distinguishes versions.

    `must_sort`: changes are found by the column's order alone, and its texts may be times.

    Raises:
        TapConfigError: the bookmark is none for this column, or the column holds dates that do not sort by time.
    """
    if column.kind in TIME_KINDS and not database.engine.values_have_types:
        return _by_timestamp(column, database, newest, bookmark, clock, own_version=own_version)
    if _may_be_text(column) and database.has_greatest(column):
        sample = newest(None)
        shape = None if sample is None else read_timestamp(sample)
        if sample is not None and shape is None:
            sample = newest(AFTER_ALL_DATES)
            shape = None if sample is None else read_timestamp(sample)
        if shape is not None and sample is not None:
            return _by_text(newest, bookmark, clock, sample, shape, own_version=own_version)
        if must_sort and sample is not None and sorts_by_no_time(sample, clock.now):
            raise TapConfigError(f"replication_key: {unsorted_dates(column.name, sample)}; {SORTED_WAYS}")
    return _by_value(column, database, newest, bookmark, clock)


def _may_be_text(column: Column) -> bool:
    """Whether positions may be times written as text."""
    return column.kind is Kind.TEXT if column.storage is None else column.storage is Storage.TEXT


def _by_value(column: Column, database: ValueSql, newest: Newest, bookmark: str | None, clock: Clock) -> Range:
    """Numbers, which may be times or count, and what has no distance: texts, bytes."""
    upper = newest(None)
    if column.storage is Storage.NUMBER and bookmark is not None and not windows.is_number(bookmark):
        bookmark = None  # of texts that the column held before: all are compared
    _must_fit(column, database, bookmark)
    back = windows.number_back(upper, clock.now, clock.lookback, clock.lookback_count)
    begin = bookmark if bookmark is not None else upper
    lower = None if begin is None or back is None or not _may_be_number(column) else windows.less(begin, back)
    if lower is None:
        lower = begin
    elif is_below_all(column, lower):
        lower = None
    return Range(lower, upper) if bookmark is not None else Range(None, upper, window=lower)


def _may_be_number(column: Column) -> bool:
    return column.kind in {Kind.INTEGER, Kind.NUMBER} if column.storage is None else column.storage is Storage.NUMBER


def _by_timestamp(
    column: Column, database: ValueSql, newest: Newest, bookmark: str | None, clock: Clock, *, own_version: bool
) -> Range:
    # Without a version of its own, an order could change again within the tick, under the same version.
    wait = timedelta(0) if own_version else tick_of(column, database.engine)
    too_recent_after = database.timestamp_text(column, clock.now - clock.min_age - wait, clock.zone)
    ahead, future = (
        database.timestamp_text(column, clock.now + slack, clock.zone) for slack in (CLOCK_SKEW, FUTURE_SLACK)
    )
    upper = newest(too_recent_after)
    _must_fit(column, database, bookmark)
    start = None if bookmark is None else read_timestamp(bookmark) or _near(bookmark)
    if bookmark is not None and start is None:  # no time that a calendar has: infinite, or before Christ
        return Range(bookmark, upper, too_recent_after, ahead, future)
    begin = _Begin(start, upper, clock, clock.zone, tick_of(column, database.engine))
    # A naive time already stands in the zone that it is to be written in.
    lower, window = (
        None if at is None else database.timestamp_text(column, at - begin.offset, timezone.utc)
        for at in (begin.lower, begin.window)
    )
    return Range(lower, upper, too_recent_after, ahead, future, begin.went_back, window, begin.tick)


def _by_text(
    newest: Newest, bookmark: str | None, clock: Clock, sample: str, shape: Timestamp, *, own_version: bool
) -> Range:
    """Times kept as text compare as text: bounds are written in the shape of the newest one, rounded down."""
    if shape.separator is None:
        form, tick = "%Y-%m-%d", timedelta(days=1)
    elif len(sample) == len("YYYY-MM-DD HH:MM"):
        form, tick = f"%Y-%m-%d{shape.separator}%H:%M", timedelta(minutes=1)
    else:
        form, tick = f"%Y-%m-%d{shape.separator}%H:%M:%S", timedelta(0)
    zone = clock.zone if shape.offset is None else timezone(shape.offset)

    def written(timestamp: datetime) -> str:
        return timestamp.replace(tzinfo=timezone.utc).astimezone(zone).strftime(form)

    too_recent_after = written(clock.now - clock.min_age - (timedelta(0) if own_version else tick))
    upper = newest(too_recent_after)
    start = None if bookmark is None else read_timestamp(bookmark)
    if start is None:
        bookmark = None  # of texts that were no times, or of numbers: all are compared
    begin = _Begin(start, upper, clock, zone, tick)
    # A blank sorts before every other separator: where shapes are mixed, at most a day is read again.
    blank = "%Y-%m-%d" if shape.separator is None else "%Y-%m-%d %H:%M:%S"
    lower, window = (None if at is None else at.strftime(blank) for at in (begin.lower, begin.window))
    if lower is not None and bookmark is not None:
        lower = min(bookmark, lower)
    ahead, future = written(clock.now + CLOCK_SKEW), written(clock.now + FUTURE_SLACK)
    return Range(lower, upper, too_recent_after, ahead, future, begin.went_back, window, begin.tick)


class _Begin:
    """Where a range of times begins, and its window, as the column's times are written."""

    def __init__(
        self, start: Timestamp | None, upper: str | None, clock: Clock, zone: tzinfo, least: timedelta
    ) -> None:
        """`start` is the bookmark's time, `least` the step of the column's type."""
        newest = None if upper is None else read_timestamp(upper)
        self.went_back = start is not None and start.utc(zone) > clock.now  # it was not when it was set
        times = [each for each in (start, newest) if each is not None]
        self.tick = tick = windows.tick_in_use(times, least)
        self.offset = next((each.offset for each in times if each.offset is not None), timedelta(0))
        self.lower: datetime | None = None
        self.window: datetime | None = None
        if start is not None and not self.went_back:
            self.lower = windows.time_back(start, clock.now, zone, clock.lookback + tick, ahead=False)
        elif newest is not None and start is None:
            self.window = windows.time_back(newest, clock.now, zone, clock.lookback + tick, ahead=True)
            if clock.began is not None:
                began = windows.local(clock.began, timezone(newest.offset) if newest.offset is not None else zone)
                self.window = min(self.window, began - clock.lookback - tick)


_NO_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def _near(text: str) -> Timestamp | None:
    """A time before one that is none, such as 2024-02-00 or 2024-02-30; None where no such year is near."""
    match = _NO_DAY.match(text)
    if match is None or text.endswith(" BC") or match[1] == "0000":
        return None
    month = min(max(int(match[2]), 1), 12)
    day = max(int(match[3]), 1)
    first = datetime(int(match[1]), month, 1)  # noqa: DTZ001 - as written
    return Timestamp(first + timedelta(days=min(day, 28) - 2), None, "", " ") if first.year > 1 else None


def _must_fit(column: Column, database: ValueSql, bookmark: str | None) -> None:
    if bookmark is not None and not can_hold(column, database.engine, bookmark):
        raise TapConfigError(_no_bookmark(bookmark))


def _no_bookmark(bookmark: str) -> str:
    return (
        f"state: the bookmark {bookmark!r} is no value of the replication key; "
        "run once with a full refresh (acknowledged orders are not sent again)"
    )
