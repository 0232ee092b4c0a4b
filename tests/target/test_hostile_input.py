"""Singer input that is made, or broken, so that a reader hangs, crashes or takes it for something else."""

from __future__ import annotations

import io
import time
from typing import Any

import msgspec
import pytest
from singer_sdk.singerlib.exceptions import InvalidInputLine

from target_zoho_crm import message_reader as reader_module
from target_zoho_crm.message_reader import BlockReader
from target_zoho_crm.messages import check_message
from target_zoho_crm.record_decoding import BadRecordError, RowReader, join_key
from target_zoho_crm.target import TargetZohoCRM

URLS = dict.fromkeys(("accounts_url", "api_url", "upload_url"), "http://127.0.0.1:8600")
CONFIG = {"client_id": "id", "client_secret": "secret", "refresh_token": "token", **URLS}


def rows(**properties: Any) -> RowReader:
    return RowReader(
        {"id": {"type": "string"}, **properties},
        required=(),
        key_properties=["id"],
        replication_key=None,
        sources=list(properties),
    )


def read(*lines: bytes) -> list[dict[str, Any]]:
    """What a reader without a target gives for each message."""
    found: list[dict[str, Any]] = []
    kinds = ("SCHEMA", "RECORD", "STATE", "ACTIVATE_VERSION", "BATCH")
    BlockReader().process_lines(io.BytesIO(b"\n".join(lines)), dict.fromkeys(kinds, found.append))
    return found


@pytest.mark.parametrize("number", [b"1e999999999", b"1E+999999999", b"-1e999999999", b"1e-999999999"])
def test_a_number_with_a_billion_digits_is_not_written_out(number: bytes) -> None:
    began = time.process_time()
    whole = rows(count={"type": "integer"})
    record = BlockReader().deserialize_json(b'{"id":"A","count":' + number + b"}")
    with pytest.raises(BadRecordError):
        whole.read_record(record)
    assert len(join_key([record["count"]])) < 20
    assert time.process_time() - began < 5, "a billion digits take far longer"


@pytest.mark.parametrize("word", [b"NaN", b"Infinity", b"-Infinity"])
def test_a_number_that_is_none_is_no_null_and_no_crash(word: bytes) -> None:
    line = b'{"type":"RECORD","stream":"s","record":{"id":"A","count":' + word + b"}}"
    record = BlockReader().read_record(line)["record"]
    assert record["count"] == word.decode()
    with pytest.raises(BadRecordError):
        rows(count={"type": ["integer", "null"]}).read_record(record)


BEYOND = b"1e" + b"9" * 30
"""A number whose exponent no decimal has."""


def test_a_number_beyond_all_bounds_refuses_its_record_and_ends_no_run() -> None:
    line = b'{"type":"RECORD","stream":"s","record":{"id":"A","count":' + BEYOND + b',"any":[' + BEYOND + b"]}}"
    reader = rows(count={"type": ["number", "null"]}, any={})
    with pytest.raises(msgspec.ValidationError):
        reader.read_lines([line])
    with pytest.raises(BadRecordError):
        reader.read_record(BlockReader().read_record(line)["record"])
    with pytest.raises(InvalidInputLine, match="line 1 of the input is no JSON: a number is beyond all bounds"):
        read(b'{"type":"STATE","value":{"a":' + BEYOND + b"}}")


@pytest.mark.parametrize("deep", [b"[" * 100_000, b'{"a":' * 100_000])
def test_a_line_nested_without_end_is_one_clear_error(deep: bytes) -> None:
    with pytest.raises(InvalidInputLine, match="line 1 "):
        read(b'{"type":"STATE","value":' + deep)
    with pytest.raises(InvalidInputLine):
        BlockReader().read_record(b'{"type":"RECORD","record":' + deep)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("SCHEMA", {"stream": 1, "schema": {"properties": {}}}),
        ("SCHEMA", {"stream": "s", "schema": []}),
        ("SCHEMA", {"stream": "s", "schema": {"properties": {"id": "hush"}}}),
        ("SCHEMA", {"stream": "s", "schema": {"properties": {"id": {"type": {"hush": 1}}}}}),
        ("SCHEMA", {"stream": "s", "schema": {"properties": {"id": {"anyOf": 1}}}}),
        ("SCHEMA", {"stream": "s", "schema": {"properties": {}}, "key_properties": "id"}),
        ("SCHEMA", {"stream": "s", "schema": {"properties": {}}, "bookmark_properties": {"0": "hush"}}),
        ("RECORD", {"stream": "s"}),
        ("STATE", {"value": "hush"}),
        ("BATCH", {"stream": "s", "manifest": ["hush"]}),
        ("BATCH", {"stream": "s", "encoding": {"format": "jsonl"}, "manifest": "hush"}),
        ("ACTIVATE_VERSION", {"stream": "s", "version": "hush"}),
    ],
)
def test_a_message_of_another_shape_is_named_by_line_and_place(kind: str, message: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputLine, match=rf"line 7 of the input, a {kind} message") as caught:
        check_message(kind, {"type": kind, **message}, 7)
    assert "hush" not in str(caught.value)


def test_a_stream_that_nobody_described_has_no_batches_and_versions() -> None:
    for line in (
        b'{"type":"BATCH","stream":"s","encoding":{"format":"jsonl"},"manifest":[]}',
        b'{"type":"ACTIVATE_VERSION","stream":"s","version":1}',
    ):
        with pytest.raises(Exception, match="before a corresponding schema"):
            TargetZohoCRM(config=CONFIG).listen(io.BytesIO(line))


def test_a_streams_name_of_broken_bytes_is_one_clear_error() -> None:
    target = TargetZohoCRM(config=CONFIG)
    with pytest.raises(InvalidInputLine, match="line 1 "):
        target.listen(io.BytesIO(b'{"type":"RECORD","stream":"\xe0","record":{"id":1}}\n'))


def test_an_input_without_line_ends_does_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader_module, "LINE_BYTES_MOST", 1_000_000)
    with pytest.raises(InvalidInputLine, match=r"longer than 1,000,000 bytes"):
        read(b"x" * 3_000_000)


def test_a_long_line_costs_its_length_and_not_its_square() -> None:
    def seconds(size: int) -> float:
        began = time.process_time()
        (message,) = read(b'{"type":"STATE","value":{"x":"' + b"y" * size + b'"}}')
        assert len(message["value"]["x"]) == size
        return time.process_time() - began

    seconds(1_000_000)
    short, long = (min(seconds(size) for _ in range(3)) for size in (4_000_000, 64_000_000))
    assert long < 50 * short, "16 times the size; in pieces of 256 KiB, joined anew for each, 8 GB would be copied"


def test_null_is_no_setting() -> None:
    target = TargetZohoCRM(config=CONFIG | {"bulk_rows": None, "timezone": None})
    assert (target.config["bulk_rows"], target.config["timezone"]) == (25_000, "UTC")
