"""Texts of SQLite that are their own values: what is read is what the statement for all values gives."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa

from tap_legacy_orders.plain_texts import PlainQueries
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_queries import UnsyncedQueries
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

PLAIN = [f"('A{n}ë', '2024-03-0{n} 10:00:00')" for n in range(1, 6)]
OTHERS = {
    "backslash": r"('A\x41', '2024-03-04 12:00:00')",
    "no UTF-8": "(CAST(x'41ff' AS TEXT), '2024-03-04 12:00:00')",
    "number": "(7, '2024-03-04 12:00:00')",
    "bytes": "(x'41ff', '2024-03-04 12:00:00')",
    "no date": "('A6', NULL)",
    "empty date": "('A6', '')",
}


def _rows(url: str, monkeypatch: pytest.MonkeyPatch, *, plain: bool) -> tuple[list[tuple[Any, ...]], UnsyncedQueries]:
    """All columns of all pages, and the statements that read the last one."""
    with monkeypatch.context() as patch:
        if not plain:
            patch.setattr("tap_legacy_orders.orders_source.may_be_plain", lambda *_: False)
        config = {"sqlalchemy_url": url, "orders_table": "orders", "settle_seconds": 0, "page_size": 2}
        tap = TapLegacyOrders(config=config)
        source = tap.orders_source("orders", tap.orders_table.columns, None)
        pages = list(UnsyncedOrders(source).pages(None))
    assert [page.bookmark for page in pages][-1] is not None
    return [row for page in pages for row in zip(*page.columns, strict=True)], source.queries


def _make(url: str, rows: list[str]) -> None:
    engine = sa.create_engine(url, poolclass=sa.NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (k PRIMARY KEY, updated_at DATETIME)")
        connection.exec_driver_sql(f"INSERT INTO orders VALUES {', '.join(rows)}")


def test_plain_texts_are_read_as_they_stand(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(sqlite_url, PLAIN)
    rows, queries = _rows(sqlite_url, monkeypatch, plain=True)
    assert isinstance(queries, PlainQueries)
    assert rows == _rows(sqlite_url, monkeypatch, plain=False)[0]
    assert [row[-2:] for row in rows][:1] == [("A1ë", "2024-03-01 10:00:00")]


@pytest.mark.parametrize("other", OTHERS)
def test_any_other_value_is_read_as_its_text(other: str, sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _make(sqlite_url, [*PLAIN, OTHERS[other]])
    rows, queries = _rows(sqlite_url, monkeypatch, plain=True)
    expected, _ = _rows(sqlite_url, monkeypatch, plain=False)
    assert rows == expected
    assert all(isinstance(text, str) for row in rows for text in row[-2:])
    assert isinstance(queries, PlainQueries) == other.endswith("date")
