"""The range that a run reads by timestamps, in the shapes that databases write."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from small_shop import Shop, run

from sync_databases.columns import Column, Kind, Storage
from sync_databases.value_sql import PostgreSQLValueSql, SQLiteValueSql
from tap_legacy_orders.ranges import Clock, Range, choose_range

BERLIN = ZoneInfo("Europe/Berlin")
NOW = datetime(2024, 6, 1, 12)  # noqa: DTZ001 - naive UTC, as the database's clock is taken
CLOCK = Clock(NOW, timezone.utc, timedelta(seconds=300), timedelta(seconds=2))


def _column(kind: Kind) -> Column:
    return Column("updated_at", sa.DateTime(), kind, nullable=False, storage=Storage.TEXT)


def _range(kind: Kind, values: list[str], bookmark: str | None, clock: Clock = CLOCK, *, own: bool = False) -> Range:
    def newest(until: str | None) -> str | None:
        return max((value for value in values if until is None or value <= until), default=None)

    return choose_range(
        _column(kind), SQLiteValueSql(sa.create_engine("sqlite://").dialect), newest, bookmark, clock, own_version=own
    )


@pytest.mark.parametrize(
    ("values", "recent", "lower"),
    [
        (["2024-05-01 10:00:01"], "2024-06-01 11:59:58", "2024-05-01 09:55:00"),
        (["2024-05-01T10:00:01Z"], "2024-06-01T11:59:58", "2024-05-01 09:55:00"),
        (["2024-05-01T10:00:00.123+02:00"], "2024-06-01T13:59:58", "2024-05-01 09:55:00"),
        (["2024-05-01 10:00"], "2024-06-01 11:58", "2024-05-01 09:54:00"),
        (["2024-05-01"], "2024-05-31", "2024-04-29"),
    ],
)
def test_bounds_are_written_in_the_shape_that_the_column_has(values: list[str], recent: str, lower: str) -> None:
    chosen = _range(Kind.TEXT, values, values[0])
    assert (chosen.too_recent_after, chosen.lower, chosen.upper) == (recent, lower, values[0])


def test_without_lookback_the_bookmark_itself_is_read_again_in_every_shape() -> None:
    clock = Clock(NOW, timezone.utc, timedelta(0), timedelta(0))
    for text in ("2024-05-01 10:00", "2024-05-01T10:00:00Z", "2024-05-01 10:00:00.5", "2024-05-01"):
        lower = _range(Kind.TEXT, [text], text, clock).lower
        assert lower is not None
        assert lower <= text


def test_a_day_that_is_not_over_waits_unless_another_column_tells_versions_apart() -> None:
    days = ["2024-05-31", "2024-06-01"]
    assert _range(Kind.TEXT, days, None).upper == "2024-05-31"
    assert _range(Kind.TEXT, days, None, own=True).upper == "2024-06-01"


def test_words_among_moments_do_not_become_the_bookmark() -> None:
    chosen = _range(Kind.NAIVE_TIME, ["2024-05-01 10:00:00", "unknown"], None)
    assert chosen.upper == "2024-05-01 10:00:00"
    assert chosen.future is not None
    assert chosen.future < "unknown"


def test_when_clocks_were_set_back_the_repeated_hour_is_read_again() -> None:
    after = Clock(datetime(2024, 10, 27, 2), BERLIN, timedelta(0), timedelta(0))  # noqa: DTZ001 - 03:00 in Berlin again
    before = Clock(datetime(2024, 10, 27, 0, 55), BERLIN, timedelta(0), timedelta(0))  # noqa: DTZ001 - 02:55 in Berlin
    database = PostgreSQLValueSql(sa.create_engine("postgresql+psycopg://").dialect)

    def lower(clock: Clock) -> str | None:
        column = _column(Kind.NAIVE_TIME)
        return choose_range(column, database, lambda _: None, "2024-10-27 02:50:00", clock, own_version=False).lower

    assert lower(after) == "2024-10-27 01:49:00.000000"
    assert lower(before) == "2024-10-27 02:49:00.000000"


def test_a_bookmark_ahead_of_the_clock_says_that_the_clock_was_set_back_and_all_is_read() -> None:
    database = PostgreSQLValueSql(sa.create_engine("postgresql+psycopg://").dialect)
    clock = Clock(datetime(2024, 6, 1, 11), timezone.utc, timedelta(0), timedelta(0))  # noqa: DTZ001
    for bookmark, ahead in (("2024-06-01 12:00:00", True), ("2024-06-01 11:00:00", False)):
        for chosen in (
            choose_range(_column(Kind.NAIVE_TIME), database, lambda _: None, bookmark, clock, own_version=False),
            choose_range(
                _column(Kind.TEXT),
                database,
                lambda _: "2024-06-01 10:00:00",
                bookmark,
                clock,
                own_version=False,
            ),
        ):
            assert (chosen.clock_went_back, chosen.lower is None) == (ahead, ahead)


def test_moments_as_text_resume_within_the_day_of_the_bookmark(sqlite_url: str) -> None:
    """The plain SDK stream skips the rest of the bookmark's day here, with exit code 0."""
    for separator in (" ", "T"):
        with Shop.opened(sqlite_url) as shop:
            rows = [{"i": n, "u": f"2024-05-01{separator}1{n}:00:00"} for n in range(5)]
            shop.sql("INSERT INTO orders VALUES (:i, 'x', :u)", *rows)
            output = shop.run(page_size=2)
            assert output.keys == list("01234")
            shop.ack("0", output.versions["0"])
            shop.ack("1", output.versions["1"])
            assert shop.run(output.states[0]).keys == ["2", "3", "4"]
            shop.sql("DROP TABLE orders")


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("BIGINT", [9007199254740993, 9007199254740994, 9007199254740995]),
        (
            "DECIMAL(30, 10)",
            ["12345678901234567890.0000000001", "12345678901234567890.0000000002", "12345678901234567890.0000000003"],
        ),
        ("VARCHAR(30)", ["01HA", "01HB", "01HC"]),
        ("DATE", ["2024-01-01", "2024-01-02", "2024-01-03"]),
    ],
)
def test_bookmarks_of_any_type_resume_to_the_last_digit(engine_url: str, kind: str, values: list[object]) -> None:
    if "sqlite" in engine_url and "DECIMAL" in kind:
        kind, values = "DOUBLE", [0.1, 0.1 + 2e-17, 0.30000000000000004]
    engine = sa.create_engine(engine_url)
    with engine.begin() as connection:
        connection.execute(sa.text(f"CREATE TABLE orders (id INTEGER PRIMARY KEY, seq {kind} NOT NULL)"))
        for number, value in enumerate(values):
            connection.execute(sa.text("INSERT INTO orders VALUES (:i, :v)"), {"i": number, "v": value})
    engine.dispose()
    config = {
        "sqlalchemy_url": engine_url,
        "orders_table": "orders",
        "replication_key": "seq",
        "page_size": 1,
        "lookback_seconds": 0,
        "lookback_count": 0,
    }
    output = run(config)
    assert output.keys == ["0", "1", "2"]
    # A day is a tick, by which a run always goes back.
    assert run(config, output.states[1]).keys == ["0", "1", "2"][kind != "DATE" :]
    assert run(config, output.states[2]).keys == ["1", "2"][kind != "DATE" :]


def test_zoned_moments_resume_to_the_microsecond_whatever_the_servers_zone(postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        name = engine.url.database
        connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET timezone TO 'America/New_York'")
        connection.exec_driver_sql(f"ALTER DATABASE \"{name}\" SET datestyle TO 'German'")
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TIMESTAMPTZ NOT NULL)")
        for number in range(3):
            connection.exec_driver_sql(f"INSERT INTO orders VALUES ({number}, '2024-11-03 05:59:59.99999{number}+00')")
    engine.dispose()
    config = {"sqlalchemy_url": postgresql_url, "orders_table": "orders", "page_size": 1, "lookback_seconds": 0}
    output = run(config)
    assert output.bookmark() == "2024-11-03 05:59:59.999992+00"
    assert run(config, output.states[1]).keys == ["1", "2"]
