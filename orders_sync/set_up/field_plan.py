"""What a module lacks for a stream of orders, and which fields would supply it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from orders_sync.set_up.new_fields import NewField, field_for, key_field
from sync_databases.columns import Column
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.mapping import timestamps
from target_zoho_crm.mapping.field_mapping import compile_mapping
from target_zoho_crm.mapping.field_settings import FieldSettings

NOT_READ = (
    "the tap does not read it; if the table has it, add it to the tap's `columns`, or take it out of its `exclude`"
)


@dataclass(frozen=True)
class Source:
    """What goes to a module: a table's columns, as the stream's schema describes them."""

    properties: Mapping[str, dict[str, Any]]
    columns: Sequence[Column]
    key: tuple[Column, ...]
    key_properties: Sequence[str]
    aside: Mapping[str, str]
    """Columns that only the tap needs, with what for: no field is offered for them."""


@dataclass(frozen=True)
class FieldPlan:
    """The fields to be made.

    `needed` are the key field and those that the setting `fields` names; `offered` are for columns that go nowhere
    yet. `not_possible` holds, by column, why no field can be made for it, or need be. `written` counts the columns that
    have a field.
    """

    needed: Sequence[NewField]
    offered: Sequence[NewField]
    not_possible: Mapping[str, str]
    written: int


def plan_fields(
    source: Source,
    fields: ModuleFields,
    *,
    key_name: str,
    settings: Mapping[str, FieldSettings],
    timezone: tzinfo,
    longest: Mapping[str, int],
) -> FieldPlan:
    """Compare the columns of a source with the module's fields.

    `longest` holds the longest text now in columns without a limit of their own.

    Raises:
        ConfigurationError: the settings do not fit the module (`fields` names a field twice, say; the key field is not
            unique).
    """
    columns = {column.name: column for column in source.columns}
    needed: list[NewField] = []
    not_possible: dict[str, str] = {}
    if key_name not in fields:
        needed.append(key_field(key_name, source.key))
    for name, own in settings.items():
        if name in fields or own.source is None:
            continue
        made = _for(columns.get(own.source), name, longest, own.format)
        if made is None:
            why = "no type of Zoho's fits" if own.source in columns else NOT_READ
            not_possible[own.source] = f"no field {name} can be made for it: {why}"
        else:
            needed.append(made)
    planned = ModuleFields(fields.module, {**fields, **{each.api_name: each.field for each in needed}})
    mapping = compile_mapping(
        source.properties,
        planned,
        key_field=key_name,
        key_properties=source.key_properties,
        settings={name: own for name, own in settings.items() if name in planned},
        timezone=timezone,
    )
    taken = {_plain(text): field.api_name for field in planned.values() for text in (field.api_name, field.label)}
    offered: list[NewField] = []
    for column in mapping.unmapped:
        if column in not_possible or column not in columns:  # the lines of an order are no column of its own
            continue
        if column in source.aside:
            not_possible[column] = f"{source.aside[column]}; `fields` can map it all the same"
            continue
        name = _api_name(column)
        if _plain(name) in taken:
            there = taken[_plain(name)]
            not_possible[column] = f"the module's own field {there} has that name; map it with `fields` if it fits"
            continue
        made = _for(columns.get(column), name, longest)
        if made is None:
            not_possible[column] = "no type of Zoho's fits its values"
        else:
            offered.append(made)
    return FieldPlan(needed, offered, not_possible, len(mapping.columns))


def differently_named(made: Sequence[NewField], fields: ModuleFields) -> ConfigurationError | None:
    """The error that names the new fields to which Zoho gave another API name; None where there is none."""
    missing = [each.api_name for each in made if each.api_name not in fields]
    if not missing:
        return None
    return ConfigurationError(
        ZohoCode.INVALID_FIELD,
        f"Zoho made {', '.join(missing)} under another API name; look it up in the module's fields, and set "
        "`key_field` or `fields` to it.",
    )


def _for(
    column: Column | None, api_name: str, longest: Mapping[str, int], date_format: str | None = None
) -> NewField | None:
    """The field for a column; `date_format` says that its texts are dates or times."""
    if column is None:
        return None
    if date_format is not None:
        return NewField(api_name, column.name, timestamps.type_of(date_format))
    return field_for(column, api_name, longest.get(column.name))


def _api_name(source: str) -> str:
    """`order_date` as Zoho's users write it: Order_Date."""
    words = "".join(character if character.isalnum() else " " for character in source).split()
    return "_".join(word[:1].upper() + word[1:] for word in words)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
