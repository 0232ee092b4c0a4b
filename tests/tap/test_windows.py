"""The window in which an order may change without another version: how far back it reaches, and what it hides."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from small_shop import Output, Shop

from sync_databases.timestamps import Timestamp, read_timestamp
from sync_ledger.content_forms import ContentForm
from tap_legacy_orders import orders_source
from tap_legacy_orders.windows import less, number_back, tick_in_use, time_back

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2026, 6, 1, 12)  # noqa: DTZ001 - naive UTC, as all clocks here


def time_of(text: str) -> Timestamp:
    found = read_timestamp(text)
    assert found is not None
    return found


def acked(shop: Shop, output: Output) -> None:
    """Write the acks of a run with their contents, as the target does."""
    shop.ack_all(output)
    schema = next(message for message in output.messages if message["type"] == "SCHEMA")["schema"]
    form = ContentForm(**schema["x-sync-content"])
    table = shop.ledger.tables.ack
    with shop.ledger.begin() as connection:
        for record in output.records:
            content = record.get("_sync_content")
            values: dict[str, Any] = {"content": content and content[:32], "content_form": form.id}
            connection.execute(sa.update(table).where(table.c.record_key == record["_sync_key"]).values(values))


def change(shop: Shop, number: int, name: str, at: str) -> None:
    shop.sql("DELETE FROM orders WHERE id = :i", {"i": number})
    shop.sql("INSERT INTO orders VALUES (:i, :n, :u)", {"i": number, "n": name, "u": at})


def test_the_hour_that_repeats_itself_hides_no_change(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    def clock(utc: str) -> None:
        monkeypatch.setattr(orders_source, "database_now", lambda _: datetime.fromisoformat(utc))

    clock("2025-10-26 00:59:00")  # 02:59 in Berlin, a minute before its clocks go back
    change(shop, 1, "first", "2025-10-26 02:30:00")
    change(shop, 2, "later", "2025-10-26 02:55:00")
    first = shop.run(timezone="Europe/Berlin")
    assert first.keys == ["1", "2"]
    acked(shop, first)
    clock("2025-10-26 01:31:00")  # 02:31 for the second time
    change(shop, 1, "second", "2025-10-26 02:30:00")
    second = shop.run(first.state, timezone="Europe/Berlin")
    assert second.keys == ["1"]
    assert second.versions["1"] == first.versions["1"]
    acked(shop, second)
    assert shop.run(second.state, timezone="Europe/Berlin").keys == []


def test_an_order_changed_without_another_version_is_sent_in_the_window_and_believed_outside(shop: Shop) -> None:
    for number, at in ((1, "12:00:00"), (2, "12:09:59"), (3, "12:10:00"), (4, "12:20:00")):
        change(shop, number, "first", f"2024-03-01 {at}")
    first = shop.run(lookback_seconds=600)
    acked(shop, first)
    for number, at in ((1, "12:00:00"), (2, "12:09:59"), (3, "12:10:00")):
        change(shop, number, "second", f"2024-03-01 {at}")
    assert shop.run(first.state, lookback_seconds=600).keys == ["2", "3"]  # ten minutes, and a tick of a second
    assert shop.run(lookback_seconds=600).keys == ["2", "3"]


def test_what_is_in_flight_clamps_the_bookmark_where_its_content_is_another(shop: Shop) -> None:
    change(shop, 1, "first", "2024-03-01 12:00:00")
    change(shop, 2, "later", "2024-03-01 12:00:05")
    first = shop.run()
    acked(shop, first)
    table = shop.ledger.tables.ack
    with shop.ledger.begin() as connection:
        connection.execute(sa.update(table).where(table.c.record_key == "1").values(status="submitted"))
    assert shop.run(first.state).bookmark() == first.bookmark()
    change(shop, 1, "second", "2024-03-01 12:00:00")
    second = shop.run(first.state)
    assert second.keys == []
    assert second.bookmark() == first.versions["1"]


@pytest.mark.parametrize(
    ("texts", "tick"),
    [
        (["2024-01-31 12:30:01.25"], timedelta(0)),
        (["2024-01-31 12:30:01.000000", "2024-01-31 12:30:00"], timedelta(seconds=1)),
        (["2024-01-31 12:30:00", "2024-01-31 12:00:00"], timedelta(minutes=1)),
        (["2024-01-31 12:00:00"], timedelta(minutes=1)),
        (["2024-01-31 12:00:00", "2024-01-31 13:00:00"], timedelta(hours=1)),
        (["2024-01-31", "2024-02-01 00:00:00"], timedelta(days=1)),
    ],
)
def test_the_tick_is_what_the_column_really_holds(texts: list[str], tick: timedelta) -> None:
    assert tick_in_use([time_of(text) for text in texts], timedelta(0)) == tick


def test_an_hour_more_only_about_the_time_at_which_clocks_go_back() -> None:
    minute = timedelta(minutes=1)
    for text, now, back in (
        ("2025-10-26 02:50:00", "2025-10-26 00:51:00", 61),
        ("2025-10-26 02:50:00", "2025-10-26 09:00:00", 61),
        ("2025-10-25 12:00:00", "2025-10-25 10:01:00", 1),
        ("2025-10-26 12:00:00", "2025-10-26 11:01:00", 1),
    ):
        start = time_of(text)
        assert time_back(start, datetime.fromisoformat(now), BERLIN, minute, ahead=True) == start.at - back * minute, (
            text
        )
    start = time_of("2025-10-26 02:50:00")
    assert time_back(start, NOW, timezone.utc, minute, ahead=True) == start.at - minute


def test_a_number_is_a_time_or_counts() -> None:
    seconds = int(NOW.replace(tzinfo=timezone.utc).timestamp())
    lookback = timedelta(seconds=300)
    for text, back in (
        (str(seconds), 301),
        (f"{seconds}.5", 301),
        (str(seconds * 1000), 301_000),
        (str(seconds * 1_000_000), 301_000_000),
        (str(seconds * 1_000_000_000), 301_000_000_000),
        (str((seconds + 62_135_596_800) * 10_000_000), 3_010_000_000),  # .NET
        (str((seconds + 11_644_473_600) * 10_000_000), 3_010_000_000),  # Windows
        (f"{2_440_587 + seconds // 86_400}.75", Decimal("0.003483797")),  # a Julian day
        (f"{2_440_587 + seconds // 86_400}", 7),
        (str(seconds + 2 * 86_400), 7),
        (str(seconds - 11 * 366 * 86_400), 7),
        ("12", 7),
        ("-3", 7),
    ):
        assert number_back(text, NOW, lookback, 7) == back, text
    assert number_back("2400000.5", NOW, lookback, 7) is None
    assert number_back("abc", NOW, lookback, 7) is None
    assert number_back(None, NOW, lookback, 7) is None


def test_a_number_less_what_it_goes_back_is_no_less_than_zero_unless_it_was() -> None:
    back = number_back("1", NOW, timedelta(0), 10)
    assert back is not None
    assert [less(text, back) for text in ("25", "5", "-5", "25.5", "abc")] == ["15", "0", "-15", "15.5", None]
