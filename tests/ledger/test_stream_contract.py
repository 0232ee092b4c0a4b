"""What the tap announces in a SCHEMA message is what the target reads, and nothing else is believed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from sync_databases.flags import FlaggedTable
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.stream_contract import Announcement, AnnouncementError, Source, announce, read_announcement

FLAG = FlaggedTable(table="orders", schema="shop", key=("region", "id"), version="updated_at", flag="synced")
READ_AFTER = "2 runs, 17 heartbeats"
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"id": {"type": "integer"}}}


@pytest.mark.parametrize(
    "announcement",
    [
        Announcement(),
        Announcement(READ_AFTER, Partition(2, 4), FLAG),
        Announcement(READ_AFTER, marks_end=True, line_names=("order_id", "id")),
        Announcement(READ_AFTER, tap_columns=("updated_at",)),
        Announcement(READ_AFTER, ledger_id="1f", stream="orders", source=Source(table="shop.orders")),
        Announcement(READ_AFTER, source=Source(table="orders", filter_mark="f", columns_mark="c")),
        Announcement(READ_AFTER, expected=60_000),
        Announcement(READ_AFTER, in_part=True),
    ],
)
def test_the_target_reads_what_the_tap_announces(announcement: Announcement) -> None:
    message = json.loads(json.dumps(announce(SCHEMA, announcement)))
    assert read_announcement(message) == announcement


def test_an_announcement_leaves_the_schema_as_it_is() -> None:
    before = json.dumps(SCHEMA)
    announced = announce(SCHEMA, Announcement(READ_AFTER, Partition(1, 2), FLAG))
    assert json.dumps(SCHEMA) == before
    assert {name: announced[name] for name in SCHEMA} == SCHEMA
    assert all(name.startswith("x-sync-") for name in announced.keys() - SCHEMA.keys())


def test_a_tap_of_another_kind_announces_nothing() -> None:
    assert read_announcement(SCHEMA) == Announcement(read_after=None, partition=WHOLE, sync_flag=None)


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("x-sync-read-after", ""),
        ("x-sync-read-after", 2),
        ("x-sync-partition", "5/4"),
        ("x-sync-partition", "02/4"),
        ("x-sync-partition", None),
        ("x-sync-partition", 3),
        ("x-sync-flag", "synced"),
        ("x-sync-ledger", 7),
        ("x-sync-expected", "many"),
        ("x-sync-stream", ""),
        ("x-sync-source", "orders"),
        ("x-sync-source", {"filter_mark": "f"}),
        ("x-sync-flag", {"table": "orders"}),
        ("x-sync-flag", {"table": "o", "schema": None, "key": ["id"], "version": "v", "flag": "f", "url": "x"}),
    ],
)
def test_what_no_tap_announces_is_refused_by_the_keywords_name(keyword: str, value: Any) -> None:
    with pytest.raises(AnnouncementError, match=keyword):
        read_announcement({**SCHEMA, keyword: value})
