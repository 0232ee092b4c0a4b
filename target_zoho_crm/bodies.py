"""The body of an upsert call: rows through the mapping into JSON with exact numbers. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from target_zoho_crm.conversion import Conversion, Converted, Form
from target_zoho_crm.mapping import Mapping
from target_zoho_crm.values import Refusal

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def upsert_body(
    mapping: Mapping,
    keys: Sequence[str],
    rows: Sequence[Sequence[Any]],
    trigger: Sequence[str] | None = None,
    positions: Sequence[int] | None = None,
) -> tuple[bytes, dict[str, Refusal]]:
    """The JSON of up to 100 records, and the refusals by key of those that are not in it.

    `duplicate_check_fields` always names the key field: without it Zoho would check another field first and could
    overwrite an unrelated record. `trigger` None runs every automation, () none.

    Args:
        mapping: the compiled mapping.
        keys: one a row.
        rows: values by position.
        trigger: which automations run.
        positions: as for `Conversion`.
    """
    conversion = Conversion(mapping, Form.JSON, positions)
    converted = conversion.convert(keys, rows)
    body = _encoded(mapping, converted, trigger)
    if body is None or b"\\u0000" in body:
        converted = conversion.one_by_one(keys, rows)
        body = _encoded(mapping, converted, trigger)
    return body or b"", converted.refusals


def _encoded(mapping: Mapping, converted: Converted, trigger: Sequence[str] | None) -> bytes | None:
    names = [mapping.key_field.api_name, *(column.field.api_name for column in mapping.columns)]
    try:
        rows = zip(converted.keys, *converted.columns, strict=True)
        records = [dict(zip(names, values, strict=True)) for values in rows]
        body: dict[str, Any] = {"data": records, "duplicate_check_fields": [mapping.key_field.api_name]}
        if trigger is not None:
            body["trigger"] = list(trigger)
        return _ENCODER.encode(body)
    except UnicodeEncodeError:
        return None
