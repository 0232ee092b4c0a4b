"""Partitions of the tap: what several taps stream is disjoint and, together, what one tap streams."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from engine_fixtures import fresh_database
from small_shop import LONG_AGO, Output, Shop, run

from sync_ledger.partitions import Partition
from sync_ledger.tables import AckStatus
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError

OF = 4


def split(shop: Shop, of: int = OF, states: list[dict[str, Any]] | None = None, **config: Any) -> list[Output]:
    """One run of each partition."""
    given = states or [{}] * of
    return [shop.run(given[index - 1], partition={"index": index, "of": of}, **config) for index in range(1, of + 1)]


def of_all(outputs: list[Output]) -> list[str]:
    """All keys that were streamed, each in its own partition."""
    for index, output in enumerate(outputs, 1):
        assert all(map(Partition(index, len(outputs)).holds, output.keys))
    return sorted(key for output in outputs for key in output.keys)


@pytest.mark.parametrize("elsewhere", [False, True], ids=["beside", "elsewhere"])
def test_all_partitions_stream_what_one_run_streams_and_none_twice(
    engine_url: str,
    elsewhere: bool,  # noqa: FBT001 - given by name
    tmp_path: Path,
) -> None:
    with (
        fresh_database("sqlite", tmp_path) as other,
        Shop.opened(engine_url, other if elsewhere else None) as shop,
    ):
        rows = [{"i": number, "n": "x", "u": shop.moment(number // 3)} for number in range(1, 61)]
        shop.sql("INSERT INTO orders VALUES (:i, :n, :u)", *rows)
        shop.put((61, None), (62, None), (63, None))
        shop.put_at(64, datetime(2091, 1, 1))  # noqa: DTZ001 - the shop's clock has no zone
        whole = shop.run()
        for number in range(1, 25):  # settled, in flight, changed in flight, due
            version = whole.versions[str(number)]
            shop.ack(str(number), version, [AckStatus.SYNCED, AckStatus.SUBMITTED][number % 2])
        for number in range(25, 37):
            shop.ack(str(number), "old", AckStatus.SUBMITTED if number % 3 else AckStatus.SYNCED)
        for number in range(37, 45):
            shop.ack(str(number), whole.versions[str(number)], AckStatus.REJECTED, LONG_AGO)
        whole = shop.run(page_size=7)
        outputs = split(shop, page_size=7)
        assert of_all(outputs) == sorted(whole.keys)
        assert all(output.keys for output in outputs)
        for output in outputs:
            shop.ack_all(output)
        # Each partition has a bookmark of its own, and finds its own changes from there.
        rows = [{"i": number, "u": shop.moment(100)} for number in (3, 8, 50, 58, 59)]
        shop.sql("UPDATE orders SET updated_at = :u WHERE id = :i", *rows)
        states = [output.state for output in outputs]
        assert of_all(split(shop, states=states)) == ["50", "58", "59", "8"]  # 3 is in flight


def test_keys_of_several_columns_are_split_by_all_of_them(engine_url: str) -> None:
    with Shop.opened(engine_url) as shop:
        shop.sql(
            "CREATE TABLE parts (region VARCHAR(9), no INTEGER, updated_at TIMESTAMP NULL, PRIMARY KEY (region, no))"
        )
        rows = [{"r": region, "n": n, "u": shop.moment(n)} for region in ("a|1", "b\\2", "Ä3") for n in range(20)]
        shop.sql("INSERT INTO parts VALUES (:r, :n, :u)", *rows)
        keys = of_all(split(shop, 3, orders_table="parts"))
        assert len(keys) == len(set(keys)) == 60


def test_deletions_and_returns_are_each_of_one_partition(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.put(*((number, number) for number in range(1, 31)))
        shop.ack_all(shop.run())
        shop.sql("UPDATE zoho_sync_ack SET zoho_id = record_key")
        shop.sql("DELETE FROM orders WHERE id > 10")
        assert of_all(split(shop, find_deleted=True)) == sorted(map(str, range(11, 31)))
        shop.sql(
            "UPDATE zoho_sync_ack SET status = 'deleted', version = '(deleted)' WHERE CAST(record_key AS INT) > 10"
        )
        shop.put(*((number, number) for number in range(11, 31)))
        outputs = split(shop, states=[shop.run().state] * OF, find_deleted=True)
        assert of_all(outputs) == sorted(map(str, range(11, 31)))


def test_a_bookmark_counts_where_it_speaks_of_all_keys(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.put(*((number, number * 1000) for number in range(1, 21)))
        whole = shop.run()
        half = shop.run(partition={"index": 1, "of": 2})
        assert half.state["bookmarks"]["orders"]["partition"] == "1/2"
        assert "partition" not in whole.state["bookmarks"]["orders"]
        # Nothing is acknowledged: what is streamed tells from where the run read.
        for state, partition, reads_all in [
            (whole.state, {"index": 2, "of": 3}, False),
            (half.state, {"index": 1, "of": 2}, False),
            (half.state, {"index": 3, "of": 4}, False),
            (half.state, {"index": 2, "of": 2}, True),
            (half.state, {"index": 2, "of": 4}, True),
            (half.state, {"index": 1, "of": 3}, True),
            (half.state, None, True),
        ]:
            fresh, resumed = shop.run(partition=partition), shop.run(state, partition=partition)
            assert (resumed.keys == fresh.keys) is reads_all
            for each in (resumed.state, fresh.state):
                each["bookmarks"]["orders"].pop("since")  # by the clock
            assert resumed.state == fresh.state  # also the mark of another partition is gone


def test_the_schema_names_the_partition(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop:
        schemas = [
            next(message["schema"] for message in shop.run(**config).messages if message["type"] == "SCHEMA")
            for config in ({}, {"partition": {"index": 2, "of": 4}})
        ]
        assert [schema.get("x-sync-partition") for schema in schemas] == [None, "2/4"]


@pytest.mark.parametrize(
    "partition", [{"index": 5, "of": 4}, {"index": 0, "of": 4}, {"index": 1, "of": 17}, {"index": 1}]
)
def test_a_partition_that_is_none_is_refused(sqlite_url: str, partition: dict[str, int]) -> None:
    with Shop.opened(sqlite_url) as shop, pytest.raises(TapConfigError, match=r"partition|of.*required"):
        run(shop.config | {"partition": partition})


def test_a_state_of_a_partition_that_is_none_is_refused(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop, pytest.raises(TapConfigError, match="'5/4' is no partition"):
        TapLegacyOrders(config=shop.config, state={"bookmarks": {"orders": {"partition": "5/4"}}})
