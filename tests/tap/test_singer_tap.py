"""An ordinary plugin of the SDK: its standard tests, stream maps, flattening, batches, and the shape of our lines."""

from __future__ import annotations

import gzip
import json
import sqlite3
import tempfile
from pathlib import Path
from typing import Any

import pytest
from singer_sdk.testing import SuiteConfig, get_tap_test_class
from small_shop import Shop, run

from tap_legacy_orders.stream import UnsyncedOrdersStream
from tap_legacy_orders.tap import TapLegacyOrders


def _standard_shop() -> dict[str, Any]:
    """Make a table with every common type for the SDK's suites, which take their configuration at import."""
    path = Path(tempfile.mkdtemp(prefix="orders-sync-")) / "shop.sqlite"
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TABLE orders (id INTEGER PRIMARY KEY, order_no VARCHAR(20) NOT NULL, total DECIMAL(12, 2),"
        " paid BOOLEAN, placed DATE, note TEXT, created_at DATETIME, updated_at DATETIME NOT NULL)"
    )
    rows = [
        (
            n,
            f"SO-{n}",
            n / 4,
            n % 2,
            f"2024-02-{n % 28 + 1:02}",
            "ä" * n,
            "2024-01-01T00:00:00Z",
            f"2024-01-01 00:{n % 60:02}:00",
        )
        for n in range(1, 400)
    ]
    connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
    connection.commit()
    connection.close()
    return {"sqlalchemy_url": f"sqlite:///{path}", "orders_table": "orders", "page_size": 100}


CONFIG = _standard_shop()
TestStandard = get_tap_test_class(TapLegacyOrders, config=CONFIG)
TestStandardWithoutALimit = get_tap_test_class(
    TapLegacyOrders, config=CONFIG, suite_config=SuiteConfig(max_records_limit=None)
)


def test_lines_and_state_have_exactly_the_shape_that_the_target_reads_fast(
    sqlite_url: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.put((7, 1.5))
        tap = TapLegacyOrders(config=shop.config)
        tap.sync_all()
        tap.engine.dispose()
    schema, record, state, last = capfd.readouterr().out.splitlines()
    assert schema.startswith('{"type":"SCHEMA","stream":"orders","schema":{')
    assert schema.endswith('"key_properties":["id"],"bookmark_properties":["updated_at"]}')
    moment, content = json.loads(record)["time_extracted"], json.loads(record)["record"]["_sync_content"]
    assert record == (
        '{"type":"RECORD","stream":"orders","record":{"id":7,"name":"order 7 at 1.5",'
        '"updated_at":"2024-03-01T12:00:01.500000+00:00","_sync_key":"7","_sync_version":"2024-03-01 12:00:01.500000",'
        f'"_sync_content":"{content}"}},"time_extracted":"{moment}"}}'
    )
    ledger_id = json.loads(schema)["schema"]["x-sync-ledger"]
    since = json.loads(state)["value"]["bookmarks"]["orders"]["since"]
    assert state == (
        f'{{"type":"STATE","value":{{"bookmarks":{{"orders":{{"since":"{since}","replication_key":"updated_at",'
        f'"replication_key_value":"2024-03-01 12:00:01.500000","ledger":{{"id":"{ledger_id}"}}}}}}}}}}'
    )
    assert last == state.removesuffix("}}}}") + ',"end":true}}}}'


def test_a_stream_map_renames_and_drops(either_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UnsyncedOrdersStream, "STATE_MSG_FREQUENCY", 1)
    shop = either_shop
    shop.put((1, 1), (2, 2), (3, 3))
    maps = {"orders": {"title": "name", "name": None, "__alias__": "sales", "__filter__": "id != 2"}}
    output = shop.run(stream_maps=maps, page_size=2)
    records = [message for message in output.messages if message["type"] == "RECORD"]
    assert [message["stream"] for message in records] == ["sales", "sales"]
    assert list(records[0]["record"]) == ["id", "updated_at", "_sync_key", "_sync_version", "_sync_content", "title"]
    assert output.keys == ["1", "3"]
    assert output.bookmark() == shop.moment(3)
    # STATE follows each page, and never runs ahead of the records before it.
    last = None
    for message in output.messages:
        if message["type"] == "RECORD":
            last = message["record"]["_sync_version"]
        elif message["type"] == "STATE":
            bookmark = message["value"]["bookmarks"]["orders"].get("replication_key_value")
            assert bookmark in {None, shop.moment(2), shop.moment(3)}
            assert bookmark != shop.moment(3) or last == shop.moment(3)
    assert [state["bookmarks"]["orders"].get("replication_key_value") for state in output.states][-3:] == [
        shop.moment(2),
        shop.moment(3),
        shop.moment(3),
    ]


def test_flattening_takes_the_sdks_own_path_with_the_same_bookmarks(shop: Shop) -> None:
    shop.put((1, 1), (2, 2))
    flat = shop.run(flattening_enabled=True, flattening_max_depth=2)
    plain = shop.run()
    assert flat.records == plain.records
    assert flat.bookmark() == plain.bookmark()


def test_state_of_batches_covers_no_more_than_their_files(sqlite_url: str, tmp_path: Path) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.put(*((number, number) for number in range(1, 8)))
        batches = {
            "encoding": {"format": "jsonl", "compression": "gzip"},
            "storage": {"root": tmp_path.as_uri()},
            "batch_size": 2,
        }
        output = run(shop.config | {"page_size": 3, "batch_config": batches})
        sent: list[str] = []
        for message in output.messages:
            if message["type"] == "BATCH":
                for file in message["manifest"]:
                    lines = gzip.decompress(Path(file.removeprefix("file://")).read_bytes()).splitlines()
                    sent += [json.loads(line)["_sync_version"] for line in lines]
            elif message["type"] == "STATE" and sent:
                assert message["value"]["bookmarks"]["orders"]["replication_key_value"] == sent[-1]
        assert len(sent) == 7
