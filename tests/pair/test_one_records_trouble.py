"""A record that nobody can read or write: it is refused by name, and all others go, on every way through the target."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import forked
import pytest
from click.testing import CliRunner
from pair_of_plugins import Finished, Shop, finish, start

from orders_sync.cli import main

RECORDS = 300

NAME = '"customer_name":"Zoë"'
AMOUNT = '"total_amount":9.5'
FULL = '{"order_id":"SO-%d",' + f"{NAME},{AMOUNT}," + '"edition":"%d","extra":{"part":1}}'


LIST = "a key that is a list"


def with_key(good: str, key: str) -> bytes:
    return ('{"order_id":' + key + "," + good[good.index(NAME) :]).encode()


TROUBLES: dict[str, Callable[[str], bytes]] = {
    "NaN": lambda good: good.replace("9.5", "NaN").encode(),
    "Infinity": lambda good: good.replace("9.5", "Infinity").encode(),
    "minus Infinity": lambda good: good.replace("9.5", "-Infinity").encode(),
    "NaN as text": lambda good: good.replace("9.5", '"NaN"').encode(),
    "sNaN as text": lambda good: good.replace("9.5", '"sNaN"').encode(),
    "Infinity as text": lambda good: good.replace("9.5", '"Infinity"').encode(),
    "a word for a number": lambda good: good.replace("9.5", '"hush"').encode(),
    "a number without bounds": lambda good: good.replace("9.5", "1e" + "9" * 30).encode(),
    "a number of 5,000 digits": lambda good: good.replace("9.5", "9" * 5000).encode(),
    "half an emoji": lambda good: good.replace("Zoë", "\\ud83d hush").encode(),
    "half an emoji in bytes": lambda good: good.encode().replace("Zoë".encode(), b"\xed\xa0\xbd hush"),
    "bytes that are no UTF-8": lambda good: good.replace("Zoë", "Zo~").encode().replace(b"~", b"\xff"),
    "half an emoji in the key": lambda good: good.replace('"SO-', '"\\ud83dSO-').encode(),
    "half an emoji in the version": lambda good: good.replace('"edition":"', '"edition":"\\ud83d').encode(),
    "no key": lambda good: ("{" + good[good.index(NAME) :]).encode(),
    "a null key": lambda good: with_key(good, "null"),
    "an empty key": lambda good: with_key(good, '""'),
    "a key of blanks": lambda good: with_key(good, '" \\u00a0 "'),
    LIST: lambda good: with_key(good, "[1]"),
    "nested without end": lambda good: good.replace("Zoë", "~").replace('"~"', "[" * 3000 + "]" * 3000).encode(),
    "a list for a text": lambda good: good.replace('"Zoë"', "[NaN]").encode(),
    "a deep NaN": lambda good: good.replace('"part":1', '"part":NaN').encode(),
}
WITHOUT_KEY = {"no key", "a null key", "an empty key", "a key of blanks", LIST}
SCHEMA = {
    "type": "SCHEMA",
    "stream": "orders",
    "key_properties": ["order_id"],
    "bookmark_properties": ["edition"],
    "schema": {
        "properties": {
            "order_id": {"type": ["string", "null"]},
            "customer_name": {"type": ["string", "null"]},
            "total_amount": {"type": ["number", "null"]},
            "edition": {"type": ["string", "null"]},
            "extra": {"type": ["object", "null"], "properties": {"part": {"type": ["number", "null"]}}},
        }
    },
}
STATE = '{"type":"STATE","value":{"seen":300}}'


def places(troubles: Sequence[str]) -> dict[int, str]:
    """Where in the stream, counted from 1, each of these stands, with good records before, between and behind."""
    return {RECORDS // 2 + 3 * index: trouble for index, trouble in enumerate(troubles)}


def record(number: int, trouble: str | None) -> bytes:
    good = FULL % (number, number)
    return good.encode() if trouble is None else TROUBLES[trouble](good)


def by_pipe(records: list[bytes], schema: dict[str, Any], folder: Path) -> bytes:  # noqa: ARG001 - as the other ways
    head = b'{"type":"RECORD","stream":"orders","record":'
    return b"\n".join([json.dumps(schema).encode(), *(head + each + b"}" for each in records), STATE.encode()])


def in_other_order(records: list[bytes], schema: dict[str, Any], folder: Path) -> bytes:  # noqa: ARG001
    tail = b',"stream":"orders","type":"RECORD"}'
    return b"\n".join([json.dumps(schema).encode(), *(b'{"record":' + each + tail for each in records), STATE.encode()])


def without_replication_key(records: list[bytes], schema: dict[str, Any], folder: Path) -> bytes:
    return by_pipe(records, schema | {"bookmark_properties": []}, folder)


def by_files(records: list[bytes], schema: dict[str, Any], folder: Path) -> bytes:
    path = folder / "records.jsonl.gz"
    path.write_bytes(gzip.compress(b"".join(each + b"\n" for each in records)))
    batch = {
        "type": "BATCH",
        "stream": "orders",
        "encoding": {"format": "jsonl", "compression": "gzip"},
        "manifest": [path.as_uri()],
    }
    return "\n".join([json.dumps(schema), json.dumps(batch), STATE]).encode()


MAP = {"stream_maps": {"orders": {"customer_name": "customer_name.strip()", "notes": "customer_name"}}}
FLAT = {"flattening_enabled": True, "flattening_max_depth": 2, "fields": {"extra__part": "Weight_Kg"}}

Way = tuple[Callable[[list[bytes], dict[str, Any], Path], bytes], dict[str, Any]]
WAYS: dict[str, Way] = {
    "blocks": (by_pipe, {}),
    "blocks, into jobs": (by_pipe, {"channel": "bulk_write"}),
    "without a replication key": (without_replication_key, {}),
    "payload hashes": (without_replication_key, {"skip_unchanged": True}),
    "a stream map": (by_pipe, MAP),
    "a stream map, without a replication key": (without_replication_key, MAP | {"skip_unchanged": True}),
    "flattening": (by_pipe, FLAT),
    "keys in other order": (in_other_order, {}),
    "files": (by_files, {}),
    "files and a stream map": (by_files, MAP),
}


def harmless(trouble: str, way: str) -> bool:
    """Whether the trouble lies in what nobody maps, or is none any more, so that the order is written all the same."""
    if trouble == "half an emoji in the version":
        return WAYS[way][0] is without_replication_key
    if way == "flattening":
        return trouble in {"a list for a text", LIST}  # Singer's flattening makes texts of lists
    return trouble == "a deep NaN"


@pytest.mark.parametrize("way", WAYS)
def test_records_that_nobody_can_read_are_named_and_all_others_go(shop: Shop, way: str) -> None:
    assert_named(shop, way, list(TROUBLES))


@pytest.mark.parametrize("trouble", ["NaN as text", "half an emoji", "a null key"])
def test_of_300_orders_299_are_written_where_one_is_in_trouble(any_shop: Shop, trouble: str) -> None:
    assert_named(any_shop, "without a replication key", [trouble])


def assert_named(shop: Shop, way: str, troubles: list[str]) -> None:
    write, shop.target_config = WAYS[way]
    at = places(troubles)
    records = [record(number, at.get(number)) for number in range(1, RECORDS + 1)]
    ended = take(shop, write(records, SCHEMA, shop.folder))
    assert "Traceback" not in ended.err, ended.err[-2000:]
    assert "hush" not in ended.err
    bad = {number: trouble for number, trouble in at.items() if not harmless(trouble, way)}
    assert ended.code == 0, ended.err[-2000:]
    keys = {number: "[1]" if at.get(number) == LIST else f"SO-{number}" for number in range(1, RECORDS + 1)}
    assert set(shop.crm()) == {key for number, key in keys.items() if number not in bad}
    assert (ended.code, '"seen":300' in ended.out) == (0, True)
    assert ended.summary["rejected"] == len(bad)
    refused = {key: ack.error_code for key, ack in shop.acks().items() if ack.status == "rejected"}
    for number, trouble in bad.items():
        name = f"record {number} without a key" if trouble in WITHOUT_KEY else f"SO-{number}"
        assert [code for key, code in refused.items() if name in key] == ["INVALID_DATA"], (trouble, refused)
    shown = problems(shop)
    assert sum(each["rejected"] for each in shown) == len(bad)


def problems(shop: Shop) -> list[dict[str, Any]]:
    result = CliRunner().invoke(main, ["problems", "--json", "--ack-url", shop.ack_url])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)["problems"]


def take(shop: Shop, messages: bytes) -> Finished:
    _, target = shop.configs()
    given = shop.folder / "messages.jsonl"
    given.write_bytes(messages)
    with given.open("rb") as source:
        return finish(start(forked.command("target-zoho-crm", ["--config", target]), stdin=source))
