"""Whether each column of the orders and of their lines has a field, and one that can hold its values."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from orders_sync.checks.field_checks import fit
from orders_sync.checks.findings import EXPECTED, Findings, Result
from tap_legacy_orders.order_lines import DEFAULT_NAME
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.lines.line_mapping import OrgDirectories
from target_zoho_crm.lines.line_settings import WriteTo
from target_zoho_crm.mapping.field_mapping import FieldMapping
from target_zoho_crm.mapping.field_settings import FieldSettings
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.stream_mapping import stream_lines
from target_zoho_crm.stream_policy import OnUnmapped

_Properties = Mapping[str, Mapping[str, Any]]


def tap_lines(tap: TapLegacyOrders) -> str | None:
    """The property in which the tap sends an order's lines; None where it sends none."""
    lines = tap.config.get("lines")
    return (lines.get("name") or DEFAULT_NAME) if lines else None


def check_columns(
    findings: Findings,
    settings: Settings,
    properties: _Properties,
    mapping: FieldMapping,
    options: Mapping[str, FieldSettings],
    lines: str | None,
) -> None:
    """Check the orders' own columns; `lines` is the property with their lines, if there is one."""
    remedy = "Map it with `fields`, leave it out with the tap's `exclude`, or let `orders-sync init` make a field."
    if lines in mapping.unmapped:
        message = "the tap sends an order's lines, and `lines` of the target is not set: they are not written"
        findings.add(
            "Lines", _unwritten(settings), message, "Set `lines` (docs/whole-orders.md), or remove it from the tap."
        )
    _check(findings, "Column", settings, properties, mapping, options, remedy, aside=lines)


def check_lines(
    findings: Findings,
    settings: Settings,
    stream: StreamSettings,
    properties: Mapping[str, Any],
    names: Collection[str],
    fields_of: Callable[[str], ModuleFields],
    org: OrgDirectories,
) -> None:
    """Check the lines' settings, and each of their columns but for `names`, which are no data."""
    if stream.lines is None:
        return
    try:
        lines = stream_lines(settings, stream, properties, names, fields_of=fields_of, org=org)
    except EXPECTED as error:
        findings.add_error("Lines", error)
        return
    if lines is None:
        return
    in_subform = stream.lines.write_to is WriteTo.SUBFORM
    findings.add("Lines", Result.OK, f"their settings fit{', in a subform' if in_subform else ''}")
    of_a_line = properties[stream.lines.property]["items"]["properties"]
    by_hand = "make a field in the subform" if in_subform else "let `orders-sync init` make a field"
    remedy = f"Map it with `lines.fields`, leave it out with the tap's `lines.exclude`, or {by_hand}."
    _check(findings, "Line column", settings, of_a_line, lines.mapping, stream.lines.fields, remedy)


def _check(
    findings: Findings,
    kind: str,
    settings: Settings,
    properties: _Properties,
    mapping: FieldMapping,
    options: Mapping[str, FieldSettings],
    remedy: str,
    *,
    aside: str | None = None,
) -> None:
    for column in mapping.columns:
        own = options.get(column.field.api_name)
        convert = column.to_json if settings.validate else None  # else Zoho judges the values
        date_format = None if own is None else own.format
        result, message = fit(properties[column.source], column.field, date_format, convert)
        findings.add(f"{kind} {column.source}", result, message)
    for source in mapping.unmapped:
        if source != aside:
            message = "no field that can be written has a name like it, so it is not sent"
            findings.add(f"{kind} {source}", _unwritten(settings), message, remedy)


def _unwritten(settings: Settings) -> Result:
    """A run ends before its first write where the settings say so."""
    return Result.ERROR if settings.on_unmapped is OnUnmapped.FAIL else Result.WARNING
