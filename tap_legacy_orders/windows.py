"""How far before a bookmark an order may still appear or change without another version."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone, tzinfo
from decimal import Decimal, InvalidOperation

from sync_databases.timestamps import Timestamp

SECOND = timedelta(seconds=1)
_MINUTE, _HOUR, _DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - naive UTC, as all clocks here
_FIRST = datetime(1000, 1, 1)  # noqa: DTZ001 - before all orders, and its year has four digits
_TEN_YEARS = timedelta(days=3653)
_NUMBERED_TIMES = (
    (_EPOCH, 1),
    (_EPOCH, 1_000),
    (_EPOCH, 1_000_000),
    (_EPOCH, 1_000_000_000),
    (datetime(1, 1, 1), 10_000_000),  # noqa: DTZ001 - ticks of .NET
    (datetime(1601, 1, 1), 10_000_000),  # noqa: DTZ001 - ticks of Windows
)
"""What a number may be when it is a time: units since then, and how many of them a second has."""
_DAYS_TO_EPOCH, _SECONDS_A_DAY = Decimal("2440587.5"), Decimal(86_400)
"""Of Julian days, which SQLite's `julianday` gives: with a fraction, for a whole number of that size may count."""


def tick_in_use(times: Sequence[Timestamp], least: timedelta) -> timedelta:
    """The step in which a column's times advance: `least`, that of its type, or a coarser one that these times keep to.

    Programs write whole seconds, whole minutes or midnight into finer columns. Times that do so by chance make a window
    longer for one run, which costs little.
    """
    if any(each.fraction.strip("0") for each in times):
        return least  # finer than a second: the bookmark itself is read again, and no lookback is as fine
    ats = {each.at for each in times}
    if not ats or any(at.second for at in ats):
        return max(least, SECOND)
    if not any(at.hour or at.minute for at in ats):
        return _DAY
    # One time at a full hour is chance.
    return max(least, _HOUR if len(ats) > 1 and not any(at.minute for at in ats) else _MINUTE)


def time_back(start: Timestamp, now: datetime, zone: tzinfo, back: timedelta, *, ahead: bool) -> datetime:
    """So far before `start`, as it is written. `now` is naive UTC.

    `ahead`: local time may repeat itself after this, and what it repeats was not read before.
    """
    if start.offset is not None or zone is timezone.utc:
        return _minus(start.at, back)
    return _minus(start.at, back + _repeated(start, now, zone, ahead=ahead))


def _repeated(start: Timestamp, now: datetime, zone: tzinfo, *, ahead: bool) -> timedelta:
    """How much of local time repeats itself, where clocks are set back between `start` and now, or soon after."""
    try:
        then = start.at.replace(tzinfo=zone).utcoffset() or timedelta(0)
        first = start.utc(zone)
        later = [now, *((first + _HOUR, first + 2 * _HOUR) if ahead else ())]
        return max(timedelta(0), then - min(offset_at(moment, zone) for moment in later))
    except OverflowError:
        return timedelta(0)


def offset_at(utc: datetime, zone: tzinfo) -> timedelta:
    """The zone's offset at a point in time, given as naive UTC."""
    return utc.replace(tzinfo=timezone.utc).astimezone(zone).utcoffset() or timedelta(0)


def local(utc: datetime, zone: tzinfo) -> datetime:
    """Naive UTC as the zone's clocks show it."""
    return utc.replace(tzinfo=timezone.utc).astimezone(zone).replace(tzinfo=None)


def _minus(at: datetime, back: timedelta) -> datetime:
    try:
        return at - back
    except OverflowError:
        return _FIRST


def number_back(newest: str | None, now: datetime, lookback: timedelta, lookback_count: int) -> Decimal | None:
    """How far back, in the column's own unit, where the newest value is a number; None where it has no distance.

    One that is a time of the last ten years, or of today, is a time; any other that is whole counts.
    """
    number = None if newest is None else _number(newest)
    if number is None:
        return None
    back = lookback + SECOND
    for epoch, units in _NUMBERED_TIMES:
        if _is_recent(number / units - _seconds(_EPOCH - epoch), now):
            return _seconds(back) * units
    whole = number == number.to_integral_value()
    if not whole and _is_recent((number - _DAYS_TO_EPOCH) * _SECONDS_A_DAY, now):
        return (_seconds(back) / _SECONDS_A_DAY).quantize(Decimal("1E-9"), rounding="ROUND_UP")
    return Decimal(lookback_count) if whole else None


def _is_recent(unix_seconds: Decimal, now: datetime) -> bool:
    """Whether this time lies between ten years ago and tomorrow."""
    return -_seconds(_TEN_YEARS) <= unix_seconds - _seconds(now - _EPOCH) <= _seconds(_DAY)


def _seconds(length: timedelta) -> Decimal:
    return Decimal(str(length.total_seconds()))


def less(text: str, back: Decimal) -> str | None:
    """A number's text less so much, whole where it was; not below zero where it was not. None where it is none."""
    number = _number(text)
    if number is None:
        return None
    lesser = number - back
    if number == number.to_integral_value():
        lesser = lesser.to_integral_value(rounding="ROUND_FLOOR")
    return format(max(lesser, Decimal(0)) if number >= 0 else lesser, "f")


def is_number(text: str) -> bool:
    """Whether a text is one, and finite."""
    return _number(text) is not None


def _number(text: str) -> Decimal | None:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
