"""One stream's mapping as its settings want it: the order's own fields, and the references to other records."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync_ledger.written_mappings import WrittenMapping
from target_zoho_crm.api.codes import OwnCode, ZohoCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.lines.line_mapping import CompiledLines, OrgDirectories, compile_lines
from target_zoho_crm.lines.line_settings import WriteTo
from target_zoho_crm.mapping.field_mapping import FieldMapping, compile_mapping
from target_zoho_crm.mapping.reference_columns import with_references
from target_zoho_crm.mapping.user_directory import Users
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.write_settings import Operation
from target_zoho_crm.writing.routing import ChildRows, ChildRowsPer

logger = logging.getLogger("target-zoho-crm")

NAMED_MOST = 5
"""Columns without a field that the last line of a run names."""


def stream_mapping(
    settings: Settings,
    stream: StreamSettings,
    properties: Mapping[str, dict[str, Any]],
    key_properties: Sequence[str],
    *,
    fields_of: Callable[[str], ModuleFields],
    users: Callable[[], Users],
) -> FieldMapping:
    """Compile the mapping of the stream's orders, without their lines.

    `fields_of` gives the fields of a module; `users` the org's users, and is called only where a field needs them.

    Raises:
        ConfigurationError: module, key field or mapping are of no use.
    """
    own = {name: each for name, each in properties.items() if stream.lines is None or name != stream.lines.property}
    mapping = compile_mapping(
        own,
        fields_of(stream.module),
        key_field=stream.key_field,
        key_properties=key_properties,
        settings=stream.fields,
        timezone=settings.timezone,
        validate=settings.validate,
    )
    if mapping.has_rules and stream.writes.operation is not Operation.UPSERT:
        raise configuration_error(
            OwnCode.INVALID_FIELD_OPTION,
            f"`fields`, {mapping.with_rules.written[0].field.api_name}: `write` needs `operation` upsert.",
        )
    rows = _lacking_rows(fields_of(stream.module), stream)
    mapping = replace(mapping, lacking=(*mapping.lacking, *rows), lacking_rows=rows)
    return with_references(mapping, stream.fields, fields_of=fields_of, users=users)


def _lacking_rows(fields: ModuleFields, stream: StreamSettings) -> tuple[str, ...]:
    """The mandatory subforms, such as line items, that no line of an order goes to."""
    lines = stream.lines
    written = lines.subform if lines is not None and lines.write_to is WriteTo.SUBFORM else None
    demanded = (each.api_name for each in fields.values() if each.mandatory and each.data_type == "subform")
    return tuple(name for name in demanded if name != written)


def stream_lines(
    settings: Settings,
    stream: StreamSettings,
    properties: Mapping[str, Any],
    names: Collection[str],
    *,
    fields_of: Callable[[str], ModuleFields],
    org: OrgDirectories,
) -> CompiledLines | None:
    """Compile how the stream's lines are written; None where orders have none.

    `names` are columns that name the order or the line: key field and lookup say what they do.

    Raises:
        ConfigurationError: the settings of the lines do not fit the CRM.
    """
    if stream.lines is None:
        return None
    lines = compile_lines(
        stream.lines,
        properties,
        module=stream.module,
        key_field=stream.key_field,
        fields_of=fields_of,
        org=org,
        timezone=settings.timezone,
        validate=settings.validate,
        taxes_in_cells=settings.taxes_in_cells,
    )
    if lines.mapping.has_rules:
        name = lines.mapping.with_rules.written[0].field.api_name
        raise configuration_error(
            OwnCode.INVALID_FIELD_OPTION, f"`lines.fields`, {name}: lines are written whole, and take no `write`."
        )
    return replace(lines, mapping=not_missed(lines.mapping, names))


def not_missed(mapping: FieldMapping, names: Collection[str]) -> FieldMapping:
    """The mapping of which these columns are not called unmapped, though no field takes them."""
    return replace(mapping, unmapped=tuple(each for each in mapping.unmapped if each not in names))


def only_by_calls(
    mapping: FieldMapping, lines: CompiledLines | None, operation: Operation, child_rows: ChildRows
) -> tuple[str, ...]:
    """Why bulk write cannot write the stream; empty where it can.

    Lines have no second step in which a job's gaps could be filled, nor have orders that are not to be written twice.
    """
    reasons = list(mapping.upsert_only)
    if operation is Operation.INSERT:
        reasons += [f"{each.field.api_name} {each.upsert_only}" for each in mapping.second_step.values()]
    if lines is not None:
        if lines.demanded:
            reasons += _why_no_zip(lines.settings.subform, operation, child_rows)
        reasons += [
            f"{each.field.api_name} of its lines {each.upsert_only}"
            for each in lines.mapping.written
            if each.upsert_only
        ]
    return tuple(reasons)


def _why_no_zip(subform: str, operation: Operation, child_rows: ChildRows) -> list[str]:
    """Why orders that must have lines go in one call with them, if they do."""
    with_lines = f"{subform} is mandatory, so new orders go with their lines, in one call"
    if operation is not Operation.UPSERT:
        return [f"{with_lines} with `operation` {operation.value}"]
    if child_rows.per is not ChildRowsPer.PARENT:
        return [f"{with_lines} unless `child_rows_per` is parent"]
    return []


def refuse_unmapped(name: str, stream: StreamSettings, mapping: FieldMapping, lines: CompiledLines | None) -> None:
    """Refuse a stream of which a property goes nowhere.

    Raises:
        ConfigurationError: there is one; it names all of them.
    """
    of_lines = () if lines is None else lines.mapping.unmapped
    if mapping.unmapped or of_lines:
        names = ", ".join([*mapping.unmapped, *(f"{each} of its lines" for each in of_lines)])
        raise configuration_error(
            OwnCode.UNMAPPED, f"Stream {name!r}, module {stream.module}: no writable field for {names}."
        )


def refuse_lacking(name: str, stream: StreamSettings, mapping: FieldMapping, key_properties: Sequence[str]) -> None:
    """Refuse a first load of which Zoho would refuse every order, before anything is written.

    Raises:
        ConfigurationError: a mandatory field has no source; it says how to give it one.
    """
    if mapping.lacking and stream.writes.operation is not Operation.UPDATE:
        source = key_properties[0] if key_properties else "a property"
        name = mapping.lacking[0]
        way = f'Set `fields`, as in {{"{name}": {{"source": "{source}"}}}}.'
        if name in mapping.lacking_rows:
            way = f'Set `lines`, as in {{"write_to": "subform", "subform": "{name}"}} (docs/whole-orders.md).'
        raise configuration_error(
            ZohoCode.MANDATORY_FIELDS_NOT_MAPPED,
            f"Stream {name!r}: module {stream.module} demands {', '.join(mapping.lacking)}, to which no property goes: "
            f"Zoho would refuse every order. {way}",
        )


def written_mapping(mapping: FieldMapping, lines: CompiledLines | None) -> WrittenMapping:
    """The fields that orders and their lines are written to, as the ledger remembers them."""
    return WrittenMapping(fields=_pairs(mapping), line_fields=() if lines is None else _pairs(lines.mapping))


def _pairs(mapping: FieldMapping) -> tuple[tuple[str, str], ...]:
    pairs = {each.field.api_name: each.source for each in mapping.columns}
    pairs |= {each.field.api_name: "default" for each in mapping.constants}
    return tuple(sorted(pairs.items()))


def column_summary(mapping: FieldMapping, lines: CompiledLines | None) -> str:
    """What a run did not write of its orders, for its last line: columns that no field takes, values that are none.

    Empty where all was written.
    """
    parts = []
    for each, of in ((mapping, ""), *(((lines.mapping, " of the lines"),) if lines is not None else ())):
        if each.unmapped:
            all_of_them = len(each.unmapped) + len(each.columns)
            names = ", ".join(each.unmapped[:NAMED_MOST]) + (", ..." if len(each.unmapped) > NAMED_MOST else "")
            parts.append(f"{len(each.unmapped)} of {all_of_them} columns{of} not written: {names}")
        if each.lacking:
            parts.append(f"new orders{of} are refused, since these are mandatory: {', '.join(each.lacking)}")
        if each.nulled:
            parts.append(f"null in place of what{of} cannot be read: {', '.join(sorted(each.nulled))}")
    return "; ".join(parts)


def warn_of_gaps(name: str, stream: StreamSettings, mapping: FieldMapping, lines: CompiledLines | None) -> None:
    """Say which properties go nowhere, and which demanded fields get nothing."""
    if mapping.unmapped:
        logger.warning(
            "Stream %r: no writable field of module %s for %s; these are not written (`fields` can map them)",
            name,
            stream.module,
            ", ".join(mapping.unmapped),
        )
    if lines is not None and lines.mapping.unmapped:
        logger.warning(
            "Stream %r: no writable field of module %s for %s of its lines; these are not written (`lines.fields`)",
            name,
            lines.module,
            ", ".join(lines.mapping.unmapped),
        )
    for each, setting in ((mapping, "fields"), *(((lines.mapping, "lines.fields"),) if lines is not None else ())):
        if each.absent:
            logger.warning(
                "Stream %r: `%s` names what the stream does not have: %s; nothing is written to these fields",
                name,
                setting,
                ", ".join(each.absent),
            )
    if mapping.lacking:
        logger.warning(
            "Stream %r: module %s demands %s, to which no property goes; Zoho refuses new orders without it "
            "(`fields` can name a property, or a `default`)",
            name,
            stream.module,
            ", ".join(mapping.lacking),
        )
