"""Timestamps: the reader, the looks at whole columns and the target's short ways all say the same of a text."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
from depth import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from sync_databases.timestamps import all_plain, iso_timestamp, read_timestamp, utc_column
from target_zoho_crm.mapping.field_values import UNCONVERTIBLE
from target_zoho_crm.mapping.timestamps import cut_timestamp, datetime_converter, timestamps_fit

UTC, BERLIN = timezone.utc, ZoneInfo("Europe/Berlin")
DAY = datetime(2024, 1, 31)  # noqa: DTZ001 - as written


@pytest.mark.parametrize(
    ("text", "at", "offset", "fraction"),
    [
        ("2024-01-31", DAY, None, ""),
        ("2024-01-31 12:00", DAY.replace(hour=12), None, ""),
        ("2024-01-31t12:00:05", DAY.replace(hour=12, second=5), None, ""),
        ("2024-01-31T12:00:05,5", DAY.replace(hour=12, second=5, microsecond=500_000), None, "5"),
        ("2024-01-31 12:00:00.123456789", DAY.replace(hour=12, microsecond=123_456), None, "123456789"),
        ("2024-01-31T12:00:00z", DAY.replace(hour=12), timedelta(0), ""),
        ("2024-01-31 12:00:00 +05", DAY.replace(hour=12), timedelta(hours=5), ""),
        ("2024-01-31T12:00:00-0530", DAY.replace(hour=12), -timedelta(hours=5, minutes=30), ""),
        ("2024-01-31 12:00:00.50+05:45", DAY.replace(hour=12, microsecond=500_000), timedelta(minutes=345), "50"),
        ("2024-01-31Z", DAY, timedelta(0), ""),
    ],
)
def test_a_timestamp_is_read_with_all_its_digits(
    text: str, at: datetime, offset: timedelta | None, fraction: str
) -> None:
    read = read_timestamp(text)
    assert read is not None
    assert (read.at, read.offset, read.fraction) == (at, offset, fraction)


NONE = [
    "",
    "unknown",
    "2024",
    "2024-1-31",
    "2024-02-30",
    "0000-01-01",
    "20240131",
    "20240131T120000Z",
    "2024-W05-3T12:00:00Z",
    "2024-01-31T24:00:00",
    "2024-01-31T23:59:60",
    "2024-01-31T12",
    "2024-01-31T12:00:00.",
    "2024-01-31T12:00:00:5",
    "2024-01-31T12:00:00x+02:00",
    "2024-01-31T12:00:00+02:75",
    "2024-01-31T12:00:00+24:00",
    "2024-01-31T12:00:00+00:53:28",
    "2024-01-31T12:00:00+02:00\n",
    "\u0662\u0660\u0662\u0664-01-31T12:00:00",
    "2024-01-31T12:00:00.\u0665",
]


@pytest.mark.parametrize("text", NONE)
def test_what_is_no_timestamp_stays_as_it_is_and_is_refused(text: str) -> None:
    assert read_timestamp(text) is None
    assert iso_timestamp(text, BERLIN) == text
    assert utc_column([text]) is None
    for zoned in (False, True):
        assert not all_plain([text], " T", zoned=zoned)
    assert not text or not fits([text])
    if text:
        with pytest.raises(UNCONVERTIBLE):
            datetime_converter(BERLIN)(text)


def fits(texts: list[str]) -> bool:
    try:
        return timestamps_fit(texts)
    except UNCONVERTIBLE:
        return False


def test_texts_of_other_shapes_do_not_make_up_for_each_other() -> None:
    """Two with a dash too many and one without any have as many dashes as three that are right."""
    uneven = ["2024-01-01T10:00:00-01", "2024-01-01T10:00:00-01", "20240101T10:00:00.123"]
    assert utc_column(uneven) is None
    assert not all_plain(uneven, " T", zoned=False)


@given(
    st.lists(st.none() | st.datetimes(min_value=datetime(1, 1, 2)), max_size=5),  # noqa: DTZ001 - parsed as naive
    st.sampled_from(" T"),
    st.booleans(),
)
def test_a_column_is_written_as_its_timestamps_one_by_one(
    timestamps: list[datetime | None],
    separator: str,
    zoned: bool,  # noqa: FBT001 - hypothesis gives it by name
) -> None:
    texts = [each and each.isoformat(separator) + ("+00" if zoned else "") for each in timestamps]
    written = utc_column(texts)
    assert written == [text and iso_timestamp(text, UTC) for text in texts]
    for each, text in zip(timestamps, written, strict=True):
        assert (text and datetime.fromisoformat(text)) == (each and each.replace(tzinfo=UTC))


def test_texts_with_line_feeds_do_not_shift_their_neighbours() -> None:
    moment = "2024-01-01 00:00:00"
    assert utc_column([f"{moment}\n{moment}+00", f"{moment}+00"]) is None
    assert utc_column([f"{moment}\n{moment}", moment]) is None


@st.composite
def almost_timestamps(draw: st.DrawFn) -> str:
    """Timestamps with up to two characters put in, taken out or changed."""
    forms = [
        *("2024-01-31T12:00:00", "2024-01-31 12:00:00.5", "2024-01-31T12:00:00.123456", "2024-01-31 12:00:00+00"),
        *("2024-01-31T12:00:00+02:00", "2024-01-31T12:00:00.123+02:00", "2024-01-31T12:00:00.1234567-05:30"),
        *("2024-01-31T12:00:00Z", "2024-01-31T12:00:00.123Z", "20240131T120000Z", "2024-W05-3T12:00:00+02:00"),
    ]
    chosen = random.Random(draw(st.integers(0, 1 << 32)))  # noqa: S311 - drawn by hypothesis, to be found again
    text = list(chosen.choice(forms))
    for _ in range(chosen.randrange(3)):
        place = chosen.randrange(len(text))
        text[place : place + chosen.randrange(2)] = chosen.choice(["", *"0123456789-+:., TtZzWx/\n\u0662"])
    return "".join(text)


@settings(max_examples=examples(500, 3_000), deadline=None)
@given(st.text(max_size=30) | almost_timestamps())
def test_every_short_way_says_what_the_reader_says(text: str) -> None:
    read = read_timestamp(text)
    written = iso_timestamp(text, UTC)
    assert written == text or read is not None
    column = utc_column([text, text])
    assert column is None or column == [written, written]
    try:
        converted = datetime_converter(BERLIN)(text)
    except UNCONVERTIBLE:
        converted = None
    assert (converted is None) == (read is None)
    if read is not None and converted is not None:
        zone = BERLIN if read.offset is None else timezone(read.offset)
        assert datetime.fromisoformat(converted) == read.at.replace(microsecond=0, tzinfo=zone)
        assert not fits([text, text]) or cut_timestamp(text) == converted


@given(
    st.lists(st.datetimes(timezones=st.timezones(), min_value=datetime(1900, 1, 3)), max_size=6)  # noqa: DTZ001
)
def test_fractions_of_any_length_are_cut_as_one_column(timestamps: list[datetime]) -> None:
    texts = [each.isoformat() for each in timestamps]
    if all(len(text.partition("T")[2][8:].lstrip(".0123456789")) == len("+02:00") for text in texts):
        assert timestamps_fit(texts)
        assert [cut_timestamp(text) for text in texts] == [each.isoformat(timespec="seconds") for each in timestamps]
