"""From the properties of a Singer schema to the fields of a Zoho module: compiled once, then only applied. Pure."""

from __future__ import annotations

from collections import abc, defaultdict
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from target_zoho_crm import values
from target_zoho_crm.errors import configuration_error
from target_zoho_crm.metadata import Field, ModuleFields
from target_zoho_crm.values import Converter, Refusal

__all__ = ["Converter", "MappedColumn", "Mapping", "Refusal", "compile_mapping"]

_OWN_PREFIXES = ("_sync_", "_sdc_")  # ours and the SDK's bookkeeping is no data of the order
_TEXT = frozenset({"text", "textarea", "email", "phone", "website", "picklist"})
_DECIMAL = frozenset({"currency", "double", "decimal", "percent"})
_CHOICES = frozenset({"multiselectpicklist"})
_REFERENCES = frozenset({"lookup", "ownerlookup", "userlookup"})
_Pair = tuple[Converter | None, Converter | None]


@dataclass(frozen=True)
class MappedColumn:
    """One property and the field it goes to.

    `to_json` and `to_csv` turn a value into its form for the upsert body and for a CSV cell; None means as it is.
    `csv_format` goes into the bulk job's mapping of the column; `csv_find_by` says what a reference's cell holds.
    """

    source: str
    field: Field
    to_json: Converter | None
    to_csv: Converter | None
    csv_format: str | None
    csv_find_by: str | None = None


@dataclass(frozen=True)
class Mapping:
    """The compiled mapping of one stream. The key field is written from the record's key, so it is no column.

    `unmapped` names the properties that go nowhere, for one warning.
    """

    key_field: Field
    columns: tuple[MappedColumn, ...]
    unmapped: tuple[str, ...]


def compile_mapping(
    properties: abc.Mapping[str, dict[str, Any]],
    fields: ModuleFields,
    *,
    key_field: str,
    key_properties: abc.Sequence[str],
    overrides: abc.Mapping[str, str],
    timezone: tzinfo,
) -> Mapping:
    """Find each property's field and its converters.

    A property goes where `overrides` sends it; else to the field of exactly its name; else to the one field whose
    name differs only in case, `_`, `-` and spaces. Fields that cannot be written, and references to
    other records, are left out when only a name led to them.

    Args:
        properties: the schema's properties by name.
        fields: the module's fields.
        key_field: API name of the field that holds the key.
        key_properties: the properties that make up the key.
        overrides: API name by property, from the setting `fields`.
        timezone: the zone of times without an offset.

    Raises:
        ConfigurationError: an unknown or unwritable field in `overrides`; a name that fits two fields, or two
            properties that fit one.
    """
    key = fields.key(key_field)
    by_plain_name: dict[str, list[Field]] = defaultdict(list)
    for field in fields.values():
        by_plain_name[_plain(field.api_name)].append(field)
    chosen: dict[str, tuple[Field, int]] = {}
    unmapped: list[str] = []
    for source in properties:
        if source.startswith(_OWN_PREFIXES):
            continue
        found = _field_for(source, fields, by_plain_name, overrides)
        if found is not None and found[0] == key:
            continue
        if found is not None:
            chosen[source] = found
        elif source not in key_properties:
            unmapped.append(source)
    losers = _losers(chosen)
    unmapped += [source for source in losers if source not in key_properties]
    columns = [
        _column(source, properties[source], field, timezone)
        for source, (field, _) in chosen.items()
        if source not in losers
    ]
    return Mapping(key, tuple(columns), tuple(unmapped))


