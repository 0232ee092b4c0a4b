"""Singer messages into the target: whatever a tap may write, cut into blocks in any way."""

from __future__ import annotations

import csv
import io
import json
import logging
import re
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
from fuzz.choices import NUMBERS, Choices, Number, json_text

from target_zoho_crm.api.metadata import Field, ModuleFields
from target_zoho_crm.batch import Entry
from target_zoho_crm.command import EXPECTED_ERRORS
from target_zoho_crm.delivery.payload_hasher import PayloadHasher
from target_zoho_crm.mapping.conversion import Conversion, Form
from target_zoho_crm.mapping.field_mapping import Refusal
from target_zoho_crm.record_decoding import GONE, Rows
from target_zoho_crm.run import OpenedStream
from target_zoho_crm.settings import Settings
from target_zoho_crm.stream_mapping import stream_mapping
from target_zoho_crm.stream_request import StreamRequest
from target_zoho_crm.target import TargetZohoCRM
from target_zoho_crm.writing.csv_text import csv_text
from target_zoho_crm.writing.upsert_body import upsert_body

_SHORTENED = re.compile(r"#[0-9a-f]{32}$")

PRIVATE = "hush-hush"
"""Stands in values, and so in no error text."""

CONFIG = {
    "client_id": "id", "client_secret": "secret", "refresh_token": "token",
    **dict.fromkeys(("accounts_url", "api_url", "upload_url"), "http://127.0.0.1:8600"),
}  # fmt: skip
WAYS: tuple[dict[str, Any], ...] = (
    {},
    {"stream_maps": {"sales": {"name": "name.strip() if gift else str(amount)"}}},
    {"flattening_enabled": True, "flattening_max_depth": 2},
)
"""Settings by which records go, some of them one by one through the SDK; in the first their keys stay what they are."""

HALVES = ("\ud83d", "K\udc00", "\udfff\ud800")
"""Texts that no encoding of the world has."""

TYPES: dict[str, Any] = {
    "name": {"type": ["string", "null"]}, "amount": {"type": ["number", "null"]}, "any": {},
    "count": {"type": ["integer", "null"]}, "gift": {"type": ["boolean", "null"]},
    "at": {"type": ["string", "null"], "format": "date-time"},
    "tags": {"type": ["array", "null"]}, "day": {"type": ["string", "null"], "format": "date"},
}  # fmt: skip
PICKLISTS = ("Tags", "Status")
"""Fields whose unknown values a refusal may show: a picklist's entries are no secret."""

FIELDS = ModuleFields(
    "Orders",
    {
        name: Field(name, kind, length=length, unique=name == "parent_id", decimal_place=2, picklist=("open", "done"))
        for name, kind, length in (
            ("parent_id", "text", 255), ("Name", "text", 120), ("Amount", "currency", 16), ("Count", "integer", 9),
            ("Gift", "boolean", None), ("At", "datetime", None), ("Day", "date", None), ("Any", "textarea", 2000),
            ("Tags", "multiselectpicklist", 120), ("Status", "picklist", 120),
        )
    },
)  # fmt: skip


def run_one(data: bytes) -> None:
    choices = Choices(data)
    way = choices.pick(WAYS)
    content = _content(choices)
    target, recorder = _target(way)
    error: Exception | None = None
    try:
        target.listen(_Blocks(content, choices))
    except EXPECTED_ERRORS as expected:
        error = expected
        assert PRIVATE not in str(error), "an error text shows a value"
    read = _independently(content)
    if error is None:
        assert read is not None, "broken input was read to its end"
        assert list(map(repr, recorder.states)) == list(map(repr, read[1]))
        assert len(recorder.keys) == len(read[0]), "a record is neither sent nor refused"
    if read is not None and way is WAYS[0]:
        known = read[0] if error is None else read[0][: len(recorder.keys)]
        assert _as_numbers(recorder.keys) == _as_numbers(known)


# Input


