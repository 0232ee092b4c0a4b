"""Lines of one order that nobody can read or write: that order is refused by name, all others go with theirs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import forked
import pytest
from pair_of_plugins import Finished, Shop, finish, start

ORDERS = 40
GOOD = '[{"id":"L-%d","quantity":1.5,"product":"Zoë"}]'

TROUBLES = {
    "NaN": '[{"id":"L","quantity":NaN}]',
    "NaN as text": '[{"id":"L","quantity":"NaN"}]',
    "sNaN as text": '[{"id":"L","quantity":"sNaN"}]',
    "Infinity": '[{"id":"L","quantity":Infinity}]',
    "a number without bounds": '[{"id":"L","quantity":1e' + "9" * 30 + "}]",
    "half an emoji": '[{"id":"L","product":"\\ud83d"}]',
    "half an emoji in the key": '[{"id":"L\\ud83d","product":"x"}]',
    "a NUL in the key": '[{"id":"L\\u0000","product":"x"}]',
    "no key": '[{"quantity":1}]',
    "a null key": '[{"id":null}]',
    "a key that is a list": '[{"id":[]}]',
    "an object in place of the list": '{"id":"L"}',
    "a text in place of the list": '"L"',
    "a number in place of the list": "7",
    "a list of texts": '["L"]',
    "a list of nulls": "[null]",
    "a line that is a list": "[[1]]",
    "nested without end": "[" * 3000 + "]" * 3000,
}
SCHEMA = {
    "type": "SCHEMA",
    "stream": "orders",
    "key_properties": ["order_id"],
    "schema": {
        "properties": {
            "order_id": {"type": "string"},
            "customer_name": {"type": ["string", "null"]},
            "lines": {
                "type": ["array", "null"],
                "items": {
                    "type": "object",
                    "properties": {
                        "id": {"type": ["string", "null"]},
                        "quantity": {"type": ["number", "null"]},
                        "product": {"type": ["string", "null"]},
                    },
                },
            },
        }
    },
}


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
@pytest.mark.parametrize("write_to", ["module", "subform"])
def test_an_order_whose_lines_nobody_can_read_is_named_and_all_others_go(
    shop: Shop, write_to: str, channel: str
) -> None:
    assert_named(shop, {"write_to": write_to, "key_property": "id"}, channel, list(TROUBLES))


def test_payload_hashes_are_no_hurdle(shop: Shop) -> None:
    shop.target_config["skip_unchanged"] = True
    assert_named(shop, {"write_to": "module", "key_property": "id"}, "auto", list(TROUBLES))


def assert_named(shop: Shop, lines: dict[str, Any], channel: str, troubles: list[str]) -> None:
    shop.target_config |= {"lines": lines, "channel": channel}
    texts = [GOOD % number for number in range(ORDERS)]
    bad = {f"SO-{ORDERS + number}": trouble for number, trouble in enumerate(troubles)}
    texts += [TROUBLES[trouble] for trouble in troubles]
    texts += [GOOD % (100 + number) for number in range(ORDERS)]
    ended = take(shop, texts)
    assert "Traceback" not in ended.err, ended.err[-3000:]
    assert ended.code == 0, ended.err[-2000:]
    assert set(shop.crm()) == {f"SO-{number}" for number in range(len(texts))} - set(bad)
    refused = {key: ack.error_code for key, ack in shop.acks().items() if ack.status == "rejected"}
    assert {key: bad[key] for key in refused} == bad
    module = "Lines" if lines["write_to"] == "subform" else "Order_Lines"
    assert len(list(shop.emulator.admin.records(module))) == 2 * ORDERS


def take(shop: Shop, lines: list[str]) -> Finished:
    _, target = shop.configs()
    record = '{"type":"RECORD","stream":"orders","record":{"order_id":"SO-%d","customer_name":"Zoë","lines":%s}}'
    given = Path(shop.folder) / "messages.jsonl"
    records = [record % (number, text) for number, text in enumerate(lines)]
    given.write_text("\n".join([json.dumps(SCHEMA), *records]), encoding="utf-8")
    with given.open("rb") as source:
        return finish(start(forked.command("target-zoho-crm", ["--config", target]), stdin=source))