def _field_for(
    source: str,
    fields: ModuleFields,
    by_plain_name: abc.Mapping[str, list[Field]],
    overrides: abc.Mapping[str, str],
) -> tuple[Field, int] | None:
    """The field and how sure the choice is: 2 said so, 1 of the same name, 0 of a similar name."""
    if source in overrides:
        field = fields.named(overrides[source])
        if not _can_write(field):
            raise configuration_error(
                "FIELD_NOT_WRITABLE",
                f"`fields` sends {source} to {field.api_name} ({field.data_type}) of module {fields.module}, "
                "which cannot be written.",
                field=field.api_name,
            )
        return field, 2
    if source in fields:
        return (fields[source], 1) if _by_name(fields[source]) else None
    similar = by_plain_name.get(_plain(source), [])
    candidates = [field for field in similar if _by_name(field)]
    if len(candidates) > 1:
        names = " and ".join(field.api_name for field in candidates)
        raise configuration_error("AMBIGUOUS_FIELD", f"Property {source} fits the fields {names}.")
    return (candidates[0], 0) if candidates else None


def _losers(chosen: abc.Mapping[str, tuple[Field, int]]) -> set[str]:
    """Of properties that fit the same field the surest choice wins; equally sure ones are the user's to decide."""
    by_field: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for source, (field, sureness) in chosen.items():
        by_field[field.api_name].append((sureness, source))
    losers: set[str] = set()
    for api_name, claims in by_field.items():
        surest = max(sureness for sureness, _ in claims)
        winners = [source for sureness, source in claims if sureness == surest]
        if len(winners) > 1:
            names = " and ".join(winners)
            raise configuration_error("AMBIGUOUS_FIELD", f"Properties {names} fit the one field {api_name}.")
        losers.update(source for _, source in claims if source not in winners)
    return losers


def _can_write(field: Field) -> bool:
    return field.writable and field.data_type in _WRITTEN_TYPES


def _by_name(field: Field) -> bool:
    """Whether a name alone may lead to the field: a reference needs an id, which a column `owner` rarely holds."""
    return _can_write(field) and field.data_type not in _REFERENCES


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "").replace(" ", "")


def _column(source: str, schema: abc.Mapping[str, Any], field: Field, timezone: tzinfo) -> MappedColumn:
    types = _types(schema)
    data_type = field.data_type
    if data_type in _TEXT:
        to_json, to_csv = _text(types)
        return MappedColumn(source, field, to_json, to_csv, None)
    if data_type in ("date", "datetime"):
        moment = data_type == "datetime"
        to_text = values.datetime_converter(timezone) if moment else values.date_converter(timezone)
        return MappedColumn(source, field, to_text, to_text, values.DATETIME_FORMAT if moment else values.DATE_FORMAT)
    if data_type in _REFERENCES:
        return MappedColumn(source, field, values.reference_json, values.reference_csv, None, "id")
    to_json, to_csv = _scalar(data_type, types)
    return MappedColumn(source, field, to_json, to_csv, None)


def _text(types: frozenset[str]) -> _Pair:
    return (values.text_to_json, None) if types == {"string"} else (values.any_to_text, values.any_to_text)


def _scalar(data_type: str, types: frozenset[str]) -> _Pair:
    """Converters by Zoho's type, with the short way for a JSON type that needs less."""
    integers = types == {"integer"}
    if data_type == "integer":
        return (None, None) if integers else (values.whole, values.whole)
    if data_type == "bigint":
        return values.whole_text, None if integers else values.whole_text
    if data_type in _DECIMAL:
        return (None, None) if integers else (values.decimal_json, values.number_text)
    if data_type == "boolean":
        sure = types == {"boolean"}
        return (None, values.WORD_OF_BOOLEAN) if sure else (values.boolean, values.boolean_csv)
    return values.choices_json, values.choices_csv


def _types(schema: abc.Mapping[str, Any]) -> frozenset[str]:
    """The JSON types a property may have, besides null; empty when the schema does not say."""
    alternatives = [each for name in ("anyOf", "oneOf") for each in schema.get(name, ()) if isinstance(each, dict)]
    if alternatives:
        return frozenset[str]().union(*map(_types, alternatives))
    declared = schema.get("type", ())
    names = {declared} if isinstance(declared, str) else set(declared)
    return frozenset(names - {"null"})


_WRITTEN_TYPES = _TEXT | _DECIMAL | _CHOICES | _REFERENCES | {"date", "datetime", "integer", "bigint", "boolean"}
