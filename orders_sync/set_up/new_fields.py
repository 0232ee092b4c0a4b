"""The custom field that a column of the orders' table asks for. Pure: from a column's type to Zoho's description."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sync_databases.columns import Column, Kind
from target_zoho_crm.api.metadata import Field

TEXT_MOST = 255
"""Characters in a single-line text field."""
TEXTAREAS = {"small": 2_000, "large": 32_000}
"""Characters in a multi-line text field, by its type; `rich_text` would take markup for markup."""
BIGINT_DIGITS = 18
DECIMALS_MOST = 9
"""Decimal places of a field; also where the column has no number of its own: any of its values may have so many."""
_SHORT_TEXTS = {Kind.TIME_OF_DAY: 30, Kind.UUID: 36}
_PLAIN_TYPES = {Kind.BOOLEAN: "boolean", Kind.DATE: "date", Kind.NAIVE_TIME: "datetime", Kind.ZONED_TIME: "datetime"}


@dataclass(frozen=True, slots=True)
class NewField:
    """A field to be made. `source` is the column, or the key's columns, whose values go there."""

    api_name: str
    source: str
    data_type: str
    length: int | None = None
    decimal_place: int | None = None
    textarea: str | None = None
    unique: bool = False

    @property
    def document(self) -> dict[str, Any]:
        """The field as `POST settings/fields` takes it.

        Zoho makes the API name from the label, with `_` for a space. The key field's must come out exactly, so its
        label is the name itself.
        """
        label = self.api_name if self.unique else self.api_name.replace("_", " ")
        document: dict[str, Any] = {"field_label": label, "data_type": self.data_type}
        if self.length is not None:
            document["length"] = self.length
        if self.decimal_place is not None:
            document["decimal_place"] = self.decimal_place
        if self.textarea is not None:
            document["textarea"] = {"type": self.textarea}
        if self.unique:
            document["unique"] = {"casesensitive": "true"}  # keys are exact: A1 and a1 are two orders
        return document

    @property
    def field(self) -> Field:
        """The field as the module will have it, as far as a mapping uses it."""
        return Field(
            self.api_name,
            self.data_type,
            length=self.length,
            decimal_place=self.decimal_place,
            unique=self.unique,
            case_sensitive=True if self.unique else None,
        )

    def __str__(self) -> str:
        size = f", up to {self.length:,} characters" if self.length is not None else ""
        places = f", {self.decimal_place} decimal places" if self.decimal_place is not None else ""
        unique = ", unique (upper and lower case differ)" if self.unique else ""
        return f"{self.api_name}: {self.data_type}{size}{places}{unique}, for {self.source}"


def key_field(api_name: str, columns: tuple[Column, ...]) -> NewField:
    """The unique text field that holds the orders' keys."""
    lengths = [getattr(column.type, "length", None) if column.kind is Kind.TEXT else None for column in columns]
    longest = lengths[0] if len(lengths) == 1 else None  # joined keys carry separators
    names = " and ".join(column.name for column in columns)
    return NewField(api_name, names, "text", length=min(longest or TEXT_MOST, TEXT_MOST), unique=True)


def field_for(column: Column, api_name: str, longest: int | None) -> NewField | None:
    """The field for one column; None where Zoho has no type for its values.

    `longest` is the longest text now in a column that has no limit of its own, in characters; None where unknown.
    """
    kind, name = column.kind, column.name
    if kind in _PLAIN_TYPES:
        return NewField(api_name, name, _PLAIN_TYPES[kind])
    if kind in _SHORT_TEXTS:
        return NewField(api_name, name, "text", length=_SHORT_TEXTS[kind])
    if kind is Kind.INTEGER:
        return NewField(api_name, name, "bigint")  # Zoho's integer ends at 9 digits, a column's at 10
    if kind is Kind.NUMBER:
        return _number(column, api_name)
    if kind in {Kind.TEXT, Kind.OTHER, Kind.ANY}:
        limit = getattr(column.type, "length", None)
        return _text(api_name, name, limit if isinstance(limit, int) else None, longest)
    return None


def _number(column: Column, api_name: str) -> NewField:
    precision, scale = getattr(column.type, "precision", None), getattr(column.type, "scale", None)
    if scale == 0 and precision is not None and precision <= BIGINT_DIGITS:
        return NewField(api_name, column.name, "bigint")
    places = DECIMALS_MOST if scale is None else min(max(scale, 0), DECIMALS_MOST)
    return NewField(api_name, column.name, "double", decimal_place=places)


def _text(api_name: str, name: str, limit: int | None, longest: int | None) -> NewField | None:
    """A single line where the column's limit allows it, or where its values so far do."""
    size = limit if limit is not None else longest
    if size is None or size > TEXT_MOST:
        kinds = [kind for kind, most in TEXTAREAS.items() if size is None or size <= most]
        return NewField(api_name, name, "textarea", textarea=kinds[0] if kinds else "large")
    return NewField(api_name, name, "text", length=limit or TEXT_MOST)
