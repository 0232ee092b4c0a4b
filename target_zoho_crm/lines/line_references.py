"""What of a line needs more than its own value: records given by a value of theirs, and a discount in percent.

A product by its code becomes the product's id, and a percentage the amount that it is of quantity times price. Both
before anything of the order is sent, so that an order with an unknown product is refused and named.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from target_zoho_crm.api.codes import OwnCode, ZohoCode
from target_zoho_crm.api.errors import TransientError
from target_zoho_crm.lines.line_reader import LineRows
from target_zoho_crm.mapping.field_values import UNCONVERTIBLE, Refusal, decimal_json, refusal_of
from target_zoho_crm.mapping.references import ParentKind
from target_zoho_crm.writing.lookup_directory import NotOne
from target_zoho_crm.writing.lookup_resolver import LookupDirectories

Refused = dict[str, dict[str, Refusal]]
"""Refusals by order and line."""


@dataclass(frozen=True)
class LineReferences:
    """The columns of a line whose values name records, by their position; `names` are those of the fields."""

    columns: Mapping[int, ParentKind]
    names: Sequence[str]
    directories: LookupDirectories

    def resolve(self, rows: LineRows) -> Refused:
        """Put ids in place of the values; gives what names no record, or several.

        Raises:
            ZohoError: the CRM could not be asked.
        """
        refused: Refused = {}
        for at, kind in self.columns.items():
            texts = [_text(kind, values[at]) for values in rows.values]
            asked = {text for text in texts if isinstance(text, str)}
            found = self.directories.of(kind).look_up(asked, _here)
            failure = next((each for each in found.values() if isinstance(each, TransientError)), None)
            if failure is not None:
                raise failure
            for index, text in enumerate(texts):
                answer = found[text] if isinstance(text, str) else text
                if isinstance(answer, (NotOne, Refusal)):
                    refusal = answer if isinstance(answer, Refusal) else _refusal(kind, text, answer)
                    refused.setdefault(rows.orders[index], {})[rows.keys[index]] = refusal.of(self.names[at])
                    answer = None
                values = rows.values[index]
                rows.values[index] = (*values[:at], answer, *values[at + 1 :])
        return refused


@dataclass(frozen=True)
class LineDiscounts:
    """A discount in percent that is written as its amount; positions of the columns, and places after the point."""

    percent: int
    quantity: int
    price: int
    field: str
    places: int

    def resolve(self, rows: LineRows) -> Refused:
        """Put amounts in place of percentages, rounded half up; gives the lines that cannot have one."""
        refused: Refused = {}
        for index, values in enumerate(rows.values):
            try:
                amount = self._amount(values)
            except UNCONVERTIBLE as error:
                amount = None
                refused.setdefault(rows.orders[index], {})[rows.keys[index]] = refusal_of(error, self.field)
            rows.values[index] = (*values[: self.percent], amount, *values[self.percent + 1 :])
        return refused

    def _amount(self, values: Sequence[Any]) -> Decimal | None:
        percent = decimal_json(values[self.percent])
        if percent is None:
            return None
        quantity, price = decimal_json(values[self.quantity]), decimal_json(values[self.price])
        if quantity is None or price is None:
            raise Refusal(ZohoCode.INVALID_DATA, None, "is in percent, and the line has no quantity or no price")
        return (quantity * price * percent / 100).quantize(Decimal(1).scaleb(-self.places), ROUND_HALF_UP)


def _text(kind: ParentKind, value: Any) -> str | Refusal | None:
    try:
        return kind.text(value)
    except UNCONVERTIBLE as error:
        return refusal_of(error, kind.field.api_name)


def _refusal(kind: ParentKind, text: Any, answer: NotOne) -> Refusal:
    name = kind.display_name(str(text))
    if answer is NotOne.SEVERAL:
        return Refusal(ZohoCode.DUPLICATE_DATA, None, f"names {name}, which is there more than once; merge them")
    return Refusal(
        OwnCode.MISSING_PARENT, None, f"names {name}, which does not exist; create it and send the order again"
    )


def _here(task: Callable[[], None]) -> None:
    task()
