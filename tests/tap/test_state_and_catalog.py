"""STATE, catalog and settings of any shape: a clear error, or the right orders."""

from __future__ import annotations

import math
from typing import Any

import pytest
from small_shop import Shop

from sync_databases.database_errors import DatabaseError
from sync_databases.drivers import database_url
from sync_ledger.ledger import Ledger
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError


@pytest.mark.parametrize(
    "state",
    [
        [],
        "x",
        1,
        {"bookmarks": []},
        {"bookmarks": {"orders": "x"}},
        {"bookmarks": {"orders": {"replication_key": 1}}},
        {"bookmarks": {"orders": {"replication_key_value": ["x"]}}},
        {"bookmarks": {"orders": {"progress_markers": None}}},
    ],
)
def test_a_state_of_another_shape_is_one_clear_error(sqlite_url: str, state: Any) -> None:
    with pytest.raises(TapConfigError, match=r"state: .*; take one that this tap wrote"):
        TapLegacyOrders(config={"sqlalchemy_url": sqlite_url, "orders_table": "orders"}, state=state)


@pytest.mark.parametrize(
    "catalog",
    [
        [],
        {},
        {"streams": [{}]},
        {"streams": [{"tap_stream_id": "orders", "schema": []}]},
        {"streams": [{"tap_stream_id": "orders", "schema": {"properties": {"id": 1}}}]},
        {"streams": [{"tap_stream_id": "orders", "schema": {}, "metadata": {"x": 1}}]},
    ],
)
def test_a_catalog_of_another_shape_is_one_clear_error(sqlite_url: str, catalog: Any) -> None:
    with pytest.raises(TapConfigError, match=r"catalog: .*run discovery again"):
        TapLegacyOrders(config={"sqlalchemy_url": sqlite_url, "orders_table": "orders"}, catalog=catalog)


@pytest.mark.parametrize("setting", ["lookback_seconds", "settle_seconds"])
@pytest.mark.parametrize("seconds", [math.inf, math.nan, 1e300])
def test_a_time_without_end_is_refused(sqlite_url: str, setting: str, seconds: float) -> None:
    with Shop.opened(sqlite_url) as shop, pytest.raises(TapConfigError, match=setting):
        shop.run(**{setting: seconds})


def test_null_is_no_setting(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.put((1, 0), (2, 1))
        assert shop.run(settle_seconds=None, page_size=None, timezone=None).keys == ["1", "2"]


@pytest.mark.parametrize("url", ["sqlite:///a\0b", "postgresql://u:p@h/\n", "sqlite:////\x1b[31m"])
def test_a_url_with_what_no_url_has_is_refused_and_not_shown(url: str) -> None:
    with pytest.raises(DatabaseError, match="cannot be read") as caught:
        database_url(url)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_ledger_that_forgets_is_refused(url: str) -> None:
    with pytest.raises(DatabaseError, match="forgets everything"):
        Ledger.open(url)


def test_a_bookmark_is_a_value_and_no_sql(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.put((1, 0), (2, 1))
        value = "2024-03-01 12:00:00'; DROP TABLE orders; --"
        bookmark = {"replication_key_value": value, "ledger": {"id": shop.ledger.ledger_id}}
        # SQLite may have given any text, so all orders are compared.
        assert shop.run({"bookmarks": {"orders": bookmark}}).keys == ["1", "2"]
        assert shop.run().keys == ["1", "2"]
