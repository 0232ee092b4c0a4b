"""What is written of an order beside its own record, its lines and links, against the rows that the CRM has of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from orders_sync.comparison.module_reading import Record
from orders_sync.comparison.written_orders import MODIFIED_BY, MODIFIED_TIME, WrittenOrders
from sync_ledger.written_mappings import WrittenMapping
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.coql_rows import id_in
from target_zoho_crm.api.metadata import LINE_TAX, LINKS, TAG
from target_zoho_crm.api.metadata import Field as CrmField
from target_zoho_crm.compare.difference_kinds import DifferenceKind
from target_zoho_crm.compare.records import RecordComparer
from target_zoho_crm.lines.line_mapping import CompiledLines, OrgDirectories
from target_zoho_crm.lines.line_settings import lines_target
from target_zoho_crm.links.link_rows import link_of
from target_zoho_crm.mapping.field_mapping import MappedColumn
from target_zoho_crm.stream_mapping import stream_lines, written_mapping

_NOT_GIVEN_BACK: Mapping[str, str] = {
    **dict.fromkeys(LINKS, "links of lines are not compared"),
    TAG: "which tags are ours is not known",
    LINE_TAX: "no reading gives the taxes of lines as they are written",
}


@dataclass(frozen=True, slots=True)
class RowDifferences:
    """What the CRM holds otherwise of one order's lines, or of its links in one field; `name` says which.

    Lines are named by their keys, links by the ids of the records that they point at. `different` has the fields of
    each line that differ. `misplaced`: rows stand in another order. `changed` are the rows that differ, as they are.
    """

    name: str
    missing: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    doubled: tuple[str, ...] = ()
    different: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    misplaced: bool = False
    are_links: bool = False
    changed: tuple[Record, ...] = ()

    def __bool__(self) -> bool:
        """Whether there is any."""
        return bool(self.missing or self.unknown or self.doubled or self.different or self.misplaced)

    def without(self, accepted: Collection[tuple[str, str]]) -> RowDifferences:
        """Without the kinds of difference, by name, that a person accepted for all orders."""
        found = self
        if (self.name, DifferenceKind.LINE_ORDER.value) in accepted:
            found = replace(found, misplaced=False)
        if (self.name, DifferenceKind.LINES_DIFFER.value) in accepted:
            found = replace(found, missing=(), unknown=(), doubled=())
        return found


@dataclass(frozen=True, slots=True)
class OrderSide:
    """What is written of one order: the id of its record, the values of its mapped columns, and its lines as JSON."""

    record_id: str
    values: Sequence[Any]
    lines: bytes | None


class WrittenRows(ABC):
    """Rows of one kind: where the CRM has them, and how they compare.

    `order_field` points at the order's record; `fields` are read, by API name. `by_queries_only`: bulk read does not
    take the module. `asks_for_records`: a row may name records by a value, which are asked for: 1 credit for 50.
    """

    name: str
    module: str
    order_field: str
    fields: Mapping[str, CrmField]
    by_queries_only: bool
    asks_for_records: bool

    @property
    def names(self) -> tuple[str, ...]:
        """What a reading asks for."""
        return tuple(dict.fromkeys((self.order_field, *self.fields)))

    @abstractmethod
    def compare(
        self, orders: Mapping[str, OrderSide], held: Mapping[str, Sequence[Record]]
    ) -> dict[str, RowDifferences | None]:
        """Compare the rows of some orders with those that the CRM `held` by the id of the order's record: by key.

        None for an order whose rows cannot be written. One that says nothing of its rows is left out.

        Raises:
            ZohoError: records that rows name could not be asked for.
        """


class LinesOfOrders(WrittenRows):
    """The lines of orders."""

    by_queries_only = False

    def __init__(self, written: WrittenOrders, lines: CompiledLines) -> None:
        """Compare as `lines` are written."""
        self._comparer = RecordComparer(lines.mapping, ignore_empty=written.ignore_empty)
        self.name = lines_target(lines.settings)
        self.lines = lines
        self.module = lines.module
        self.order_field = lines.order.field.api_name
        self.asks_for_records = bool(lines.references.columns)
        self._key = lines.mapping.key_field.api_name
        every = (lines.mapping.key_field, *(each.field for each in lines.mapping.written))
        self.fields = {each.api_name: each for each in every if each.data_type not in _NOT_GIVEN_BACK}
        if not lines.in_subform:  # people change records; rows of a subform have no user of their own
            known: Mapping[str, CrmField] = written.fields_of(lines.module)
            self.fields |= {name: known[name] for name in (MODIFIED_TIME, MODIFIED_BY) if name in known}

    @property
    def not_compared(self) -> dict[str, str]:
        """Fields of lines that no comparison looks at, and why."""
        fields = (each.field for each in self.lines.mapping.written)
        return {
            f"{each.api_name} of lines": _NOT_GIVEN_BACK[each.data_type]
            for each in fields
            if each.data_type in _NOT_GIVEN_BACK
        }

    def compare(
        self, orders: Mapping[str, OrderSide], held: Mapping[str, Sequence[Record]]
    ) -> dict[str, RowDifferences | None]:
        """As `WrittenRows.compare`."""
        rows = self.lines.read({key: side.lines for key, side in orders.items()})
        refused = self.lines.check(rows)
        wanted: dict[str, list[int]] = {key: [] for key in rows.stated if key not in refused}
        for index, order in enumerate(rows.orders):
            if order in wanted:
                wanted[order].append(index)
        folds = list(self.lines.folding.folded(rows.keys))
        there = {order: self._by_fold(held.get(orders[order].record_id, ())) for order in wanted}
        pairs = {
            index: there[order][folds[index]][0]
            for order, indexes in wanted.items()
            for index in indexes
            if folds[index] in there[order]
        }
        compared = self._comparer.compare(
            [rows.keys[index] for index in pairs], [rows.values[index] for index in pairs], list(pairs.values())
        )
        found: dict[str, RowDifferences | None] = dict.fromkeys(refused)
        for order, indexes in wanted.items():
            different = {
                rows.keys[index]: each.different
                for index in indexes
                if (each := compared.get(rows.keys[index])) is not None and each.different
            }
            ours = {folds[index]: rows.keys[index] for index in indexes}
            found[order] = RowDifferences(
                self.name,
                missing=tuple(key for fold, key in ours.items() if fold not in there[order]),
                unknown=tuple(self._key_of(each[0]) for fold, each in there[order].items() if fold not in ours),
                doubled=tuple(key for fold, key in ours.items() if len(there[order].get(fold, ())) > 1),
                different=different,
                misplaced=self.lines.in_subform
                and [fold for fold in there[order] if fold in ours] != [fold for fold in ours if fold in there[order]],
                changed=tuple(pairs[index] for index in indexes if rows.keys[index] in different),
            )
        return found

    def _by_fold(self, held: Sequence[Record]) -> dict[str, list[Record]]:
        """The rows by their folded keys, as they stand."""
        found: dict[str, list[Record]] = {}
        for row in sorted(held, key=lambda row: (len(str(row["id"])), str(row["id"]))):
            found.setdefault(self.lines.folding.fold(self._key_of(row)), []).append(row)
        return found

    def _key_of(self, row: Record) -> str:
        return str(row.get(self._key) or "")


class LinksOfOrders(WrittenRows):
    """The records that orders are linked to by one field."""

    by_queries_only = True
    asks_for_records = False

    def __init__(self, written: WrittenOrders, at: int, column: MappedColumn) -> None:
        """`at` is the column's place among the mapped ones."""
        self._at = at
        self._column = column
        self._ignore_empty = written.ignore_empty
        self._link = link_of(column.field)
        self.name = column.field.api_name
        self.module = column.field.linking_module or ""
        self.order_field = column.field.linking_parent or ""
        self.fields = {self._link: column.field}

    def compare(
        self, orders: Mapping[str, OrderSide], held: Mapping[str, Sequence[Record]]
    ) -> dict[str, RowDifferences | None]:
        """As `WrittenRows.compare`."""
        found: dict[str, RowDifferences | None] = {}
        for order, side in orders.items():
            value = side.values[self._at]
            rows = self._column.to_json(value) if self._column.to_json is not None else value
            if not rows and (self._column.keeps or self._ignore_empty):
                continue
            ours = [id_in(row.get(self._link)) for row in rows or ()]
            theirs = Counter(id_in(row.get(self._link)) for row in held.get(side.record_id, ()))
            found[order] = RowDifferences(
                self.name,
                missing=tuple(each for each in ours if each not in theirs),
                unknown=tuple(each for each in theirs if each not in ours),
                doubled=tuple(each for each, count in theirs.items() if count > 1 and each in ours),
                are_links=True,
            )
        return found


