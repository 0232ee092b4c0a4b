"""Typed rows: blocks and single records read alike, exactly, and what does not fit is named."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sync_databases.keys import KEY_LENGTH, NO_VERSION
from target_zoho_crm.record_decoding import BadRecordError, RowReader, join_key, shortened_key

PROPERTIES: dict[str, Any] = {
    "order id": {"type": ["integer"]},
    "name": {"type": ["string", "null"]},
    "total": {"type": ["number", "null"]},
    "gift": {"type": ["boolean", "null"]},
    "extra": {"type": ["object", "null"]},
    "any": {"type": ["string", "number", "null"]},
    "updated_at": {"type": ["string", "null"], "format": "date-time"},
}
SOURCES = ["name", "total", "gift", "extra", "any"]


def reader(**changes: Any) -> RowReader:
    options: dict[str, Any] = {
        "required": ["order id"],
        "key_properties": ["order id"],
        "replication_key": "updated_at",
        "sources": SOURCES,
    }
    return RowReader(PROPERTIES, **{**options, **changes})


def line(text: str) -> bytes:
    return b'{"type":"RECORD","stream":"orders","record":' + text.encode() + b"}"


FULL = (
    '{"order id":7,"name":"Ä \\" ,\\n","total":12345678901234567.123456789,"gift":true,'
    '"extra":{"a":[1.10,null]},"any":0.1,"updated_at":"2026-01-01T00:00:00Z"}'
)


def test_a_block_keeps_every_digit() -> None:
    rows = reader().read_lines([line(FULL)])
    assert rows.keys == ["7"]
    assert rows.versions == ["2026-01-01T00:00:00Z"]
    assert rows.values == [
        ('Ä " ,\n', Decimal("12345678901234567.123456789"), True, {"a": [Decimal("1.10"), None]}, Decimal("0.1"))
    ]
    assert not rows.partial


VALUES = {
    "order id": st.integers(-(10**18), 10**18),
    "name": st.none() | st.text(),
    "total": st.none() | st.decimals(allow_nan=False, allow_infinity=False, places=9, max_value=10**15),
    "gift": st.none() | st.booleans(),
    "extra": st.none() | st.dictionaries(st.text(), st.integers() | st.text() | st.none(), max_size=3),
    "any": st.none() | st.text() | st.integers(),
    "updated_at": st.none() | st.text(max_size=40),
}


@given(st.lists(st.fixed_dictionaries(VALUES), min_size=1, max_size=5))
def test_blocks_and_single_records_give_the_same_rows(records: list[dict[str, Any]]) -> None:
    encode = msgspec.json.Encoder(decimal_format="number").encode
    block = reader().read_lines([line(encode(record).decode()) for record in records])
    for index, record in enumerate(records):
        single = reader().read_record(record)
        assert (single.keys, single.versions, single.values) == (
            [block.keys[index]],
            [block.versions[index]],
            [block.values[index]],
        )


def test_our_own_key_and_version_come_first() -> None:
    properties = PROPERTIES | {"_sync_key": {"type": ["string"]}, "_sync_version": {"type": ["string"]}}
    own = RowReader(
        properties, required=[], key_properties=["order id"], replication_key="updated_at", sources=["name"]
    )
    text = FULL[:-1] + ',"_sync_key":"007","_sync_version":"2026-01-01 00:00:00.123456789"}'
    rows = own.read_lines([line(text)])
    assert (rows.keys, rows.versions) == (["007"], ["2026-01-01 00:00:00.123456789"])


def test_an_empty_version_is_none() -> None:
    properties = {"id": {"type": "string"}, "at": {"type": ["string", "null"]}}
    reader = RowReader(properties, required=(), key_properties=["id"], replication_key="at", sources=["id"])
    lines = [b'{"record":{"id":"A","at":""}}', b'{"record":{"id":"B","at":null}}', b'{"record":{"id":"C","at":"x"}}']
    assert reader.read_lines(lines).versions == [NO_VERSION, NO_VERSION, "x"]
    assert reader.read_lines([lines[0], lines[2]]).versions == [NO_VERSION, "x"]
    assert reader.read_record({"id": "A", "at": ""}).versions == [NO_VERSION]


def test_without_a_replication_key_the_version_is_a_hash_of_the_record() -> None:
    plain = reader(replication_key=None)
    once, again = plain.read_lines([line(FULL)]), plain.read_lines([line(FULL)])
    other = plain.read_lines([line(FULL.replace("true", "false"))])
    assert once.versions == again.versions
    assert once.versions != other.versions


@pytest.mark.parametrize("odd", ['say "so"', "a\\b", "two\nlines", "\0", "\x1f"])
def test_a_name_that_no_struct_takes_is_read_as_any_other(odd: str) -> None:
    properties = {"id": {"type": "string"}, odd: {"type": ["number", "null"]}, "_____0": {"type": ["string", "null"]}}
    own = RowReader(properties, required=(), key_properties=["id"], replication_key=None, sources=[odd, "_____0"])
    records = [{"id": "A", odd: 1, "_____0": "x"}, {"id": "B", odd: None, "_____0": None}]
    expected = [(Decimal(1), "x"), (None, None)]
    encoded = [json.dumps(record) for record in records]
    assert own.read_lines([line(text) for text in encoded]).values == expected
    assert own.read_bare_lines([text.encode() for text in encoded]).values == expected
    assert [own.read_record(record).values[0] for record in records] == expected
    with pytest.raises(BadRecordError) as refused:
        own.read_record({"id": "A", odd: [], "_____0": "x"})
    assert refused.value.field == odd
    by_odd = RowReader(properties, required=(), key_properties=[odd], replication_key=odd, sources=["id"])
    assert by_odd.read_lines([line(encoded[0])]).keys == ["1"]


def test_a_property_that_is_absent_is_told_from_null() -> None:
    rows = reader().read_record({"order id": 1, "name": None})
    assert rows.partial
    assert rows.values == [(None, *[msgspec.UNSET] * 4)]


def test_whole_numbers_written_with_a_point_are_integers() -> None:
    assert reader().read_record({"order id": Decimal("4.0")}).keys == ["4"]


@pytest.mark.parametrize(
    ("record", "field"),
    [
        ({"order id": 1, "total": "many"}, "total"),
        ({"order id": 1, "gift": 1}, "gift"),
        ({"order id": "x"}, "order id"),
        ({"name": "no key"}, None),
    ],
)
def test_a_record_that_does_not_fit_names_the_field_and_not_the_value(
    record: dict[str, Any], field: str | None
) -> None:
    with pytest.raises(BadRecordError) as caught:
        reader().read_record(record)
    assert caught.value.field == field
    assert "many" not in str(caught.value)


@pytest.mark.parametrize("key", [None, ""])
def test_a_record_without_a_key_is_refused(key: str | None) -> None:
    properties = {"id": {"type": ["string", "null"]}}
    text_key = RowReader(properties, required=[], key_properties=["id"], replication_key=None, sources=["id"])
    with pytest.raises(BadRecordError, match="no key"):
        text_key.read_lines([line(json.dumps({"id": key}))])


def test_a_stream_without_a_key_is_refused() -> None:
    with pytest.raises(BadRecordError, match="key_properties"):
        reader(key_properties=[])


@given(st.lists(st.text(alphabet="a\\|", max_size=4), min_size=2, max_size=3), st.data())
def test_composite_keys_can_be_taken_apart_again(parts: list[str], data: st.DataObject) -> None:
    other = data.draw(st.lists(st.text(alphabet="a\\|", max_size=4), min_size=2, max_size=3))
    assert (join_key(parts) == join_key(other)) == (parts == other)


def test_a_key_too_long_for_the_ledger_keeps_a_name_of_its_own() -> None:
    one, two = shortened_key("x" * 300 + "1"), shortened_key("x" * 300 + "2")
    assert one != two
    assert len(one) == len(two) == KEY_LENGTH
