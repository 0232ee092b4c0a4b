"""Payload hashes: whether an order holds what its last confirmed version held, known without a call (`skip_unchanged`).

The hash is taken over the values of the mapped columns, before conversion, keyed with everything that decides what
is made of them: module, columns, fields and settings. So equal hashes mean equal payloads on both channels. Unequal
ones may still mean equal payloads (4 and 4.0): such an order is sent once more, which is safe.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

import msgspec

from target_zoho_crm.batch import Entry
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn

HASH_BYTES = 16
_FORM = 1
"""To be raised when the same values would be sent otherwise than before."""

_LEFT_OUT = ("columns", "unmapped", "absent", "lacking_rows", "nulled", "write")
"""The columns are described one by one."""
_FIRST_NAMES = {"second_step": "apart"}
"""Attributes that were renamed: in the hash they keep the name that ledgers in use have."""
_ONCE_THERE, _NEXT = ", external=False", ", picklist="
"""An attribute that fields no longer have, and the one after it: it stays in the hash, as ledgers in use have it."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")


class PayloadHasher:
    """Hashes the orders of one stream."""

    def __init__(self, settings: Mapping[str, Any], stream: str) -> None:
        """`settings` are those that count, all defaults filled in: `config_schema.payload_settings`."""
        self._settings = settings
        self._stream = stream

    def hashes(self, mapping: FieldMapping, entries: Mapping[str, Entry]) -> dict[str, str]:
        """The hash of each order by its key. An order that is no proper text has none, so it is never left out."""
        fingerprint = self._fingerprint(mapping)
        rows = [entry.values for entry in entries.values()]
        try:
            # JSON escapes line feeds inside texts: those that are left end a row.
            lines: Sequence[bytes | None] = _ENCODER.encode_lines(rows).split(b"\n")[: len(rows)]
        except ValueError:  # half a character, or a number that is none
            lines = [_encoded(row) for row in rows]
        return {
            key: hashlib.blake2b(line, digest_size=HASH_BYTES, key=fingerprint).hexdigest()
            for key, line in zip(entries, lines, strict=True)
            if line is not None
        }

    def _fingerprint(self, mapping: FieldMapping) -> bytes:
        columns = [_described(column) for column in mapping.columns]
        made_by = [_FORM, self._stream, self._settings, _described(mapping), columns]
        document = msgspec.json.encode(made_by, order="sorted", enc_hook=repr)
        return hashlib.blake2b(document, digest_size=hashlib.blake2b.MAX_KEY_SIZE).digest()


def _encoded(row: tuple[Any, ...]) -> bytes | None:
    try:
        return _ENCODER.encode(row)
    except ValueError:
        return None


def _described(part: FieldMapping | MappedColumn) -> list[str]:
    """All that is known of a mapping or a column but its converters, which follow from the rest."""
    values = ((field.name, getattr(part, field.name)) for field in fields(part))
    described = [
        f"{_FIRST_NAMES.get(name, name)}={value!r}"
        for name, value in values
        if not callable(value) and name not in _LEFT_OUT
    ]
    return [text.replace(_NEXT, f"{_ONCE_THERE}{_NEXT}") for text in described]
