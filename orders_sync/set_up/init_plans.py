"""What `init` proposes for a stream: the fields of its orders, and of their lines, by the tables as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from orders_sync.set_up.field_plan import FieldPlan, Source, plan_fields
from orders_sync.set_up.new_fields import DECIMALS_MOST, NewField
from sync_databases.columns import Kind
from sync_databases.value_sql import value_sql_for
from tap_legacy_orders.connections import reading
from tap_legacy_orders.order_lines import line_names
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.lines.line_settings import LinesSettings, WriteTo
from target_zoho_crm.mapping.field_settings import FieldSettings
from target_zoho_crm.settings import Settings, StreamSettings

ROWS_LOOKED_AT = 10_000
"""Rows of a table whose decimals are looked at."""


@dataclass(frozen=True)
class ModulePlan:
    """The plan for one module; `of` says whose columns: orders, or their lines."""

    of: str
    module: str
    plan: FieldPlan
    too_exact: Mapping[str, int]
    """Decimal places that values have and no field can: by column, in the rows that were looked at."""

    def unwritten(self, *, all_columns: bool) -> list[str]:
        """Columns that have no field once the plan is carried out."""
        return [*self.plan.not_possible, *(() if all_columns else (each.source for each in self.plan.offered))]


def plans_for(
    tap: TapLegacyOrders, settings: Settings, stream: StreamSettings, fields_of: Callable[[str], ModuleFields]
) -> tuple[list[ModulePlan], list[str]]:
    """The plans for orders and lines, and what else is to be known of them, a line each.

    Raises:
        ConfigurationError: the settings do not fit a module.
        TapConfigError: a table or column is not there.
    """
    table, lines = tap.orders_table, tap.lines_table
    entry = tap.catalog_dict["streams"][0]
    properties = entry["schema"]["properties"]
    zone = settings.timezone

    def planned(of: str, there: _There, module: ModuleFields, key: str, own: Mapping[str, FieldSettings]) -> ModulePlan:
        plan = _with_lengths(
            tap,
            there,
            lambda longest: plan_fields(
                there.source, module, key_name=key, settings=own, timezone=zone, longest=longest
            ),
        )
        return ModulePlan(of, module.module, plan, _too_exact(tap, there))

    orders = _There(
        table.name,
        table.schema,
        Source(
            {name: each for name, each in properties.items() if lines is None or name != lines.property},
            table.columns,
            table.key,
            entry["key_properties"],
            {name: f"only the tap needs it, as `{setting}`" for name, setting in table.only_of_tap.items()},
        ),
    )
    found = [planned("orders", orders, fields_of(stream.module), stream.key_field, stream.fields)]
    if lines is None:
        return found, []
    if stream.lines is None:
        return found, [f"The lines of table {lines.name} are not written: `lines` of the target is not set."]
    if stream.lines.write_to is WriteTo.SUBFORM:
        rest = f"Fields of the subform {stream.lines.subform} are made by hand; `doctor` names columns that have none."
        return found, [*_by_hand(stream.module, stream.lines, fields_of), rest]
    line = properties[lines.property]["items"]["properties"]
    source = Source(line, lines.columns, lines.key, [stream.lines.key_property], line_names(lines))
    there = _There(lines.name, lines.schema, source)
    module = fields_of(stream.lines.module)
    found.append(planned("lines", there, module, stream.lines.key_field, stream.lines.fields))
    missing = stream.lines.order_field not in module
    lookup = (
        f"Module {module.module} has no field {stream.lines.order_field}: make a lookup to {stream.module} by hand."
    )
    return found, [lookup] if missing else []


def _by_hand(module: str, lines: LinesSettings, fields_of: Callable[[str], ModuleFields]) -> list[str]:
    """The field of a subform's rows that holds their keys, where it is not there: no call makes fields in a subform."""
    subform = fields_of(module).named(lines.subform)
    if lines.key_field in fields_of(subform.subform_module or lines.subform):
        return []
    what = "line items" if subform.mandatory else "subform"
    return [f"Make a text field {lines.key_field} in the {what} {lines.subform} by hand: it holds the lines' keys."]


@dataclass(frozen=True)
class _There:
    """A table, and what of it goes to a module."""

    name: str
    schema: str | None
    source: Source

    @property
    def table(self) -> sa.TableClause:
        return sa.table(self.name, schema=self.schema)


def _with_lengths(tap: TapLegacyOrders, there: _There, planned: Callable[[Mapping[str, int]], FieldPlan]) -> FieldPlan:
    """Plan twice: the second time with the lengths of the texts for which the first one found no limit."""
    first = planned({})
    unlimited = [each.source for each in (*first.needed, *first.offered) if _is_unlimited(each)]
    if not unlimited:
        return first
    database = value_sql_for(tap.engine.dialect)
    columns = [each for each in there.source.columns if each.name in unlimited]
    lengths = [database.length(database.text(each, sa.column(each.name))) for each in columns]
    with reading(tap.engine) as connection:
        row = connection.execute(sa.select(*map(sa.func.max, lengths)).select_from(there.table)).one()
    return planned({each.name: int(longest or 0) for each, longest in zip(columns, row, strict=True)})


def _is_unlimited(field: NewField) -> bool:
    return field.textarea is not None


def _too_exact(tap: TapLegacyOrders, there: _There) -> dict[str, int]:
    """Of columns with decimals the most places that a value has, where no field takes so many."""
    database = value_sql_for(tap.engine.dialect)
    columns = [each for each in there.source.columns if each.kind is Kind.NUMBER]
    if not columns:
        return {}
    # Without their types: SQLAlchemy's DOUBLE of MySQL rounds to ten places.
    values = [database.fetched(each, sa.column(each.name)) for each in columns]
    query = sa.select(*values).select_from(there.table)
    with reading(tap.engine) as connection:
        rows = connection.execute(query.limit(ROWS_LOOKED_AT)).all()
    places = {each.name: max(_places([row[at] for row in rows]), default=0) for at, each in enumerate(columns)}
    return {name: most for name, most in places.items() if most > DECIMALS_MOST}


def _places(values: Sequence[Any]) -> Sequence[int]:
    """Decimal places of the numbers among some values."""
    numbers = (Decimal(repr(each) if isinstance(each, float) else each) for each in values if each is not None)
    exponents = (number.normalize().as_tuple().exponent for number in numbers if number.is_finite())
    return [-exponent for exponent in exponents if isinstance(exponent, int)]
