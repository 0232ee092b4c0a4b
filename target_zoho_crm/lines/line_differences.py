"""Lines as the CRM holds them, against those that were sent: all there, in a subform in their order, field by field."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from sync_databases.chunks import chunks_of
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.coql_rows import all_rows, among, id_in
from target_zoho_crm.api.costs import QUERY_VALUES
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.api.metadata import LINE_TAX
from target_zoho_crm.batch import Batch
from target_zoho_crm.compare.difference_kinds import DifferenceKind
from target_zoho_crm.compare.records import Difference, RecordComparer
from target_zoho_crm.lines.line_follow_up import encoded_lines
from target_zoho_crm.lines.line_mapping import CompiledLines
from target_zoho_crm.lines.line_reader import LineRows

logger = logging.getLogger("target-zoho-crm")

_Held = dict[str, list[dict[str, Any]]]
"""The CRM's lines by the id of their order, oldest first."""


def line_differences(
    client: ZohoClient, lines: CompiledLines | None, batch: Batch, ids: Mapping[str, str], *, ignore_empty: bool
) -> list[Difference]:
    """What the CRM holds otherwise of the lines of these orders, whose records' ids are given by key.

    Lines in a module of their own stand in no order. A difference of a line names its order. Costs 3 credits for 50
    orders.

    Raises:
        ZohoError: the CRM could not be asked.
    """
    if lines is None or not ids:
        return []
    rows = lines.read({key: text for key, text in encoded_lines(batch).items() if key in ids})
    comparer = RecordComparer(lines.mapping, ignore_empty=ignore_empty)
    held = _held(client, lines, comparer.fields, list(ids.values()))
    return [*_of_keys(lines, rows, ids, held), *_of_values(lines, comparer, rows, held)]


def _held(client: ZohoClient, lines: CompiledLines, fields: Sequence[str], ids: Sequence[str]) -> _Held:
    taxes = {each.field.api_name for each in lines.mapping.written if each.field.data_type == LINE_TAX}
    names = [name for name in fields if name not in taxes]
    try:
        return _read(client, lines, names, ids)
    except ConfigurationError as error:
        logger.info("Fields of %s cannot be asked for, and its lines are compared by key: %s", lines.module, error)
        return _read(client, lines, [lines.mapping.key_field.api_name], ids)


def _read(client: ZohoClient, lines: CompiledLines, names: Sequence[str], ids: Sequence[str]) -> _Held:
    order, found = lines.order.field.api_name, _Held()
    for some in chunks_of(ids, QUERY_VALUES):
        for row in all_rows(client, [order, *names], lines.module, among(order, some)):
            found.setdefault(id_in(row.get(order)), []).append(row)
    return found


def _of_keys(lines: CompiledLines, rows: LineRows, ids: Mapping[str, str], held: _Held) -> Iterator[Difference]:
    """Orders of which lines are lacking, or too many, or stand in another order."""
    where = lines.settings.subform if lines.in_subform else lines.module
    meant: dict[str, list[str]] = {order: [] for order in rows.stated}
    for order, key in zip(rows.orders, lines.folding.folded(rows.keys), strict=True):
        meant[order].append(key)
    for order, keys in meant.items():
        there = [_key(lines, line) for line in held.get(ids[order], ())]
        if sorted(there) != sorted(keys):
            yield Difference(order, where, DifferenceKind.LINES_DIFFER, keys, there)
        elif lines.in_subform and there != keys:
            yield Difference(order, where, DifferenceKind.LINE_ORDER, keys, there)


def _of_values(lines: CompiledLines, comparer: RecordComparer, rows: LineRows, held: _Held) -> Iterator[Difference]:
    """Fields of lines that hold something else."""
    by_key = {_key(lines, line): line for of_order in held.values() for line in of_order}
    folded = list(lines.folding.folded(rows.keys))
    there = [at for at, key in enumerate(folded) if key in by_key]
    order_of = dict(zip(rows.keys, rows.orders, strict=True))
    found = comparer.differences(
        [rows.keys[at] for at in there], [rows.values[at] for at in there], [by_key[folded[at]] for at in there]
    )
    for each in found:
        yield replace(each, key=order_of[each.key], field=f"{lines.module}.{each.field}")


def _key(lines: CompiledLines, line: Mapping[str, Any]) -> str:
    return lines.folding.fold(str(line.get(lines.mapping.key_field.api_name) or ""))
