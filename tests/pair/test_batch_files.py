"""BATCH messages between tap and target: the same orders in the CRM, and files that last as long as they are needed."""

from __future__ import annotations

import gzip
import json
import signal
import stat
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from following_pair import FOLLOW, following, until
from pair_of_plugins import Shop

KEYS = [f"SO-{number}" for number in range(120)]
CLIENT = "target_zoho_crm.api.client.ZohoClient"


@pytest.fixture
def files(tmp_path: Path) -> Path:
    return tmp_path / "files"


def by_batches(shop: Shop, files: Path, compression: str = "none", **target: Any) -> None:
    shop.tap_config = {
        "page_size": 50,
        "batch_config": {
            "encoding": {"format": "jsonl", "compression": compression},
            "storage": {"root": files.as_uri(), "prefix": "day-"},
            "batch_size": 20,
        },
    }
    shop.target_config = {"delete_batch_files": True, **target}


@pytest.mark.parametrize("compression", ["none", "gzip"])
def test_orders_go_by_files_that_are_gone_afterwards(shop: Shop, files: Path, compression: str) -> None:
    by_batches(shop, files, compression, channel="bulk_write")
    shop.insert(KEYS)
    ended = shop.run()
    assert (ended.code, ended.summary["synced"], ended.errors) == (0, len(KEYS), [])
    shop.assert_all_synced()
    assert len(shop.jobs()) == 1  # pages and files do not make jobs smaller
    assert list(files.iterdir()) == []
    shop.change(KEYS[:3], notes='changed,\n"twice"')
    assert shop.run().summary["read"] == 3
    shop.assert_all_synced()
    assert shop.run().summary["read"] == 0


def test_files_hold_the_records_of_the_messages_and_nobody_else_may_read_them(shop: Shop, files: Path) -> None:
    shop.insert(KEYS[:30], notes="é, \u2028")
    by_batches(shop, files, "gzip")
    messages = read_by(shop)
    manifests = [Path(url.removeprefix("file://")) for m in messages if m["type"] == "BATCH" for url in m["manifest"]]
    assert set(manifests) == set(files.iterdir())
    assert [path.name.startswith("day-orders-") for path in manifests] == [True] * 2
    assert {stat.S_IMODE(path.stat().st_mode) for path in (files, *manifests)} == {0o700, 0o600}
    written = [json.loads(line) for path in manifests for line in gzip.decompress(path.read_bytes()).splitlines()]
    shop.tap_config = {}
    assert written == [message["record"] for message in read_by(shop) if message["type"] == "RECORD"]


def test_files_stay_until_their_records_are_settled_and_unless_told_otherwise(shop: Shop, files: Path) -> None:
    by_batches(shop, files, channel="bulk_write")
    shop.insert(KEYS)
    assert shop.run(kill_at=f"before:{CLIENT}.create_job").code == -signal.SIGKILL
    left = set(files.iterdir())
    assert len(left) == 7  # pages of 50, 50 and 20 orders
    by_batches(shop, files, channel="bulk_write", delete_batch_files=None)
    assert shop.run().code == 0
    shop.assert_all_synced()
    assert set(files.iterdir()) == left  # the dead run's job went on; nothing was read


def test_a_run_that_fails_leaves_no_file_that_it_has_read(shop: Shop, files: Path) -> None:
    by_batches(shop, files, on_rejection="fail_fast")
    shop.emulator.admin.add_fault(kind="record_error", code="INVALID_DATA", field="Notes", keys=["SO-3"])
    shop.insert(KEYS)
    assert shop.run().code == 1
    assert list(files.iterdir()) == []
    assert shop.run().code == 0
    shop.assert_all_synced(but=["SO-3"])


def test_stream_maps_and_bad_records_are_the_same_by_files(shop: Shop, files: Path) -> None:
    maps = {
        "orders": {"customer_name": "record['customer_name'].upper()", "__filter__": "record['order_id'] != 'SO-5'"}
    }
    by_batches(shop, files, stream_maps=maps)
    shop.insert(KEYS[:10])
    assert (shop.run().summary["read"], len(shop.acks())) == (9, 9)
    assert {record["Customer_Name"][:3] for record in shop.crm().values()} == {"ZOË"}
    assert set(shop.crm()) == set(KEYS[:10]) - {"SO-5"}


def test_the_tap_writes_no_files_without_its_stream_maps(shop: Shop, files: Path) -> None:
    by_batches(shop, files)
    shop.tap_config["stream_maps"] = {"orders": {"customer_name": "'hidden'"}}
    shop.insert(KEYS[:1])
    ended = shop.tap()
    assert ended.code == 2
    assert "set those in the target instead" in ended.err
    assert "Traceback" not in ended.err


def read_by(shop: Shop) -> list[dict[str, Any]]:
    """The messages of the tap."""
    return [json.loads(line) for line in shop.tap().out.split("\n") if line]


def broken(path: Path) -> None:
    path.write_bytes(gzip.compress(path.read_bytes())[:-9])


def no_record(path: Path) -> None:
    path.write_text('{"order_id": "SO-1"\n')


@pytest.mark.parametrize(
    ("spoil", "encoding", "complaint"),
    [
        (Path.unlink, {}, "cannot be read: [Errno 2]"),
        (broken, {"compression": "gzip"}, "cannot be read: Compressed file ended before"),
        (no_record, {}, "is no JSON"),
        (Path.touch, {"format": "parquet"}, "set the tap's `batch_config`"),
        (Path.touch, {"compression": "zstd"}, "set the tap's `batch_config`"),
    ],
)
def test_a_file_that_cannot_be_read_ends_the_run_with_one_line(
    shop: Shop, files: Path, spoil: Callable[[Path], None], encoding: Mapping[str, str], complaint: str
) -> None:
    by_batches(shop, files)
    shop.insert(KEYS[:10])
    messages = read_by(shop)
    message = next(message for message in messages if message["type"] == "BATCH")
    message["encoding"] |= encoding
    spoil(Path(message["manifest"][0].removeprefix("file://")))
    ended = shop.take("".join(f"{json.dumps(message)}\n" for message in messages))
    assert ended.code == 1
    assert len(ended.errors) == 1
    assert complaint in ended.errors[0]
    assert "orders" not in ended.out  # no STATE
    assert shop.run().code == 0
    shop.assert_all_synced()


def test_a_full_disk_ends_the_tap_with_one_line(shop: Shop) -> None:
    by_batches(shop, Path("/dev/full"))
    shop.insert(KEYS[:10])
    ended = shop.tap()
    assert ended.code == 1
    assert [line for line in ended.err.splitlines() if "batch_config: /dev/full/day-orders-" in line] != []
    assert "Traceback" not in ended.err


def test_a_pair_that_follows_goes_by_the_pipe(shop: Shop, files: Path) -> None:
    by_batches(shop, files, max_age_seconds=0.2)
    shop.tap_config |= FOLLOW
    shop.insert(KEYS[:10])
    with following(shop) as pair:
        until(lambda: len(shop.crm()) == 10, pair)
        assert pair.stop().code == 0
    shop.assert_all_synced()
    assert not files.exists()
