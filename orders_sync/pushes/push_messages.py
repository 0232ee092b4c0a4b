"""Singer messages of pushed records: what the target reads, as from any tap."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

import msgspec

from sync_ledger.stream_contract import Announcement, announce

DIGEST_PROPERTY = "_sync_digest"
"""A fingerprint of the record. It stands in its ack where a tap's has the version; no table ever gives such a one."""

_encode = msgspec.json.Encoder(decimal_format="number", order="deterministic").encode
_KINDS: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    Decimal: "number",
    dict: "object",
    list: "array",
}


class SchemaOfRecords:
    """The JSON schema of records that were seen: which properties, and of which kinds."""

    def __init__(self) -> None:
        """None was seen yet."""
        self._kinds: dict[str, set[str]] = {}
        self._inner: dict[str, SchemaOfRecords] = {}

    @property
    def names(self) -> list[str]:
        """The properties, in the order in which they were first seen."""
        return list(self._kinds)

    def note(self, record: Mapping[str, Any]) -> None:
        """See one record."""
        for name, value in record.items():
            kinds = self._kinds.setdefault(name, set())
            if value is None:
                continue
            kinds.add(_KINDS.get(type(value), "string"))
            for each in value if isinstance(value, list) else (value,):
                if isinstance(each, dict):
                    self._inner.setdefault(name, SchemaOfRecords()).note(each)

    def properties(self) -> dict[str, Any]:
        """As a SCHEMA message has them; each may be null. A property that was null in all is taken for text."""
        return {name: self._property(name, kinds) for name, kinds in self._kinds.items()}

    def _property(self, name: str, kinds: set[str]) -> dict[str, Any]:
        described: dict[str, Any] = {"type": [*sorted(kinds or {"string"}), "null"]}
        if name in self._inner:
            inner = {"type": "object", "properties": self._inner[name].properties()}
            if "array" in kinds:
                described["items"] = inner
            else:
                described["properties"] = inner["properties"]
        return described


def digest_of(record: Mapping[str, Any]) -> str:
    """A fingerprint of one record: the same for the same values, in whichever file."""
    return hashlib.blake2b(_encode(record), digest_size=16).hexdigest()


def messages(
    stream: str, properties: Mapping[str, Any], key: Sequence[str], records: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[bytes]:
    """The lines for the target; `records` come with their digests."""
    schema = {"type": "object", "properties": {**properties, DIGEST_PROPERTY: {"type": ["string", "null"]}}}
    head = {
        "type": "SCHEMA",
        "stream": stream,
        "schema": announce(schema, Announcement(by_hand=True)),
        "key_properties": list(key),
        "bookmark_properties": [DIGEST_PROPERTY],
    }
    yield _encode(head) + b"\n"
    start = b'{"type": "RECORD", "stream": ' + _encode(stream) + b', "record": '
    for digest, record in records:
        yield start + _encode({**record, DIGEST_PROPERTY: digest}) + b"}\n"
