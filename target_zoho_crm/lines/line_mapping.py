"""Where one stream's lines go and how: module, mapping and reader, compiled once from schema, settings and metadata."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any

from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.codes import OwnCode, ZohoCode
from target_zoho_crm.api.costs import FIELD_ROWS
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.api.metadata import LINE_TAX, PARENT_ID, Field, ModuleFields
from target_zoho_crm.lines.line_reader import LineReader, LineRows, count_lines
from target_zoho_crm.lines.line_references import LineDiscounts, LineReferences
from target_zoho_crm.lines.line_settings import (
    DISCOUNT,
    GRAND_TOTAL,
    LIST_PRICE,
    QUANTITY,
    LinesSettings,
    WriteTo,
)
from target_zoho_crm.mapping.converters import DECIMAL
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn, compile_mapping
from target_zoho_crm.mapping.field_settings import FieldSettings, OnNull
from target_zoho_crm.mapping.field_values import Refusal, reference_csv, reference_json
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.mapping.org_taxes import OrgTaxes, Taxes
from target_zoho_crm.mapping.reference_columns import with_references
from target_zoho_crm.mapping.references import OnMissingParent
from target_zoho_crm.mapping.user_directory import Users
from target_zoho_crm.writing.child_failures import MESSAGE_CHARACTERS
from target_zoho_crm.writing.lookup_resolver import LookupDirectories
from target_zoho_crm.writing.routing import LineCounts
from target_zoho_crm.writing.upsert_body import upsert_body


@dataclass(frozen=True)
class OrgDirectories:
    """Who and what of the org lines may name: users, taxes, and records by a value of theirs."""

    users: Callable[[], Users]
    taxes: Callable[[], Taxes]
    records: LookupDirectories

    @classmethod
    def of(cls, client: ZohoClient, users: Callable[[], Users]) -> OrgDirectories:
        """Those of a run; nothing is asked for before it is needed."""
        return cls(users, OrgTaxes(client).taxes, LookupDirectories(client))


_ORDER_ID = "the order's id"
"""Name of the column that holds the id of the order's record; no property of a line can collide with it by chance."""


@dataclass(frozen=True)
class CompiledLines:
    """One stream's lines.

    `module` is where they are records: a module of their own, or that of the subform's rows. `order_key_field` is the
    key field of their orders. `mapping` is that of a line's own values; `with_order` has the id of the order's record
    before them.
    """

    settings: LinesSettings
    module: str
    order_key_field: str
    mapping: FieldMapping
    order: MappedColumn
    reader: LineReader
    folding: KeyFolding
    references: LineReferences
    discounts: LineDiscounts | None
    demanded: bool
    """Whether a new order must have lines, which then go with it in one call."""

    @property
    def in_subform(self) -> bool:
        """Whether lines are rows of the order's subform."""
        return self.settings.write_to is WriteTo.SUBFORM

    @property
    def with_order(self) -> FieldMapping:
        """The mapping of rows (id of the order's record, the line's values...)."""
        return replace(self.mapping, columns=(self.order, *self.mapping.columns))

    @property
    def in_zip(self) -> FieldMapping:
        """The mapping of rows (key of the order, the line's values...) in the zip of their orders."""
        order = replace(self.order, to_csv=None, csv_find_by=None, shortcut=None)
        return replace(self.mapping, columns=(order, *self.mapping.columns))

    def counts(self, rows: Iterable[Sequence[Any]]) -> LineCounts:
        """Count the lines of orders whose last value holds them."""
        counts = [self.count(row) for row in rows]
        return LineCounts(counts, self.in_subform, with_orders=self.demanded)

    @staticmethod
    def count(row: Sequence[Any]) -> int:
        """How many lines an order has, of which this is the row."""
        return count_lines(row[-1]) if row else 0

    def read(self, encoded: Mapping[str, bytes | None], owners: dict[str, str] | None = None) -> LineRows:
        """Read the lines of some orders, as `LineReader.read` says; a subform takes no more than 100.

        Raises:
            ZohoError: records that the lines name could not be asked for.
        """
        rows = self.reader.read(encoded, self.folding, owners)
        refused = self.references.resolve(rows)
        for order, of_order in (self.discounts.resolve(rows) if self.discounts is not None else {}).items():
            refused.setdefault(order, {}).update(of_order)
        rows.refusals |= {order: of_lines(of_order) for order, of_order in refused.items()}
        if self.in_subform:
            for order, count in _counts(rows).items():
                if count > FIELD_ROWS:
                    message = f"{count} lines, and a subform takes {FIELD_ROWS}"
                    rows.refusals[order] = Refusal(ZohoCode.LIMIT_EXCEEDED, self.settings.subform, message)
        return rows

    def check(self, rows: LineRows) -> dict[str, Refusal]:
        """Refusals by order of lines that cannot be written, before anything is sent."""
        _, refused = upsert_body(self.mapping, rows.keys, rows.values)
        if not refused:
            return rows.refusals
        order_of = dict(zip(rows.keys, rows.orders, strict=True))
        by_order: dict[str, dict[str, Refusal]] = {}
        for key, refusal in refused.items():
            by_order.setdefault(order_of[key], {})[key] = refusal
        return {order: of_lines(lines) for order, lines in by_order.items()} | rows.refusals


