"""What a Singer message must look like before anything is done with it; the SDK takes that for granted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
from singer_sdk.singerlib.exceptions import InvalidInputLine


class _Property(msgspec.Struct):
    """One property of a JSON schema, as far as we read it."""

    type: str | list[str] | None = None
    format: str | None = None
    anyOf: list[_Property] = []  # noqa: N815 - JSON schema's own word
    oneOf: list[_Property] = []  # noqa: N815


class _Properties(msgspec.Struct):
    properties: dict[str, _Property]
    required: list[str] = []


class _Schema(msgspec.Struct):
    stream: str
    schema: _Properties
    key_properties: list[str] | None = None
    bookmark_properties: list[str] | None = None


class _Record(msgspec.Struct):
    """What else it holds is its record's own trouble, which its sink names."""

    stream: str
    record: Any


class _State(msgspec.Struct):
    value: dict[str, Any]


class _ActivateVersion(msgspec.Struct):
    stream: str
    version: int


class _Encoding(msgspec.Struct):
    format: str
    compression: str | None = None


class _Batch(msgspec.Struct):
    stream: str
    encoding: _Encoding
    manifest: list[str]


_SHAPES: Mapping[str, type[msgspec.Struct]] = {
    "SCHEMA": _Schema,
    "RECORD": _Record,
    "STATE": _State,
    "ACTIVATE_VERSION": _ActivateVersion,
    "BATCH": _Batch,
}


def check_message(kind: str, message: Mapping[str, Any], line_number: int) -> None:
    """Check one message of a known kind.

    Raises:
        InvalidInputLine: it is not what Singer says; the text names line and place, and shows nothing of a record.
    """
    try:
        msgspec.convert(message, _SHAPES[kind])
    except msgspec.ValidationError as error:
        raise InvalidInputLine(f"line {line_number} of the input, a {kind} message: {error}") from None
