"""Records that the database writes as JSON are, byte for byte, those that the tap writes of fetched values."""

from __future__ import annotations

import io
import json
import re
from contextlib import ExitStack, redirect_stdout
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from unittest import mock

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tap_legacy_orders import stream
from tap_legacy_orders.record_encoding import LineEncoder
from tap_legacy_orders.rendering import RenderedEncoder
from tap_legacy_orders.tap import LONGEST_SECONDS, TapLegacyOrders

TABLES = {
    "postgresql": "CREATE TABLE orders (id BIGINT PRIMARY KEY, updated_at TIMESTAMPTZ NOT NULL, small SMALLINT,"
    ' cents NUMERIC(30, 2), tiny NUMERIC(30, 12), "free %s" NUMERIC, f4 REAL, f8 DOUBLE PRECISION, ok BOOLEAN, d DATE,'
    " ts TIMESTAMP, ts0 TIMESTAMP(0), t TIME, tz TIMETZ, span INTERVAL, b BYTEA, j JSONB, j2 JSON, u UUID,"
    " words TEXT[], c CHAR(6), note TEXT, price MONEY, o OID, \"it's 'quoted' é\" VARCHAR(2000))",
    "mysql": "CREATE TABLE orders (id BIGINT PRIMARY KEY, updated_at DATETIME(6) NOT NULL, small SMALLINT UNSIGNED,"
    " cents DECIMAL(30, 2), tiny DECIMAL(30, 12), `free %s` DECIMAL(10, 0), f4 FLOAT, f8 DOUBLE, ok TINYINT(1), d DATE,"
    " ts DATETIME, ts0 TIMESTAMP(3) NULL, t TIME(2), span INT(8) ZEROFILL, b BLOB, j JSON, y YEAR, c CHAR(6),"
    " kind ENUM('a', 'b\"') CHARACTER SET latin1, bits BIT(8), bit1 BIT(1), note LONGTEXT CHARACTER SET utf8mb4,"
    " price DECIMAL(8, 2) ZEROFILL, `it's 'quoted' é` VARCHAR(2000) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)",
}
INSERT = {
    "postgresql": 'INSERT INTO orders (id, updated_at, cents, tiny, "free %%s", f4, f8, ok, d, ts, ts0, t, b, j2, c,'
    " note, \"it's 'quoted' é\", small)"
    " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
    "mysql": "INSERT INTO orders (id, updated_at, cents, tiny, `free %%s`, f4, f8, ok, d, ts, ts0, t, b, j, c, note,"
    " `it's 'quoted' é`, small) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
}

text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])) | st.sampled_from(
    [
        '"NaN"',
        "null",
        "\\u000B \\n",
        'x","note":"NaN',
        "a\tb\r\n\f\b\x01\x1f\x7f\x85",
        "\u2028",
        "%s %%",
        "ä€😀" * 500,
        " ",
    ]
)
decimals = st.decimals("-1e15", "1e15", places=2) | st.sampled_from([Decimal(0), Decimal("-0.01"), Decimal("9" * 28)])
small_decimals = st.decimals("-1", "1", places=12) | st.just(Decimal("1e-12"))
moments = st.datetimes().filter(lambda at: at.year > 1000).map(lambda at: at.isoformat(" "))
times = st.times().map(str)
floats = st.floats(allow_nan=False, allow_infinity=False, width=32) | st.just(0.1 + 0.2) | st.just(1e22)


def row(engine: str) -> st.SearchStrategy[tuple[Any, ...]]:
    near = st.datetimes(datetime(1971, 1, 2), datetime(2037, 1, 1)).map(str)  # noqa: DTZ001 - the columns are naive
    columns = (
        near,
        decimals,
        small_decimals,
        st.integers(-99, 99),
        st.floats(-1e6, 1e6, width=32),
        floats.filter(lambda number: abs(number) < 1e300),
        st.booleans() if engine == "postgresql" else st.integers(-1, 3),
        st.dates().filter(lambda day: day.year > 1000).map(str),
        moments if engine == "postgresql" else near,
        near,
        times,
        st.binary(),
        st.recursive(st.none() | st.integers() | decimals.map(float), st.lists, max_leaves=4).map(json.dumps),
        st.text('ab "\\', max_size=6),
        text,
        text.map(lambda words: words[:500]),
        st.integers(0, 32767),
    )
    optional = [columns[0], *(st.none() | column for column in columns[1:])]
    return st.tuples(*optional)


