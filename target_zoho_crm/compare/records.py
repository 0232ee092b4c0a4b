"""One order: what would be written for it against its record in the CRM, field by field."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from target_zoho_crm.api.metadata import LINKS, TAG
from target_zoho_crm.api.metadata import Field as CrmField
from target_zoho_crm.compare.difference_kinds import DifferenceKind, kind_of
from target_zoho_crm.compare.values import NO_VALUE, Verdict, compare_values
from target_zoho_crm.mapping.conversion import Conversion, Form
from target_zoho_crm.mapping.field_mapping import Constant, FieldMapping, MappedColumn
from target_zoho_crm.mapping.field_settings import WriteRule

_NEVER_READ = LINKS | {TAG}


@dataclass(frozen=True, slots=True)
class Compared:
    """What a comparison found: API names of the fields that differ, and of those that nobody can compare.

    `written` has what would be written into those that differ, in its JSON form.
    """

    different: tuple[str, ...]
    not_comparable: tuple[str, ...]
    written: Mapping[str, Any] = field(default_factory=dict)

    @property
    def verdict(self) -> Verdict:
        """Of the record: different where a field is, else equal as far as fields can be compared."""
        if self.different:
            return Verdict.DIFFERENT
        return Verdict.NOT_COMPARABLE if self.not_comparable else Verdict.EQUAL


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of one order: what was sent, in its JSON form, and what is held."""

    key: str
    field: str
    kind: DifferenceKind
    sent: Any
    held: Any


class RecordComparer:
    """Compares the orders of one mapping. A field that a write would leave alone is equal, whatever it holds."""

    def __init__(self, mapping: FieldMapping, *, ignore_empty: bool = False) -> None:
        """`ignore_empty`: fields without a value are left alone."""
        self._mapping = mapping
        self._ignore_empty = ignore_empty
        self._conversion = Conversion(mapping, Form.JSON)

    @property
    def fields(self) -> tuple[str, ...]:
        """API names of the fields that a read has to ask for."""
        written = (each.field for each in self._mapping.written if each.field.data_type not in _NEVER_READ)
        return tuple(dict.fromkeys((self._mapping.key_field.api_name, *(each.api_name for each in written))))

    def compare(
        self, keys: Sequence[str], rows: Sequence[Sequence[Any]], records: Sequence[Mapping[str, Any]]
    ) -> dict[str, Compared]:
        """Compare orders with their records, all in one order: by key. An order that cannot be written is left out.

        A field that the record lacks is hidden from whoever reads: not comparable.
        """
        return {key: self._compared(key, own, record) for key, own, record in self._beside(keys, rows, records)}

    def differences(
        self, keys: Sequence[str], rows: Sequence[Sequence[Any]], records: Sequence[Mapping[str, Any]]
    ) -> list[Difference]:
        """Whatever the CRM holds otherwise than it was sent, also where a write would not change it.

        That Zoho trims keys is none: it finds them all the same.
        """
        return [
            Difference(key, field.api_name, kind, value, record.get(field.api_name))
            for key, own, record in self._beside(keys, rows, records)
            for field, value, verdict in self._verdicts(key, own, record)
            if verdict is not Verdict.NOT_COMPARABLE
            and (kind := kind_of(field, value, record.get(field.api_name))) is not None
            and not (kind is DifferenceKind.BLANKS_TRIMMED and field == self._mapping.key_field)
        ]

    def _beside(
        self, keys: Sequence[str], rows: Sequence[Sequence[Any]], records: Sequence[Mapping[str, Any]]
    ) -> Iterator[tuple[str, Sequence[Any], Mapping[str, Any]]]:
        """Each order's key, its values as they would be written, and its record."""
        converted = self._conversion.convert(keys, rows)
        held = dict(zip(keys, records, strict=True))
        values = zip(*converted.columns, strict=True) if converted.columns else ((),) * len(converted.keys)
        for key, own in zip(converted.keys, values, strict=True):
            yield key, own, held[key]

    def _compared(self, key: str, values: Sequence[Any], record: Mapping[str, Any]) -> Compared:
        different: dict[str, Any] = {}
        not_comparable: list[str] = []
        for each, value, verdict in self._verdicts(key, values, record):
            if verdict is Verdict.DIFFERENT:
                different[each.api_name] = value
            elif verdict is Verdict.NOT_COMPARABLE:
                not_comparable.append(each.api_name)
        return Compared(tuple(different), tuple(not_comparable), different)

    def _verdicts(
        self, key: str, values: Sequence[Any], record: Mapping[str, Any]
    ) -> Iterator[tuple[CrmField, Any, Verdict]]:
        key_field = self._mapping.key_field
        if key_field.api_name in record:
            yield key_field, key, compare_values(key_field, key, record[key_field.api_name])
        for each, value in zip(self._mapping.written, values, strict=True):
            if value is None and (self._ignore_empty or (isinstance(each, MappedColumn) and each.keeps)):
                continue
            yield each.field, value, _verdict_of(each, value, record)


def _verdict_of(written: MappedColumn | Constant, value: Any, record: Mapping[str, Any]) -> Verdict:
    name = written.field.api_name
    if name not in record:
        return Verdict.NOT_COMPARABLE
    if written.write is not WriteRule.ALWAYS and not (written.write is WriteRule.IF_EMPTY and record[name] in NO_VALUE):
        return Verdict.NOT_COMPARABLE  # what it holds may be people's, which is no difference
    if isinstance(written, MappedColumn):
        if written.parent is not None:
            return Verdict.NOT_COMPARABLE  # its value is one of the parent's, and the record holds the parent's id
        if written.appends:
            value = [*(value or ()), *_held_entries(record[name])]
    return compare_values(written.field, value, record[name])


def _held_entries(held: Any) -> Sequence[str]:
    return held.split(";") if isinstance(held, str) else held or ()