def _content(choices: Choices) -> bytes:
    if choices.one_in(12):
        return choices.rest()
    properties = {"id": {"type": choices.pick(("string", "integer", ["integer", "null"], "number"))}}
    properties |= {choices.pick(tuple(TYPES)): TYPES[choices.pick(tuple(TYPES))] for _ in range(choices.number(4))}
    messages = [_schema(choices, properties)]
    for _ in range(choices.number(8)):
        kind = choices.number(15)
        if kind < 10:
            messages.append({"type": "RECORD", "stream": "sales", "record": _record(choices, list(properties))})
        elif kind < 12:
            messages.append({"type": "STATE", "value": choices.json(2) if choices.one_in(2) else {"seen": kind}})
        elif kind == 12:
            messages.append(_schema(choices, properties))
        else:
            messages.append(_odd(choices))
    lines = [_line(choices, message) for message in messages]
    if choices.one_in(5):
        at = choices.number(len(lines) - 1)
        lines[at] = choices.damaged(lines[at])
    if choices.one_in(10):
        at = choices.number(len(lines) - 1)
        deep = choices.pick((b"[", b'{"a":')) * choices.pick((100, 1_100, 100_000))
        lines[at] = lines[at].replace(b":", b":" + deep, 1) if choices.one_in(2) else lines[at][:-2] + b',"any":' + deep
    return b"\n".join(lines) + choices.pick((b"\n", b"", b"\n\n", b"\r\n"))


def _line(choices: Choices, message: dict[str, Any]) -> bytes:
    """The message with its keys in one order or the other, and halves of characters as escapes or as bytes."""
    if choices.one_in(6):
        message = dict(reversed(message.items()))
    text = json_text(message)
    if choices.one_in(2):
        text = "".join(f"\\u{ord(each):04x}" if "\ud800" <= each <= "\udfff" else each for each in text)
    return text.encode(errors="surrogatepass")


