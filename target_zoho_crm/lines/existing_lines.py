"""The lines that the CRM has for some orders, read by COQL; and taking away those that the legacy order has no more.

A subform's rows are read the same way: Zoho answers queries of a subform's own module, and its list of records does
not promise to show rows.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sync_databases.chunks import chunks_of
from target_zoho_crm.api.answers import flat_error
from target_zoho_crm.api.calls import Fence
from target_zoho_crm.api.client import Answer, ZohoClient
from target_zoho_crm.api.codes import NO_SUCH_RECORD, SUCCESS, OwnCode
from target_zoho_crm.api.coql_rows import all_rows, among, id_in
from target_zoho_crm.api.costs import CALL_RECORDS, QUERY_VALUES
from target_zoho_crm.api.errors import AnswerError, request_error
from target_zoho_crm.api.plain_text import code_of
from target_zoho_crm.lines.line_mapping import CompiledLines


@dataclass(frozen=True, slots=True)
class ExistingLine:
    """A line in the CRM: the id of its record, its key, and the id of the order's record."""

    id: str
    key: str
    order_id: str


class ExistingLines:
    """Reads and deletes the lines of one stream."""

    def __init__(self, client: ZohoClient, lines: CompiledLines) -> None:
        self._client = client
        self._lines = lines

    def of_orders(self, ids: Collection[str]) -> Iterator[ExistingLine]:
        """All lines of the orders with these ids."""
        for chunk in chunks_of(ids, QUERY_VALUES):
            yield from self._read(among(self._lines.order.field.api_name, chunk))

    def of_ids(self, ids: Collection[str]) -> Iterator[ExistingLine]:
        """The lines with these ids, as they are now."""
        for chunk in chunks_of(ids, QUERY_VALUES):
            yield from self._read(among("id", chunk))

    def delete(self, lines: Sequence[ExistingLine], fence: Fence) -> dict[str, str]:
        """Delete lines, as `delete_lines` does."""
        return delete_lines(self._client, self._lines.module, [line.id for line in lines], fence)

    def _read(self, condition: str) -> Iterator[ExistingLine]:
        key, order = self._lines.mapping.key_field.api_name, self._lines.order.field.api_name
        for row in all_rows(self._client, (key, order), self._lines.module, condition):
            yield ExistingLine(str(row["id"]), str(row.get(key) or ""), id_in(row.get(order)))


def delete_lines(client: ZohoClient, module: str, ids: Collection[str], fence: Fence) -> dict[str, str]:
    """Delete lines; returns the codes of those that Zoho refused, by the line's id. One not found is deleted.

    Raises:
        ZohoError: the call was refused as a whole, or failed after all attempts.
    """
    refused: dict[str, str] = {}
    for chunk in chunks_of(ids, CALL_RECORDS):
        refused.update(_refused(chunk, client.delete(module, chunk, fence=fence)))
    return refused


def surplus(
    existing: Iterable[ExistingLine], wanted: Mapping[str, Collection[str]], lines: CompiledLines
) -> list[ExistingLine]:
    """The lines that their orders have no more, and the doubles; `wanted` are the lines' folded keys by order's id."""
    seen: set[tuple[str, str]] = set()
    found = []
    for line in existing:
        key = lines.folding.fold(line.key)
        if key not in wanted.get(line.order_id, ()) or (line.order_id, key) in seen:
            found.append(line)
        seen.add((line.order_id, key))
    return found


def _refused(ids: Sequence[str], answer: Answer) -> dict[str, str]:
    data = answer.body.get("data") if isinstance(answer.body, dict) else None
    if not isinstance(data, list) or len(data) != len(ids):
        found = flat_error(answer.body)
        if found is not None:
            raise request_error(found[0], where="delete of lines", said=found[1], http_status=answer.status)
        raise AnswerError(OwnCode.BAD_ANSWER, f"delete: the answer (HTTP {answer.status}) does not fit {len(ids)} ids.")
    refused = {}
    for line, item in zip(ids, data, strict=True):
        code = item.get("code") if isinstance(item, dict) else None
        if code not in (SUCCESS, NO_SUCH_RECORD):
            refused[line] = code_of(code) or OwnCode.UNREADABLE
    return refused
