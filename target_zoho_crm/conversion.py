"""Apply a compiled mapping to many rows: by column, and only where a value is refused by row. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from target_zoho_crm.mapping import Mapping
from target_zoho_crm.values import Converter, Refusal

# What a converter raises for a value it cannot take; everything else is a fault of the program.
UNCONVERTIBLE = (Refusal, TypeError, ValueError, KeyError, ArithmeticError)


class Form(Enum):
    """The form a value takes on: for an upsert body or for a CSV cell."""

    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Converted:
    """The keys that can be written, their values column by column in the mapping's order, and the refused keys."""

    keys: Sequence[str]
    columns: list[Sequence[Any]]
    refusals: dict[str, Refusal]


class Conversion:
    """A mapping ready to be applied in one form.

    `positions[i]` is where in a row the value of `mapping.columns[i]` stands; by default rows hold just the mapped
    columns, in the mapping's order.
    """

    def __init__(self, mapping: Mapping, form: Form, positions: Sequence[int] | None = None) -> None:
        self._names = [column.field.api_name for column in mapping.columns]
        self._converters: list[Converter | None] = [
            column.to_json if form is Form.JSON else column.to_csv for column in mapping.columns
        ]
        self._positions = range(len(mapping.columns)) if positions is None else positions
        if len(self._positions) != len(mapping.columns):
            raise ValueError("as many positions as mapped columns are needed")

    def convert(self, keys: Sequence[str], rows: Sequence[Sequence[Any]]) -> Converted:
        """Convert rows that belong to `keys`, all at once; row by row when one of them is refused."""
        if not rows:
            return Converted(keys, [() for _ in self._names], {})
        try:
            return Converted(keys, self._by_column(rows), {})
        except UNCONVERTIBLE:
            return self.one_by_one(keys, rows)

    def one_by_one(self, keys: Sequence[str], rows: Iterable[Sequence[Any]]) -> Converted:
        """Convert row by row, and set aside those with a refused value."""
        refusals: dict[str, Refusal] = {}
        good_keys: list[str] = []
        good_rows: list[list[Any]] = []
        for key, row in zip(keys, rows, strict=True):
            try:
                converted = self._row(row)
                check_text(key, None)
            except Refusal as refusal:
                refusals[key] = refusal
            else:
                good_keys.append(key)
                good_rows.append(converted)
        columns: list[Sequence[Any]] = list(zip(*good_rows, strict=True)) if good_rows else [() for _ in self._names]
        return Converted(good_keys, columns, refusals)

    def _by_column(self, rows: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        columns = list(zip(*rows, strict=True))
        converters = zip(self._positions, self._converters, strict=True)
        return [columns[at] if convert is None else list(map(convert, columns[at])) for at, convert in converters]

    def _row(self, row: Sequence[Any]) -> list[Any]:
        converted = []
        for name, at, convert in zip(self._names, self._positions, self._converters, strict=True):
            value = row[at]
            if convert is not None:
                try:
                    value = convert(value)
                except Refusal as refusal:
                    raise Refusal(refusal.code, name, f"{name} is {refusal.message}") from None
                except UNCONVERTIBLE:
                    raise Refusal("INVALID_DATA", name, f"{name} is not of the field's type") from None
            check_text(value, name)
            converted.append(value)
        return converted


def check_text(value: Any, field: str | None) -> None:
    """Refuse text that no channel carries whole: NUL, which ends a text in many a CSV reader, and lone surrogates."""
    if isinstance(value, list):
        for each in value:
            check_text(each, field)
    if not isinstance(value, str):
        return
    if "\0" in value:
        raise Refusal("INVALID_DATA", field, f"{field or 'the key'} holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal("INVALID_DATA", field, f"{field or 'the key'} holds half a surrogate pair") from None