def lines(url: str, *, rendered: bool, **config: Any) -> tuple[bytes, bool]:
    """All records as a run writes them, and whether the database wrote the last page's."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    last_page: list[type] = []
    with redirect_stdout(out), ExitStack() as stack:
        if not rendered:
            stack.enter_context(mock.patch.object(stream, "json_sql_for", return_value=None))
        for encoder in (LineEncoder, RenderedEncoder):
            stack.enter_context(mock.patch.object(encoder, "blocks", _noting(last_page, encoder, encoder.blocks)))
        tap = TapLegacyOrders(config={"sqlalchemy_url": url, "orders_table": "orders", "page_size": 7, **config})
        tap.sync_all()
        tap.engine.dispose()
        tap.ledger.close()
    written = re.sub(rb',"time_extracted":"[^"]*"', b"", cast("io.BytesIO", out.detach()).getvalue())
    records = [line for line in written.splitlines(keepends=True) if line.startswith(b'{"type":"RECORD"')]
    return b"".join(records), last_page[-1] is RenderedEncoder


def _noting(pages: list[type], encoder: type, blocks: Any) -> Any:
    def noting(self: Any, columns: Any, count: int, frame: Any, marks: Any = None) -> Any:
        pages.extend([encoder] * bool(count))
        return blocks(self, columns, count, frame, marks)

    return noting


@pytest.fixture(params=["postgresql", "mysql"])
def table(request: pytest.FixtureRequest) -> sa.Engine:
    """The empty table with a column of each type."""
    url = request.getfixturevalue("postgresql_url" if request.param == "postgresql" else "mariadb_url")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(TABLES[request.param].replace("%", "%%"))
    return engine


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_both_ways_give_the_same_bytes(table: sa.Engine, data: st.DataObject) -> None:
    rows = data.draw(st.lists(row(table.dialect.name), min_size=1, max_size=40))
    with table.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders")
        connection.exec_driver_sql(INSERT[table.dialect.name], [(n, *values) for n, values in enumerate(rows)])
    url = table.url.render_as_string(hide_password=False)
    values, _ = lines(url, rendered=False)
    texts, to_the_end = lines(url, rendered=True)
    assert texts == values
    assert to_the_end
    assert values.count(b"\n") == len(rows)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(data=st.data())
def test_a_content_is_the_same_on_both_ways_and_in_pages_of_any_size(table: sa.Engine, data: st.DataObject) -> None:
    rows = data.draw(st.lists(row(table.dialect.name), min_size=1, max_size=20))
    with table.begin() as connection:
        connection.exec_driver_sql("DELETE FROM orders")
        connection.exec_driver_sql(INSERT[table.dialect.name], [(n, *values) for n, values in enumerate(rows)])
    url = table.url.render_as_string(hide_password=False)
    found = [
        contents(url, rendered=rendered, page_size=page_size)
        for rendered, page_size in ((True, 1), (True, 3), (False, 1), (False, 1000))
    ]
    assert found[0] == found[1] == found[2] == found[3]
    assert len(found[0]) == len(rows)
    assert any(found[0].values())


def contents(url: str, *, rendered: bool, page_size: int) -> dict[str, str | None]:
    """The contents of all orders, by key; None for one that lies before the longest window."""
    written, _ = lines(url, rendered=rendered, page_size=page_size, lookback_seconds=LONGEST_SECONDS)
    records = [json.loads(line)["record"] for line in written.splitlines()]
    return {record["_sync_key"]: record.get("_sync_content") for record in records}


ODD = {
    "postgresql": [
        "ts = '0044-03-15 12:00:00 BC'",
        "ts = 'infinity'",
        "ts = '20240-01-01 00:00:00'",
        "updated_at = '0044-03-15 12:00:00+00 BC'",
        "cents = 'NaN'",
        "\"free %%s\" = 'NaN'",
        "f8 = 'Infinity'",
        "note = REPEAT('é😀\"', 100000)",
    ],
    "mysql": [
        "ts = '0000-00-00'",
        "ts = '2024-02-30'",
        "ts = '2024-00-10'",
        "d = '0000-00-00'",
        "note = REPEAT('é😀\"', 100000)",
    ],
}


def test_what_the_database_cannot_write_exactly_is_written_by_the_tap(
    table: sa.Engine, caplog: pytest.LogCaptureFixture
) -> None:
    url = table.url.render_as_string(hide_password=False)
    for odd in ODD[table.dialect.name]:
        with table.begin() as connection:
            if table.dialect.name == "mysql":
                connection.exec_driver_sql("SET SESSION sql_mode = 'ALLOW_INVALID_DATES'")
            connection.exec_driver_sql("DELETE FROM orders")
            for number in range(30):
                connection.exec_driver_sql(
                    f"INSERT INTO orders (id, updated_at, note) VALUES ({number}, '2024-01-01 00:00:{number:02}', 'é')"
                )
            connection.exec_driver_sql(f"UPDATE orders SET {odd} WHERE id = 15")
        values, _ = lines(url, rendered=False)
        texts, _ = lines(url, rendered=True)
        assert texts == values, odd
    if table.dialect.name == "postgresql":
        assert "holds NaN or Infinity" in caplog.text


@pytest.mark.parametrize("body", ["RAISE EXCEPTION 'no such function'", "RETURN '\"x\"'::json"])
def test_a_server_that_cannot_write_json_as_we_do_is_not_asked_to(postgresql_url: str, body: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INT PRIMARY KEY, updated_at TIMESTAMP NOT NULL, name TEXT)")
        connection.exec_driver_sql("INSERT INTO orders VALUES (1, '2024-07-01', 'é')")
        connection.exec_driver_sql(
            f"CREATE FUNCTION to_json(VARCHAR) RETURNS json LANGUAGE plpgsql AS $$ BEGIN {body}; END $$"
        )
    engine.dispose()
    values, rendered = lines(postgresql_url, rendered=True)
    assert '"name":"é"'.encode() in values
    assert not rendered


def test_moments_in_another_zone_and_odd_names_are_left_to_the_tap(postgresql_url: str) -> None:
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            'CREATE TABLE orders (id INT PRIMARY KEY, updated_at TIMESTAMP NOT NULL, "a""b" TEXT)'
        )
        connection.exec_driver_sql("INSERT INTO orders VALUES (1, '2024-07-01', 'x'), (2, '2024-01-01', NULL)")
    engine.dispose()
    values, _ = lines(postgresql_url, rendered=False, timezone="Europe/Berlin")
    assert lines(postgresql_url, rendered=True, timezone="Europe/Berlin") == (values, False)
    columns = ["id", "updated_at"]
    values, _ = lines(postgresql_url, rendered=False, timezone="Europe/Berlin", columns=columns)
    assert lines(postgresql_url, rendered=True, timezone="Europe/Berlin", columns=columns) == (values, True)
    assert b"2024-07-01T00:00:00+02:00" in values
