"""Which stretch of the replication key one run reads, and which orders it leaves for later because they are too new.

An order changed just now could change again within the same tick of its clock, under the same version text; so time
keys are read up to `settle_seconds` ago, and where a tick is a minute or a day, up to the last tick that is over.
Orders dated further ahead than any wrong clock are read outside the range, and never move the bookmark.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo

from sync_databases.columns import Column, Kind, tick_of
from sync_databases.timestamps import Timestamp, read_timestamp
from sync_databases.value_sql import TIME_KINDS, ValueSql
from tap_legacy_orders.tap_errors import TapConfigError

FUTURE_SLACK = timedelta(days=1)
"""Orders dated further ahead than this would never come of age; nearer ones are a clock or a zone that is off."""

CLOCK_SKEW = timedelta(minutes=5)
"""Clocks of applications differ by this much; more is a sign that `timezone` is not theirs."""

_AFTER_ALL_DATES = "9999-12-31T99"
"""Sorts after every date written as text, and before words."""

Newest = Callable[[str | None], tuple[str | None, str]]
"""Asks for the largest replication key up to a text: its text, and on SQLite its storage class."""


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


def choose_range(
    column: Column, database: ValueSql, newest: Newest, bookmark: str | None, clock: Clock, *, own_version: bool
) -> Range:
    """Choose this run's range. `own_version`: a column other than `column` distinguishes versions.

    Raises:
        TapConfigError: the bookmark is none for this column.
    """
    if column.kind in TIME_KINDS and not database.engine.values_have_types:
        return _by_timestamp(column, database, newest, bookmark, clock, own_version=own_version)
    if column.kind in {*TIME_KINDS, Kind.TEXT, Kind.ANY}:
        sample, storage = newest(None)
        shape = read_timestamp(sample) if sample is not None and storage in {"", "text"} else None
        if sample is not None and shape is None and storage in {"", "text"}:
            sample, _ = newest(_AFTER_ALL_DATES)
            shape = read_timestamp(sample) if sample is not None else None
        if shape is not None and sample is not None:
            return _by_text(newest, bookmark, clock, sample, shape, own_version=own_version)
    _must_fit(column, bookmark)
    return Range(bookmark, newest(None)[0])


def _by_timestamp(
    column: Column, database: ValueSql, newest: Newest, bookmark: str | None, clock: Clock, *, own_version: bool
) -> Range:
    # Without a version of its own, an order could change again within the tick, under the same version.
    wait = timedelta(0) if own_version else tick_of(column, database.engine)
    too_recent_after = database.timestamp_text(column, clock.now - clock.min_age - wait, clock.zone)
    ahead, future = (
        database.timestamp_text(column, clock.now + slack, clock.zone) for slack in (CLOCK_SKEW, FUTURE_SLACK)
    )
    lower, went_back = None, False
    if bookmark is not None:
        timestamp = _bookmark_timestamp(bookmark)
        went_back = _is_ahead(timestamp, clock.zone, clock)
        if not went_back:
            # A naive bookmark already stands in the zone that it is to be written in.
            lower = database.timestamp_text(column, _start(timestamp, clock), timezone.utc)
    return Range(lower, newest(too_recent_after)[0], too_recent_after, ahead, future, went_back)


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
    lower, went_back = None, False
    if bookmark is not None:
        timestamp = _bookmark_timestamp(bookmark)
        went_back = _is_ahead(timestamp, zone, clock)
        if not went_back:
            # A blank sorts before every other separator: where shapes are mixed, at most a day is read again.
            blank = "%Y-%m-%d" if shape.separator is None else "%Y-%m-%d %H:%M:%S"
            lower = min(bookmark, (timestamp.at - _back(timestamp, clock)).strftime(blank))
    ahead, future = written(clock.now + CLOCK_SKEW), written(clock.now + FUTURE_SLACK)
    return Range(lower, newest(too_recent_after)[0], too_recent_after, ahead, future, went_back)


def _is_ahead(timestamp: Timestamp, zone: tzinfo, clock: Clock) -> bool:
    """Whether a bookmark is later than now. It was not when it was set, since orders are read up to the clock."""
    return timestamp.utc(zone) > clock.now


def _start(timestamp: Timestamp, clock: Clock) -> datetime:
    at = timestamp.at if timestamp.offset is None else timestamp.at - timestamp.offset
    return at - _back(timestamp, clock)


def _back(timestamp: Timestamp, clock: Clock) -> timedelta:
    """How far before the bookmark to begin. When clocks were set back since, naive times repeat themselves."""
    if timestamp.offset is not None:
        return clock.lookback
    then = timestamp.at.replace(tzinfo=clock.zone).utcoffset() or timedelta(0)
    now = clock.now.replace(tzinfo=timezone.utc).astimezone(clock.zone).utcoffset() or timedelta(0)
    return clock.lookback + max(timedelta(0), then - now)


def _bookmark_timestamp(bookmark: str) -> Timestamp:
    timestamp = read_timestamp(bookmark)
    if timestamp is None:
        raise TapConfigError(_no_bookmark(bookmark))
    return timestamp


def _must_fit(column: Column, bookmark: str | None) -> None:
    if bookmark is not None and not fits(column, bookmark):
        raise TapConfigError(_no_bookmark(bookmark))


def _no_bookmark(bookmark: str) -> str:
    return (
        f"state: the bookmark {bookmark!r} is no value of the replication key; "
        "run once with a full refresh (acknowledged orders are not sent again)"
    )


def fits(column: Column, text: str) -> bool:
    """Whether a text can be a value of the column's type, before a database stumbles over it."""
    if column.kind is Kind.INTEGER:
        return text.removeprefix("-").isdecimal() and text.isascii() and abs(int(text)) < 1 << 63
    if column.kind is Kind.NUMBER:
        return _is_number(text)
    if column.kind is Kind.BINARY:
        return _is_hex(text)
    if column.kind is Kind.UUID:
        return _is_hex(text.replace("-", ""))
    return column.kind not in TIME_KINDS or read_timestamp(text) is not None


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return text.isascii() and "_" not in text


def _is_hex(text: str) -> bool:
    try:
        bytes.fromhex(text)
    except ValueError:
        return False
    return True
