"""Apply a compiled mapping to many rows: by column, and only where a value is refused by row. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Any

from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.mapping.field_mapping import FieldMapping, MappedColumn
from target_zoho_crm.mapping.field_values import UNCONVERTIBLE, Converter, Refusal, refusal_of
from target_zoho_crm.mapping.value_checks import texts_fit


class Form(Enum):
    """The form a value takes on: for an upsert body or for a CSV cell."""

    JSON = "json"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Converted:
    """The keys that can be written, their values column by column in the order of `names`, and the refused keys.

    A key is refused for every value of its record that cannot be written, in the mapping's order.
    """

    keys: Sequence[str]
    columns: list[Sequence[Any]]
    refusals: dict[str, Refusal]


class Conversion:
    """A mapping ready to be applied in one form.

    `positions[i]` is where in a row the value of `mapping.columns[i]` stands; by default rows hold just the mapped
    columns, in the mapping's order. `names` are the API names of what comes out: the mapped columns, then the
    constants.
    """

    def __init__(self, mapping: FieldMapping, form: Form, positions: Sequence[int] | None = None) -> None:
        self._key_name = mapping.key_field.api_name
        self._key_check = mapping.key_check
        self._keys_fit = texts_fit(mapping.key_field)
        self._columns = [_Column(column, form) for column in mapping.columns]
        in_json = form is Form.JSON
        self._constants = [
            each.in_json if in_json else each.in_csv for each in mapping.constants if in_json or not each.of_the_job
        ]
        self.names = [each.field.api_name for each in (mapping.written if in_json else mapping.cells)]
        self._positions = range(len(mapping.columns)) if positions is None else positions
        if len(self._positions) != len(mapping.columns):
            raise ValueError("as many positions as mapped columns are needed")

    def convert(self, keys: Sequence[str], rows: Sequence[Sequence[Any]], *, look_at_text: bool = False) -> Converted:
        """Convert rows that belong to `keys`, a column at a time.

        `look_at_text` also refuses text that no channel carries whole. It is asked for when a look at all that was
        written has found some.
        """
        if not rows:
            return Converted(keys, [() for _ in self.names], {})
        wrong: dict[int, list[Refusal]] = {}
        self._check_keys(keys, wrong, look_at_text=look_at_text)
        given = list(zip(*rows, strict=True))
        columns = []
        for column, at in zip(self._columns, self._positions, strict=True):
            converted = column.convert(given[at], wrong)
            if look_at_text:
                converted = _each(check_text, column.name, converted, wrong)
            columns.append(converted)
        columns += [[constant] * len(rows) for constant in self._constants]
        if not wrong:
            return Converted(keys, columns, {})
        good = [index for index in range(len(rows)) if index not in wrong]
        bad = sorted(wrong)
        if look_at_text:
            refusals = {keys[index]: Refusal.together(wrong[index]) for index in bad}
        else:  # what is written is checked later, and these are not: all that is wrong with them is named now
            refused = self.convert([keys[index] for index in bad], [rows[index] for index in bad], look_at_text=True)
            refusals = refused.refusals
        return Converted(
            [keys[index] for index in good], [[column[index] for index in good] for column in columns], refusals
        )

    def _check_keys(self, keys: Sequence[str], wrong: dict[int, list[Refusal]], *, look_at_text: bool) -> None:
        if self._key_check is not None and not self._keys_fit(keys):
            _each(self._key_check, self._key_name, keys, wrong)
        if look_at_text:
            _each(check_text, self._key_name, keys, wrong)


class _Column:
    """One column's converters in one form."""

    def __init__(self, column: MappedColumn, form: Form) -> None:
        in_json = form is Form.JSON
        shortcut = column.shortcut
        self.name = column.field.api_name
        self._convert = column.to_json if in_json else column.to_csv
        self._fits: Callable[[Sequence[Any]], bool] | None = None
        self._plain: Converter | None = None
        if shortcut is not None:
            self._fits = shortcut.fits
            self._plain = shortcut.to_json if in_json else shortcut.to_csv

    def convert(self, values: Sequence[Any], wrong: dict[int, list[Refusal]]) -> Sequence[Any]:
        """All values in their form; the refused ones are noted in `wrong` by their row."""
        try:
            if self._fits is not None and self._fits(values):
                return values if self._plain is None else list(map(self._plain, values))
        except UNCONVERTIBLE:
            pass  # some value is not even of a kind that can be compared
        if self._convert is None:
            return values
        try:
            return list(map(self._convert, values))
        except UNCONVERTIBLE:
            return _each(self._convert, self.name, values, wrong)


def _each(convert: Converter, name: str, values: Sequence[Any], wrong: dict[int, list[Refusal]]) -> Sequence[Any]:
    """Value by value: None stands where one is refused."""
    converted = []
    for row, value in enumerate(values):
        try:
            converted.append(convert(value))
        except UNCONVERTIBLE as error:
            wrong.setdefault(row, []).append(refusal_of(error, name))
            converted.append(None)
    return converted


def check_text(value: Any) -> Any:
    """Refuse text that no channel carries whole: NUL, which ends a text in many a CSV reader, and lone surrogates."""
    if isinstance(value, list):
        for each in value:
            check_text(each)
    if not isinstance(value, str):
        return value
    if "\0" in value:
        raise Refusal(ZohoCode.INVALID_DATA, None, "holds a NUL character")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise Refusal(ZohoCode.INVALID_DATA, None, "holds half a surrogate pair") from None
    return value
