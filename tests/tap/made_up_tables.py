"""Made-up tables with a column of each type, their rows, and what a run of the tap writes of them."""

from __future__ import annotations

import io
import json
import re
from contextlib import ExitStack, redirect_stdout
from datetime import datetime
from decimal import Decimal
from typing import Any, cast
from unittest import mock

from hypothesis import strategies as st

from tap_legacy_orders import rendering
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
            stack.enter_context(mock.patch.object(rendering, "json_sql_for", return_value=None))
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


def contents(url: str, *, rendered: bool, page_size: int, **config: Any) -> dict[str, str | None]:
    """The contents of all orders, by key; None for one that lies before the longest window."""
    written, _ = lines(url, rendered=rendered, page_size=page_size, lookback_seconds=LONGEST_SECONDS, **config)
    records = [json.loads(line)["record"] for line in written.splitlines()]
    return {record["_sync_key"]: record.get("_sync_content") for record in records}