def of_lines(refusals: Mapping[str, Refusal]) -> Refusal:
    """The refusal of an order for values of its lines, by the line's key; the message names the lines."""
    parts = {(part.code, part.field, part.message): part for each in refusals.values() for part in each.parts}
    whole = Refusal.together(list(parts.values()))
    message = "; ".join(f"line {key!r}: {refusal.message}" for key, refusal in refusals.items())
    named = Refusal(whole.code, whole.field, message[:MESSAGE_CHARACTERS])
    named.parts = whole.parts  # without the lines and each once, so that orders are counted by cause
    return named


def compile_lines(
    settings: LinesSettings,
    properties: Mapping[str, Any],
    *,
    module: str,
    key_field: str,
    fields_of: Callable[[str], ModuleFields],
    org: OrgDirectories,
    timezone: tzinfo,
    validate: bool,
    taxes_in_cells: bool,
) -> CompiledLines:
    """Compile for a stream whose orders go to `module`, by `key_field`. `taxes_in_cells`: a CSV has a column for taxes.

    Raises:
        ConfigurationError: the stream has no such lines, or module, fields or key are of no use.
    """
    line = _line_properties(settings, properties)
    in_subform = settings.write_to is WriteTo.SUBFORM
    fields = _SubformFields.of(fields_of, module, settings.subform) if in_subform else fields_of(settings.module)
    parent = _parent(settings, fields, module)
    if any(each.source and name == parent.api_name for name, each in settings.fields.items()):
        raise configuration_error(
            OwnCode.AMBIGUOUS_FIELD,
            f"`lines.fields` writes {parent.api_name}, which holds the order.",
            field=parent.api_name,
        )
    _refuse_options(settings.fields)
    if settings.total_field is not None:
        _check_totals(settings.total_field, fields_of(module))
    mapping = compile_mapping(
        {_ORDER_ID: {"type": ["string"]}, **line},
        fields,
        key_field=settings.key_field,
        key_properties=[settings.key_property],
        settings={**settings.fields, parent.api_name: FieldSettings(parent.api_name, _ORDER_ID)},
        timezone=timezone,
        validate=validate,
    )
    mapping = with_references(mapping, settings.fields, fields_of=fields_of, users=org.users)
    order = next(column for column in mapping.columns if column.source == _ORDER_ID)
    columns = [column for column in mapping.columns if column is not order]
    parents = {at: column.parent.kind for at, column in enumerate(columns) if column.parent is not None}
    names = [column.field.api_name for column in columns]
    by_tax = (_by_tax(column, org, in_cells=taxes_in_cells) for column in columns)
    mapping = replace(mapping, columns=tuple(map(_by_id, by_tax)))
    sources = [column.source for column in columns]
    return CompiledLines(
        settings=settings,
        module=fields.module,
        order_key_field=key_field,
        mapping=mapping,
        order=order,
        reader=LineReader(line, key_property=settings.key_property, sources=sources),
        folding=KeyFolding(folds_case=not mapping.key_field.case_sensitive),
        references=LineReferences(parents, names, org.records),
        discounts=None if settings.discount_percent is None else _discounts(settings, mapping),
        demanded=in_subform and fields_of(module).named(settings.subform).mandatory,
    )


