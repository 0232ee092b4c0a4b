"""Values survive exactly, on each engine, and the SDK's own path gives the same records as the fast one."""

from __future__ import annotations

import base64
import io
import json
from contextlib import redirect_stdout
from decimal import Decimal
from typing import Any

import pytest
import sqlalchemy as sa
from small_shop import Output, run

from tap_legacy_orders.tap import TapLegacyOrders

LONG_TEXT = "ä€😀" * 20_000
CONTROL = 'a\tb\r\nc"d\\e\x01'


def _create(url: str, *statements: str, rows: tuple[dict[str, Any], ...] = ()) -> None:
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement))
        for row in rows:
            names = ", ".join(row)
            connection.execute(sa.text(f"INSERT INTO orders ({names}) VALUES ({', '.join(':' + n for n in row)})"), row)
    engine.dispose()


def _exact(url: str, **config: Any) -> dict[Any, dict[str, Any]]:
    """Run the tap and read numbers as they stand in the text."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(out):
        TapLegacyOrders(config={"sqlalchemy_url": url, "orders_table": "orders", **config}).sync_all()
    out.seek(0)
    messages = [json.loads(line, parse_float=Decimal) for line in out]
    records = [m["record"] for m in messages if m["type"] == "RECORD"]
    for record in records:
        record.pop("_sync_content", None)
    return {record["id"]: record for record in records}


def _slow(url: str, **config: Any) -> Output:
    """Take the SDK's own path, by a stream map that changes nothing."""
    config |= {"sqlalchemy_url": url, "orders_table": "orders", "stream_maps": {"orders": {"id": "id"}}}
    return run(config)


def test_postgresql_values_survive(postgresql_url: str) -> None:
    _create(
        postgresql_url,
        "CREATE TABLE orders (id BIGINT PRIMARY KEY, updated_at TIMESTAMPTZ NOT NULL, amount NUMERIC(38, 18),"
        " free NUMERIC, f8 DOUBLE PRECISION, ok BOOLEAN, d DATE, ts TIMESTAMP, t TIME, span INTERVAL, b BYTEA, j JSONB,"
        " j2 JSON, u UUID, words TEXT[], c CHAR(6), note TEXT, price MONEY, days DATE[])",
        rows=(
            {
                "id": 9007199254740993,
                "updated_at": "2024-03-31 03:30:00.123456+02",
                "amount": Decimal("12345678901234567890.123456789012345678"),
                "free": Decimal("0.1000"),
                "f8": 0.1 + 0.2,
                "ok": True,
                "d": "0044-03-15 BC",
                "ts": "2024-02-29 23:59:59.999999",
                "t": "12:30:00.5",
                "span": "1 year 2 days",
                "b": b"\x00\xff",
                "j": '{"b": [1.10, 123456789012345678901234567890], "a": null}',
                "j2": '{ "x" :\n 1.50 }',
                "u": "6F9619FF-8B86-D011-B42D-00CF4FC964FF",
                "words": ["a,b", "c"],
                "c": "ab",
                "note": CONTROL,
                "price": "1234.56",
                "days": ["2024-01-31"],
            },
            {
                "id": -1,
                "updated_at": "2024-01-01 00:00:00Z",
                "free": Decimal("NaN"),
                "ts": "infinity",
                "note": LONG_TEXT,
            },
        ),
    )
    records = _exact(postgresql_url)
    assert records[9007199254740993] == {
        "id": 9007199254740993,
        "updated_at": "2024-03-31T01:30:00.123456+00:00",
        "amount": Decimal("12345678901234567890.123456789012345678"),
        "free": Decimal("0.1000"),
        "f8": Decimal("0.30000000000000004"),
        "ok": True,
        "d": "0044-03-15 BC",
        "ts": "2024-02-29T23:59:59.999999+00:00",
        "t": "12:30:00.5",
        "span": "1 year 2 days",
        "b": base64.b64encode(b"\x00\xff").decode(),
        "j": {"b": [Decimal("1.10"), 123456789012345678901234567890], "a": None},
        "j2": {"x": Decimal("1.50")},
        "u": "6f9619ff-8b86-d011-b42d-00cf4fc964ff",
        "words": ["a,b", "c"],
        "c": "ab",
        "note": CONTROL,
        "price": Decimal("1234.56"),
        "days": ["2024-01-31"],
        "_sync_key": "9007199254740993",
        "_sync_version": "2024-03-31 01:30:00.123456+00",
    }
    assert str(records[9007199254740993]["free"]) == "0.1000"
    assert (records[-1]["free"], records[-1]["ts"], records[-1]["note"]) == (None, "infinity", LONG_TEXT)
    assert run({"sqlalchemy_url": postgresql_url, "orders_table": "orders"}).records == _slow(postgresql_url).records


