"""What a module lacks for a stream of orders, and which fields would supply it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from typing import Any

from orders_sync.new_fields import NewField, field_for, key_field
from sync_databases.columns import Column
from tap_legacy_orders.orders_table import OrdersTable
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.mapping.field_mapping import compile_mapping
from target_zoho_crm.mapping.field_settings import FieldSettings


@dataclass(frozen=True)
class FieldPlan:
    """The fields to be made.

    `needed` are the key field and those that the setting `fields` names; `offered` are for columns that go nowhere
    yet. `not_possible` holds, by column, why no field can be made for it.
    """

    needed: Sequence[NewField]
    offered: Sequence[NewField]
    not_possible: Mapping[str, str]


def plan_fields(
    entry: Mapping[str, Any],
    table: OrdersTable,
    fields: ModuleFields,
    *,
    key_name: str,
    settings: Mapping[str, FieldSettings],
    timezone: tzinfo,
    longest: Mapping[str, int],
) -> FieldPlan:
    """Compare a stream's catalog `entry` with the module's fields.

    `longest` holds the longest text now in columns without a limit of their own.

    Raises:
        ConfigurationError: what is there cannot serve, and a new field does not help (such as a key field that is not
            unique).
    """
    columns = {column.name: column for column in table.columns}
    needed: list[NewField] = []
    not_possible: dict[str, str] = {}
    if key_name not in fields:
        needed.append(key_field(key_name, table.key))
    for name, own in settings.items():
        if name in fields or own.source is None:
            continue
        made = _for(columns.get(own.source), name, longest)
        if made is None:
            not_possible[own.source] = f"no field {name} can be made for it: no such column, or no type of Zoho's fits"
        else:
            needed.append(made)
    planned = ModuleFields(fields.module, {**fields, **{each.api_name: each.field for each in needed}})
    mapping = compile_mapping(
        entry["schema"]["properties"],
        planned,
        key_field=key_name,
        key_properties=entry["key_properties"],
        settings={name: own for name, own in settings.items() if name in planned},
        timezone=timezone,
    )
    taken = {_plain(text): field.api_name for field in planned.values() for text in (field.api_name, field.label)}
    offered: list[NewField] = []
    for source in mapping.unmapped:
        if source in not_possible or source not in columns:  # the lines of an order are no column of its own
            continue
        name = _api_name(source)
        if _plain(name) in taken:
            there = taken[_plain(name)]
            not_possible[source] = f"the module's own field {there} has that name; map it with `fields` if it fits"
            continue
        made = _for(columns.get(source), name, longest)
        if made is None:
            not_possible[source] = "no type of Zoho's fits its values"
        else:
            offered.append(made)
    return FieldPlan(needed, offered, not_possible)


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


def _for(column: Column | None, api_name: str, longest: Mapping[str, int]) -> NewField | None:
    return None if column is None else field_for(column, api_name, longest.get(column.name))


def _api_name(source: str) -> str:
    """`order_date` as Zoho's users write it: Order_Date."""
    words = "".join(character if character.isalnum() else " " for character in source).split()
    return "_".join(word[:1].upper() + word[1:] for word in words)


def _plain(name: str) -> str:
    return "".join(character for character in name.lower() if character.isalnum())
