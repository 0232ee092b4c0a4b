"""Dates as text that do not sort by time are refused as a change column, before an order can be missed."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path

import pytest
import sqlalchemy as sa
from engine_fixtures import fresh_database
from sqlalchemy.pool import NullPool

from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.text_dates import sorts_by_no_time

NOW = datetime(2026, 3, 1, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    "text",
    [
        *("31.12.2025 14:05", "1.2.2025", "12/31/2025", "31-12-2025", "12/31/25 2:05 PM", " 05.06.24"),
        *("2025-1-31", "2025/12/5 10:00", "2025.9.30", "2025-01-31 01:30 PM", "2025-01-31 1:30:00 a.m."),
        *("31 Dec 2025", "Dec 31, 2025", "Wed, 31 December 2025 14:05:00 +0000", "31-Dec-2025", "June 3rd, 2025"),
    ],
)
def test_forms_that_do_not_sort(text: str) -> None:
    assert sorts_by_no_time(text, NOW)


@pytest.mark.parametrize(
    "text",
    [
        *("2025-12-31", "2025-12-31T14:05:00Z", "2025/12/31 14:05", "2025.12.31", "20251231", "20251231140500"),
        *("26.02.28", "25-12-31", "26/03/01 10:00", "1735653900", "000017", "a8f-2025", "v 10.20.3000"),
        *("24-03-05", "23.06.30 10:00", "2026-01-31 14:05:00 America/New_York", "2026-01-31 02:05 AMT", "INV-2024 MAY"),
        *("10.1.12.4", "", "99.99.2025", "2025-W52-3", "2025-12-31 14:05 P", "Marketing 2025", "10.2.3"),
    ],
)
def test_forms_that_sort_or_are_no_dates(text: str) -> None:
    assert not sorts_by_no_time(text, NOW)


def test_a_column_of_such_dates_is_refused_and_contents_find_the_changes(
    engine_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = sa.create_engine(engine_url, poolclass=NullPool)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE orders (order_id VARCHAR(20) PRIMARY KEY, changed_at VARCHAR(30), status VARCHAR(20))"
        )
        connection.exec_driver_sql("INSERT INTO orders VALUES ('1-1-2025', '31.12.2025 14:05', 'New')")
        connection.exec_driver_sql("INSERT INTO orders VALUES ('2-1-2025', '05.01.2026 09:00', 'New')")
    config = {"sqlalchemy_url": engine_url, "orders_table": "orders"}
    for named in ({}, {"replication_key": "changed_at"}):
        with pytest.raises(TapConfigError, match=r"'changed_at' holds dates like '31.12.2025 14:05', which as"):
            TapLegacyOrders(config=config | named).sync_all()
    for other in ({"change_detection": "content"}, {"replication_key": "order_id"}):
        capsys.readouterr()
        TapLegacyOrders(config=config | other).sync_all()
        assert capsys.readouterr().out.count('"RECORD"') == 2


def test_a_view_with_the_dates_in_order_is_read(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with fresh_database("sqlite", tmp_path) as url:
        with sa.create_engine(url, poolclass=NullPool).begin() as connection:
            connection.exec_driver_sql("CREATE TABLE raw (order_id TEXT PRIMARY KEY, changed TEXT)")
            connection.exec_driver_sql("INSERT INTO raw VALUES ('A', '31.12.2025 14:05'), ('B', '05.01.2026 09:00')")
            connection.exec_driver_sql(
                "CREATE VIEW orders AS SELECT order_id, substr(changed, 7, 4) || '-' || substr(changed, 4, 2) || '-'"
                " || substr(changed, 1, 2) || substr(changed, 11) AS changed_at FROM raw"
            )
        tap = {"sqlalchemy_url": url, "orders_table": "orders", "key_column": "order_id"}
        TapLegacyOrders(config=tap | {"replication_key": "changed_at"}).sync_all()
    out = capsys.readouterr().out
    assert out.count('"RECORD"') == 2
    assert '"replication_key_value":"2026-01-05 09:00"' in out