def test_mariadb_values_survive(mariadb_url: str) -> None:
    _create(
        mariadb_url,
        "SET SESSION sql_mode = ''",
        "CREATE TABLE orders (id BIGINT UNSIGNED PRIMARY KEY, updated_at DATETIME(6) NOT NULL, amount DECIMAL(38, 18),"
        " f8 DOUBLE, ok TINYINT(1), bits BIT(8), bit1 BIT(1), d DATE, ts TIMESTAMP(3) NULL, t TIME, y YEAR, b BLOB,"
        " j JSON, kind ENUM('a', 'b'), note TEXT CHARACTER SET utf8mb4)",
        "INSERT INTO orders VALUES (18446744073709551615, '2024-03-31 03:30:00.123456',"
        " 12345678901234567890.123456789012345678, 0.1e0 + 0.2e0, 1, b'101', b'1', '0000-00-00', FROM_UNIXTIME(1.5),"
        " '-838:59:59', 2024, x'00ff', '{\"a\": 1.10}', 'b', '')",
        "INSERT INTO orders (id, updated_at, ok) VALUES (1, '0000-00-00 00:00:00', 7)",
        rows=({"id": 2, "updated_at": "2024-01-01", "note": CONTROL + "😀", "ok": 0},),
    )
    records = _exact(mariadb_url)
    assert records[18446744073709551615] == {
        "id": 18446744073709551615,
        "updated_at": "2024-03-31T03:30:00.123456+00:00",
        "amount": Decimal("12345678901234567890.123456789012345678"),
        "f8": Decimal("0.30000000000000004"),
        "ok": True,
        "bits": 5,
        "bit1": True,
        "d": "0000-00-00",
        "ts": "1970-01-01T00:00:01.500+00:00",
        "t": "-838:59:59",
        "y": 2024,
        "b": base64.b64encode(b"\x00\xff").decode(),
        "j": '{"a": 1.10}',  # MariaDB's JSON is another name for text
        "kind": "b",
        "note": "",
        "_sync_key": "18446744073709551615",
        "_sync_version": "2024-03-31 03:30:00.123456",
    }
    assert (records[1]["updated_at"], records[1]["ok"]) == ("0000-00-00 00:00:00.000000", 7)
    assert (records[2]["note"], records[2]["ok"]) == (CONTROL + "😀", False)
    assert run({"sqlalchemy_url": mariadb_url, "orders_table": "orders"}).records == _slow(mariadb_url).records


SQLITE_MOMENTS = {
    "2024-03-31 03:30:00": "2024-03-31T03:30:00+00:00",
    "2024-03-31T03:30:00.120Z": "2024-03-31T03:30:00.120+00:00",
    "2024-03-31 03:30": "2024-03-31T03:30:00+00:00",
    "2024-03-31": "2024-03-31T00:00:00+00:00",
    "2024-03-31T03:30:00+02:00": "2024-03-31T01:30:00+00:00",
    "2024-03-31 03:30:00.123456789": "2024-03-31T03:30:00.123456789+00:00",
    "yesterday": "yesterday",
    "": "",
    "0000-00-00 00:00:00": "0000-00-00 00:00:00",
}