def written_rows(written: WrittenOrders, client: ZohoClient) -> Sequence[WrittenRows]:
    """The rows of a stream's orders: its lines, if they are written, and the links of each field that has them.

    Costs a credit for the fields of each further module.

    Raises:
        ConfigurationError: the lines' settings do not fit the CRM.
        ZohoError: the CRM could not be asked.
    """
    return list(_written_rows(written, client))


def _written_rows(written: WrittenOrders, client: ZohoClient) -> Iterator[WrittenRows]:
    own, every = written.own, written.every
    if own.lines is not None and written.with_lines and own.lines.property in every.line_properties:
        properties = {**every.properties, **every.line_properties}
        org = OrgDirectories.of(client, written.users)
        lines = stream_lines(written.settings, own, properties, every.line_names, fields_of=written.fields_of, org=org)
        if lines is not None:
            yield LinesOfOrders(written, lines)
    for at, column in enumerate(written.mapping.columns):
        if column.field.data_type in LINKS and column.field.linking_module and column.parent is None:
            yield LinksOfOrders(written, at, column)


def written_mapping_of(written: WrittenOrders, every: Collection[WrittenRows]) -> WrittenMapping:
    """The fields that orders and their lines are written to now, as the ledger remembers mappings."""
    lines = next((rows.lines for rows in every if isinstance(rows, LinesOfOrders)), None)
    return written_mapping(written.mapping, lines)


def not_compared(written: WrittenOrders, every: Collection[WrittenRows]) -> dict[str, str]:
    """What of an order is not compared, though its rows are, and why."""
    why = dict(written.not_compared)
    for rows in every:
        why.pop("lines" if isinstance(rows, LinesOfOrders) else rows.name, None)
        if isinstance(rows, LinesOfOrders):
            why |= rows.not_compared
    if "lines" in why and not written.every.line_properties:
        why["lines"] = "the tap reads no lines"
    return why
