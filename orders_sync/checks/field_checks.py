"""Whether the values of a column can go into the field that it is mapped to. Pure: it compares two descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orders_sync.checks.findings import Result
from target_zoho_crm.api.metadata import Field
from target_zoho_crm.mapping.field_values import Converter, Refusal

_NUMBERS = frozenset({"integer", "bigint", "currency", "double", "decimal", "percent"})
_TEXTS = frozenset({"text", "textarea", "email", "phone", "website"})
_CHOICES_DISPLAYED = 8


def fit(
    schema: Mapping[str, Any], field: Field, date_format: str | None = None, convert: Converter | None = None
) -> tuple[Result, str]:
    """Compare a property's JSON schema with a field; the text names what may be refused.

    `date_format` is the `format` of the field's options. What `convert` takes all the same, as `on_too_long`,
    `on_unknown_picklist` and `unreadable` have it, is no doubt.
    """
    types = _types(schema)
    what = _described(field)
    doubt = _doubt(schema, types, field, date_format)
    if doubt and convert is not None and _takes(convert, _unfit(types, field)):
        doubt = ""
    return (Result.WARNING, f"{what}; {doubt}") if doubt else (Result.OK, what)


def _takes(convert: Converter, value: Any) -> bool:
    try:
        convert(value)
    except Refusal:
        return False
    return True


def _unfit(types: frozenset[str], field: Field) -> Any:
    """A value of the column's type that the field does not hold as it is."""
    if field.data_type == "integer" and "number" in types:
        return 0.5
    return "?" * ((field.length or 0) + 1 if field.data_type in _TEXTS else 1)


def _doubt(schema: Mapping[str, Any], types: frozenset[str], field: Field, date_format: str | None) -> str:
    """What may be refused, or nothing."""
    kind = field.data_type
    doubts = (
        (kind in _NUMBERS and types == {"string"}, "the column holds text: what is no number is refused"),
        (kind == "integer" and "number" in types, "the column holds decimals: what is no integer is refused"),
        (
            kind in {"date", "datetime"} and "format" not in schema,
            f"{_no_dates(types)}: what cannot be read as {_read_as(kind, date_format)} is refused",
        ),
        (
            kind == "boolean" and not {"boolean"} <= types <= {"boolean", "integer"},
            "the column is no boolean: what is neither true nor false is refused",
        ),
        (kind in {"picklist", "multiselectpicklist"} and field.picklist != (), _choices(field)),
        (kind in _TEXTS, _too_long(schema, types, field)),
    )
    return next((text for applies, text in doubts if applies), "")


def _read_as(kind: str, date_format: str | None) -> str:
    if date_format is not None:
        return f"{date_format} or ISO"
    return f"a {kind} like 2025-12-31 (`format` in `fields` names another form)"


def _no_dates(types: frozenset[str]) -> str:
    if types == {"string"}:
        return "the column holds text"
    return "the column has no type that says so" if "string" in types else "the column holds no dates"


def _choices(field: Field) -> str:
    listed = ", ".join(field.picklist[:_CHOICES_DISPLAYED])
    more = f" and {len(field.picklist) - _CHOICES_DISPLAYED} more" if len(field.picklist) > _CHOICES_DISPLAYED else ""
    codes = "`values` in `fields` translates codes"
    return f"values must be among {listed}{more}, unless the list is open to new ones; {codes}"


def _too_long(schema: Mapping[str, Any], types: frozenset[str], field: Field) -> str:
    if types != {"string"} or "format" in schema or field.length is None:
        return ""
    longest = schema.get("maxLength")
    if longest is None:
        return f"the column has no limit: texts of more than {field.length:,} characters are refused"
    if longest > field.length:
        return f"the column holds up to {longest:,} characters: longer texts than {field.length:,} are refused"
    return ""


def _described(field: Field) -> str:
    limits = [f"up to {field.length:,}"] if field.data_type in _TEXTS and field.length else []
    if field.decimal_place:
        limits.append(f"{field.decimal_place} decimal places")
    return f"{field.api_name} ({', '.join([field.data_type, *limits])})"


def _types(schema: Mapping[str, Any]) -> frozenset[str]:
    declared = schema.get("type", ())
    return frozenset([declared] if isinstance(declared, str) else declared) - {"null"}