def test_sqlite_values_survive_in_whatever_shape_they_were_written(sqlite_url: str) -> None:
    _create(
        sqlite_url,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TEXT NOT NULL, amount DECIMAL(12, 2), f REAL,"
        " ok BOOLEAN, d DATE, ts DATETIME, b BLOB, j JSON, note VARCHAR(20), x)",
        rows=(
            {
                "id": 1,
                "updated_at": "2024-01-01",
                "amount": 4.0,
                "f": 1e22,
                "ok": 1,
                "d": "2024-01-31 00:00:00",
                "x": 1,
            },
            {
                "id": 2,
                "updated_at": "2024-01-02",
                "amount": 0.1,
                "f": float("inf"),
                "ok": 2,
                "d": "31.1.2024",
                "x": "t",
            },
            {"id": 3, "updated_at": "2024-01-03", "amount": "n/a", "b": b"\xff", "j": "[1.10]", "note": 7, "x": 2.5},
            {"id": 6, "updated_at": "2024-01-06", "b": 2**62},
            {"id": 7, "updated_at": "2024-01-07", "b": 2.5},
            {"id": 5, "updated_at": "2024-01-05", "j": '{"a": 1e99999999999999999999}'},
            {"id": 4, "updated_at": "2024-01-04", "amount": 1234567.89, "j": "no json", "note": CONTROL, "x": b"\x00"},
            *(
                {"id": 10 + index, "updated_at": f"2024-02-{10 + index}", "ts": text}
                for index, text in enumerate(SQLITE_MOMENTS)
            ),
        ),
    )
    records = _exact(sqlite_url)
    assert [records[number]["amount"] for number in (1, 2, 3, 4)] == [4, Decimal("0.1"), "n/a", Decimal("1234567.89")]
    assert (records[1]["f"], records[2]["f"]) == (Decimal("1e22"), None)
    assert (records[1]["ok"], records[2]["ok"], records[3]["ok"]) == (True, 2, None)
    assert (records[1]["d"], records[2]["d"]) == ("2024-01-31", "31.1.2024")
    assert (records[3]["b"], records[3]["j"], records[4]["j"]) == ("/w==", [Decimal("1.10")], "no json")
    assert [base64.b64decode(records[number]["b"]) for number in (6, 7)] == [b"4611686018427387904", b"2.5"]
    assert records[5]["j"] == '{"a": 1e99999999999999999999}'  # beyond all bounds: as the text it is
    assert (records[3]["note"], records[4]["note"]) == ("7", CONTROL)
    assert [records[number]["x"] for number in (1, 2, 3, 4)] == [1, "t", Decimal("2.5"), "AA=="]
    assert [record["ts"] for number, record in sorted(records.items()) if number >= 10] == list(SQLITE_MOMENTS.values())
    assert run({"sqlalchemy_url": sqlite_url, "orders_table": "orders"}).records == _slow(sqlite_url).records


def test_naive_moments_belong_to_the_configured_zone(engine_url: str) -> None:
    kind = "TIMESTAMP" if "postgresql" in engine_url else "DATETIME"
    _create(
        engine_url,
        f"CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at {kind} NOT NULL)",
        rows=({"id": 1, "updated_at": "2024-01-01 12:00:00"}, {"id": 2, "updated_at": "2024-07-01 12:00:00"}),
    )
    records = _exact(engine_url, timezone="Europe/Berlin")
    assert records[1]["updated_at"] == "2024-01-01T12:00:00+01:00"
    assert records[2]["updated_at"] == "2024-07-01T12:00:00+02:00"


def test_nan_and_infinity_are_told_of_once_a_column(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    _create(
        sqlite_url,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TEXT NOT NULL, f REAL)",
        rows=tuple({"id": n, "updated_at": f"2024-01-0{n}", "f": float("inf")} for n in (1, 2, 3)),
    )
    assert [record["f"] for record in _exact(sqlite_url, page_size=1).values()] == [None] * 3
    assert caplog.text.count("column 'f' holds NaN or Infinity") == 1


def test_text_that_is_no_utf8_is_sent_with_its_bytes_visible(sqlite_url: str, caplog: pytest.LogCaptureFixture) -> None:
    _create(
        sqlite_url,
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TEXT NOT NULL, name TEXT)",
        "INSERT INTO orders VALUES (1, '2024-01-01', CAST(x'4de9' AS TEXT)), (2, '2024-01-01', 'Mé')",
    )
    assert [record["name"] for record in _exact(sqlite_url).values()] == ["M\\xe9", "Mé"]
    assert "no UTF-8" in caplog.text


def test_odd_names_survive(sqlite_url: str) -> None:
    _create(
        sqlite_url,
        'CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TEXT NOT NULL, "a ""quoted"" \\ name" TEXT,'
        ' "select" TEXT)',
        "INSERT INTO orders VALUES (1, '2024-01-01', 'x', 'y')",
    )
    record = _exact(sqlite_url)[1]
    assert (record['a "quoted" \\ name'], record["select"]) == ("x", "y")
    (slow,) = _slow(sqlite_url).records
    slow.pop("_sync_content")
    assert slow == record
