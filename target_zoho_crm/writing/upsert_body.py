"""The body of an upsert call: rows through the mapping into JSON with exact numbers. Pure."""

from __future__ import annotations

from collections import abc
from collections.abc import Sequence
from typing import Any

import msgspec

from target_zoho_crm.mapping.conversion import Conversion, Converted, Form
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.field_values import Refusal
from target_zoho_crm.write_settings import Operation

APPEND = "$append_values"
"""The key of a record that names multi-selects whose entries are added to those there."""

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def upsert_body(
    mapping: FieldMapping,
    keys: Sequence[str],
    rows: Sequence[Sequence[Any]],
    further: abc.Mapping[str, Any] | None = None,
    positions: Sequence[int] | None = None,
    *,
    ignore_empty: bool = False,
    operation: Operation = Operation.UPSERT,
    ids: abc.Mapping[str, str] | None = None,
    left: abc.Mapping[str, abc.Collection[str]] | None = None,
    rows_of: abc.Mapping[str, abc.Mapping[str, Any]] | None = None,
) -> tuple[bytes, dict[str, Refusal]]:
    """The JSON of up to 100 records, and the refusals by key of those that are not in it.

    In an upsert `duplicate_check_fields` always names the key field: without it Zoho would check another field first
    and could overwrite an unrelated record.

    Args:
        mapping: the compiled mapping.
        keys: one a row.
        rows: values by position.
        further: other keys of the body, such as `trigger`.
        positions: as for `Conversion`.
        ignore_empty: leave fields alone that have no value; else they are cleared, as by a bulk write job.
        operation: which call it is for.
        ids: of an update, the records' ids by key.
        left: fields that are left out, by key.
        rows_of: further fields that hold rows, by key.
    """
    whole: dict[str, Any] = (
        {"duplicate_check_fields": [mapping.key_field.api_name]} if operation is Operation.UPSERT else {}
    )
    whole |= further or {}
    conversion = Conversion(mapping, Form.JSON, positions)
    converted = conversion.convert(keys, rows)
    names = [mapping.key_field.api_name, *conversion.names]
    body = _encoded(mapping, names, converted, whole, ids, left, rows_of or {}, ignore_empty=ignore_empty)
    if body is None or b"\\u0000" in body:
        converted = conversion.convert(keys, rows, look_at_text=True)
        body = _encoded(mapping, names, converted, whole, ids, left, rows_of or {}, ignore_empty=ignore_empty)
    return body or b"", converted.refusals


def _encoded(
    mapping: FieldMapping,
    names: Sequence[str],
    converted: Converted,
    further: abc.Mapping[str, Any],
    ids: abc.Mapping[str, str] | None,
    left: abc.Mapping[str, abc.Collection[str]] | None,
    rows_of: abc.Mapping[str, abc.Mapping[str, Any]],
    *,
    ignore_empty: bool,
) -> bytes | None:
    try:
        rows = zip(converted.keys, *converted.columns, strict=True)
        records: list[dict[str, Any]] = [dict(zip(names, values, strict=True)) for values in rows]
        if left:
            records = [
                {name: value for name, value in record.items() if name not in left.get(key, ())}
                for key, record in zip(converted.keys, records, strict=True)
            ]
        if ids is not None:
            records = [{"id": ids[key], **record} for key, record in zip(converted.keys, records, strict=True)]
        if mapping.appended:
            appended = dict.fromkeys(mapping.appended, True)
            records = [{**record, APPEND: appended} for record in records]
        if ignore_empty:
            records = [{name: value for name, value in record.items() if value is not None} for record in records]
        if rows_of:
            records = [{**record, **rows_of.get(key, {})} for key, record in zip(converted.keys, records, strict=True)]
        return _ENCODER.encode({"data": records, **further})
    except UnicodeEncodeError:
        return None