def _schema(choices: Choices, properties: Mapping[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "type": "SCHEMA",
        "stream": "sales",
        "schema": {"properties": dict(properties)},
        "key_properties": ["id"],
        "bookmark_properties": choices.pick(([], ["at"], ["any"], ["nosuch"])),
    }
    if choices.one_in(8):
        message[choices.pick(tuple(message))] = choices.json(2)
    elif choices.one_in(12):
        message["schema"]["properties"][choices.pick(("id", "any"))] = choices.json(2)
    if choices.one_in(16):
        del message[choices.pick(tuple(message))]
    return message


def _record(choices: Choices, names: Sequence[str]) -> Any:
    if choices.one_in(20):
        return choices.json()
    number = choices.number(3)
    values: dict[str, Any] = {"id": choices.pick((f"K{number}", Number(number)))}
    values |= {name: _value(choices) for name in names[1:]}
    if choices.one_in(8):
        values["id"] = choices.json(1) if choices.one_in(2) else choices.pick(HALVES)
    if choices.one_in(8):
        values[choices.text(4)] = choices.json(2)
    if choices.one_in(8):
        del values[choices.pick(tuple(values))]
    return values


def _value(choices: Choices) -> Any:
    kind = choices.number(9)
    if kind == 0:
        return PRIVATE if choices.one_in(2) else choices.pick((*HALVES, "NaN", "-Infinity", "sNaN"))
    if kind < 3:
        return choices.pick(("2024-03-01T12:00:00Z", "2024-02-30", "9999-12-31T23:59:59-23:59", "0001-01-01", "open;x"))
    if kind < 5:
        return Number(choices.pick(NUMBERS))
    return choices.json(2)


def _odd(choices: Choices) -> Any:
    message = {"type": choices.pick(("RECORD", "STATE", "ACTIVATE_VERSION", "BATCH", "WHAT")), "stream": "sales"}
    message[choices.pick(("record", "value", "version", "encoding", "manifest", "stream", "type", "x"))] = (
        choices.json()
    )
    return message


class _Blocks(io.BytesIO):
    """Gives its content in blocks of any size."""

    def __init__(self, content: bytes, choices: Choices) -> None:
        super().__init__(content)
        self._choices = choices
        self._whole = len(content) > 5_000

    def read1(self, size: int | None = -1) -> bytes:
        return super().read1(size if self._whole else 1 + self._choices.number(300))


# What the product made of it


@cache
def _settings() -> Settings:
    return Settings.read(TargetZohoCRM(config=CONFIG).config)


def _target(way: Mapping[str, Any]) -> tuple[TargetZohoCRM, _Recorder]:
    logging.disable(logging.CRITICAL)
    target = TargetZohoCRM(config=CONFIG | way)
    recorder = _Recorder()
    target._run = recorder  # type: ignore[assignment] # noqa: SLF001 - in place of Zoho and the ledger
    return target, recorder


class _Recorder:
    """Takes the place of a run and of its deliveries: notes what would be sent, after the product's own conversion."""

    def __init__(self) -> None:
        self.settings = _settings()
        self.state_gate = self
        self.stop = threading.Event()
        self.keys: list[str] = []
        self.states: list[Any] = []

    def open_stream(self, request: StreamRequest) -> OpenedStream:
        self._mapping = stream_mapping(
            self.settings,
            self.settings.stream(request.stream),
            request.properties,
            request.key_properties,
            fields_of=lambda _module: FIELDS,
            users=dict,  # type: ignore[arg-type] # no field here needs one
        )
        return OpenedStream(self, self._mapping, None)  # type: ignore[arg-type] # it takes the delivery's place

    def end_input(self) -> None:
        """Nothing is buffered here."""

    def hold(self, state: Mapping[str, Any]) -> None:
        msgspec.json.encode(state)  # it must be possible to write it out again
        self.states.append(state)

    def add(self, rows: Rows) -> None:
        assert len(rows.keys) == len(rows.versions) == len(rows.values)
        self.keys += rows.keys
        for key, version, values in zip(rows.keys, rows.versions, rows.values, strict=True):
            assert key
            assert version
            if values is not GONE:
                self._convert(key, version, values)

    def _convert(self, key: str, version: str, values: tuple[Any, ...]) -> None:
        present = [at for at, value in enumerate(values) if value is not msgspec.UNSET]
        columns = tuple(self._mapping.columns[at] for at in present)
        mapping, row = replace(self._mapping, columns=columns), [values[at] for at in present]
        PayloadHasher({}, "sales").hashes(mapping, {key: Entry(version, tuple(row))})
        body, refused = upsert_body(mapping, [key], [row])
        told = [part.message for each in refused.values() for part in each.parts if part.field not in PICKLISTS]
        assert PRIVATE not in str(told)
        assert len(json.loads(body, parse_int=Decimal)["data"]) == (0 if refused else 1)
        converted = Conversion(mapping, Form.CSV).convert([key], [row], look_at_text=True)
        if not converted.refusals:
            text = csv_text([converted.keys, *converted.columns])
            (cells,) = csv.reader(io.StringIO(text, newline=""))
            assert cells[0] == key
            assert len(cells) == 1 + len(columns)

    def refuse(self, key: str, version: str, refusal: Refusal) -> None:
        key.encode()  # the ledger can hold it
        assert version
        version.encode()
        assert PRIVATE not in str(refusal)
        self.keys.append(key)

    def flush(self) -> None: ...

    def check(self) -> None: ...

    def finish(self, cut_short: str | None) -> None: ...

    def abort(self, how_ended: str, why: str) -> None: ...


# An independent reading


def _independently(content: bytes) -> tuple[list[str], list[Any]] | None:
    """The keys of all records, empty where they have none, and all states; None where a line is surely no message."""
    keys, states = [], []
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            text = line.decode(errors="surrogateescape")
            message = json.loads(text, strict=False, parse_int=_whole, parse_float=_decimal, parse_constant=str)
        except (ValueError, RecursionError):
            return None
        if not isinstance(message, dict):
            return None
        if message.get("type") == "RECORD":
            if "record" not in message:
                return None
            record = message["record"]
            keys.append(_key_text(record.get("id") if isinstance(record, dict) else None))
        if message.get("type") == "STATE":
            states.append(message.get("value"))
    return keys, states


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) < 4_000 else Decimal(text)  # Python's int reads no more digits


def _decimal(text: str) -> Decimal | str:
    try:
        return Decimal(text)
    except ArithmeticError:
        return text  # a number beyond all bounds


def _as_numbers(keys: Sequence[str]) -> list[str]:
    """Where the schema says so, minus zero is zero, and a number may come in quotes, with space around it."""
    return [_as_number(key) for key in keys]


def _as_number(key: str) -> str:
    if "#" in key or not key.isascii():
        key = _SHORTENED.sub("", key.encode(errors="replace").decode())  # half a character is none of a key
    try:
        number = Decimal(key.strip())
    except ArithmeticError:
        return key
    return _key_text(number) if number else "0"


def _key_text(value: Any) -> str:
    if value is None or isinstance(value, (list, dict)):
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f") if abs(value.adjusted()) < 255 else str(value)
    return str(value)