def _refuse_options(fields: Mapping[str, FieldSettings]) -> None:
    for name, each in fields.items():
        creates = each.on_missing_parent not in (None, OnMissingParent.REJECT)
        option = "null: keep" if each.null is OnNull.KEEP else "append" * each.append
        option = f"on_missing_parent: {each.on_missing_parent}" if creates else option
        if option:
            raise configuration_error(
                ZohoCode.INVALID_FIELD, f"`lines.fields`: {name} of a line cannot have `{option}`.", field=name
            )


class _SubformFields(ModuleFields):
    """The fields of a subform's rows, whose key need not be unique in Zoho: it is so within its order."""

    @classmethod
    def of(cls, fields_of: Callable[[str], ModuleFields], module: str, subform: str) -> _SubformFields:
        """Read the fields of the rows of a subform of `module`."""
        field = fields_of(module).named(subform)
        if field.data_type != "subform":
            raise configuration_error(
                ZohoCode.INVALID_FIELD,
                f"`lines.subform`: {subform} of module {module} is a {field.data_type}.",
                field=subform,
            )
        rows = fields_of(field.subform_module or subform)
        return cls(rows.module, {PARENT_ID: Field(PARENT_ID, "lookup", lookup_module=module), **rows})

    def key(self, name: str) -> Field:
        """The field that holds the lines' keys."""
        return self.named(name)


def _line_properties(settings: LinesSettings, properties: Mapping[str, Any]) -> Mapping[str, Any]:
    lines = properties.get(settings.property)
    line = (lines.get("items") or {}).get("properties") if isinstance(lines, dict) else None
    if not line:
        raise configuration_error(
            OwnCode.NO_LINES,
            f"`lines.property`: the stream has no property {settings.property!r} that is an array of lines.",
        )
    if settings.key_property not in line:
        raise configuration_error(
            OwnCode.NO_LINES, f"`lines.key_property`: a line has no property {settings.key_property!r}."
        )
    return dict(line)


def _by_id(column: MappedColumn) -> MappedColumn:
    """The column of values that name records, once ids stand in their place."""
    if column.parent is None:
        return column
    return replace(column, to_json=reference_json, to_csv=reference_csv, csv_find_by="id", parent=None)


def _by_tax(column: MappedColumn, org: OrgDirectories, *, in_cells: bool) -> MappedColumn:
    if column.field.data_type != LINE_TAX:
        return column
    taxes = org.taxes()
    why = None if in_cells else column.upsert_only
    return replace(column, to_json=taxes.to_json, to_csv=taxes.to_csv, upsert_only=why)


def _discounts(settings: LinesSettings, mapping: FieldMapping) -> LineDiscounts:
    at = {column.field.api_name: position for position, column in enumerate(mapping.columns)}
    missing = [name for name in (DISCOUNT, QUANTITY, LIST_PRICE) if name not in at]
    if missing:
        raise configuration_error(
            ZohoCode.INVALID_FIELD,
            f"`lines.discount_percent` {settings.discount_percent}: nothing of a line goes to {', '.join(missing)}.",
            field=missing[0],
        )
    places = mapping.columns[at[DISCOUNT]].field.decimal_place
    return LineDiscounts(at[DISCOUNT], at[QUANTITY], at[LIST_PRICE], DISCOUNT, 2 if places is None else places)


def _check_totals(name: str, orders: ModuleFields) -> None:
    """Refuse a comparison of totals in a module that has none to compare."""
    for field in (orders.named(name), orders.named(GRAND_TOTAL)):
        if field.data_type not in DECIMAL:
            raise configuration_error(
                ZohoCode.INVALID_FIELD,
                f"`lines.total_field`: {field.api_name} of module {orders.module} is no amount.",
                field=field.api_name,
            )


def _parent(settings: LinesSettings, fields: ModuleFields, module: str) -> Field:
    field = fields.named(PARENT_ID if settings.write_to is WriteTo.SUBFORM else settings.order_field)
    if field.data_type != "lookup" or field.lookup_module != module:
        raise configuration_error(
            ZohoCode.INVALID_FIELD,
            f"`lines.order_field`: {field.api_name} of module {fields.module} is no lookup to {module}.",
            field=field.api_name,
        )
    return field


def _counts(rows: LineRows) -> dict[str, int]:
    counts: dict[str, int] = {}
    for order in rows.orders:
        counts[order] = counts.get(order, 0) + 1
    return counts
