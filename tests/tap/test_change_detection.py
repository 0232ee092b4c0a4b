"""How large a table may be whose orders are all compared, and when that is asked."""

from __future__ import annotations

from typing import Any

import pytest
import sqlalchemy as sa
from small_shop import run

from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import RUN_COUNTS
from tap_legacy_orders import change_detection, reading_scope
from tap_legacy_orders.tap_errors import TapConfigError


@pytest.fixture
def undated(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Settings for a table of three orders without a date, where two are many."""
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id TEXT PRIMARY KEY, order_date DATE, flag INT)")
        connection.exec_driver_sql("INSERT INTO orders (id) VALUES ('a'), ('b'), ('c')")
    engine.dispose()
    for module in (change_detection, reading_scope):
        monkeypatch.setattr(module, "ORDERS_MOST", 2)
    return {"sqlalchemy_url": sqlite_url, "orders_table": "orders"}


def test_a_large_table_is_compared_only_if_that_is_asked_for(undated: dict[str, Any]) -> None:
    with pytest.raises(TapConfigError, match=r"replication_key: orders has no column .*`change_detection` to content"):
        run(undated)
    assert sorted(run({**undated, "change_detection": "content"}).keys) == ["a", "b", "c"]


def test_a_table_that_grew_stops_no_schedule(undated: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    ledger = Ledger.open(undated["sqlalchemy_url"])
    ledger.ensure_tables()
    Lease.acquire(ledger, "orders").release("finished", dict.fromkeys(RUN_COUNTS, 0), 0)
    ledger.close()
    first = run(undated)
    assert sorted(first.keys) == ["a", "b", "c"]
    assert sorted(run(undated, first.state).keys) == ["a", "b", "c"]  # a bookmark is no sign of a first run
    assert "has grown to more than 2 orders" in caplog.text


@pytest.mark.parametrize("other", [{"follow": True}, {"sync_flag_column": "flag", "unsynced_by": "sync_flag"}])
def test_what_needs_a_column_says_so(undated: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises(TapConfigError, match="no column named like updated_at"):
        run({**undated, **other})


@pytest.mark.parametrize("other", [{"follow": True}, {"sync_flag_column": "flag"}])
def test_what_cannot_go_with_contents_is_refused(undated: dict[str, Any], other: dict[str, Any]) -> None:
    with pytest.raises(TapConfigError, match=f"`content` compares all orders in each run, and `{next(iter(other))}`"):
        run({**undated, "change_detection": "content", **other})


def test_with_a_replication_key_all_are_compared_and_versions_stay_those_of_the_key(undated: dict[str, Any]) -> None:
    named = {**undated, "replication_key": "order_date"}
    first = run(named)
    again = run({**named, "change_detection": "content"})
    assert again.versions == first.versions == {"a": "-", "b": "-", "c": "-"}
    assert {each["_sync_content"] for each in again.records} == {each["_sync_content"] for each in first.records}
