"""Criteria as Zoho's requests write them, text for searches and objects for jobs, read into conditions.

What the documents say of text: at most ten comparisons; parentheses and commas inside a value stand behind a backslash.
"""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import ROW_TYPES, Field, ModuleView

MOST_COMPARISONS = 10
EMPTY = "${EMPTY}"
TEXT = frozenset({"text", "textarea", "email", "phone", "website", "autonumber"})
CHOICES = frozenset({"picklist", "multiselectpicklist"})
NUMBERS = frozenset({"integer", "bigint", "currency", "double", "percent"})
MOMENTS = frozenset({"date", "datetime"})
REFERENCES = frozenset({"lookup", "userlookup", "ownerlookup"})

# The operators of a search, then of the objects, each with the condition it makes.
SEARCH_OPERATORS = {
    "equals": "=", "not_equal": "!=", "starts_with": "starts with", "in": "in", "between": "between",
    "greater_than": ">", "greater_equal": ">=", "less_than": "<", "less_equal": "<=",
}  # fmt: skip
COMPARATORS = {
    "equal": "=", "not_equal": "!=", "starts_with": "starts with", "ends_with": "ends with", "contains": "contains",
    "not_contains": "not contains", "in": "in", "not_in": "not in", "between": "between", "not_between": "not between",
    "greater_than": ">", "greater_equal": ">=", "less_than": "<", "less_equal": "<=",
}  # fmt: skip
ORDERED = frozenset({"<", "<=", ">", ">=", "between", "not between"})
PARTS = frozenset({"starts with", "ends with", "contains", "not contains"})
RANGE = 2  # values that between takes


def _refused(reason: str, **details: Any) -> Refused:
    return Refused("INVALID_QUERY", {"reason": reason, **details}, "invalid query formed")


class SearchCriteria:
    """Reads `((Status:equals:Paid)and(Country:starts_with:P))`; raises Refused with INVALID_QUERY."""

    def __init__(self, text: str, view: ModuleView, *, equals_contains: bool) -> None:
        self._text = text
        self._view = view
        self._equals_contains = equals_contains
        self._at = 0
        self._count = 0

    def condition(self) -> list[Any]:
        """The whole text as one condition."""
        condition = self._joined()
        if self._at < len(self._text):
            raise _refused("the criteria do not end where they should")
        return condition

    def _joined(self) -> list[Any]:
        parts, word = [self._one()], None
        while (match := re.compile(r"\s*(and|or)\s*(?=\()", re.IGNORECASE).match(self._text, self._at)) is not None:
            if word not in {None, match[1].lower()}:
                raise _refused("and and or need parentheses between them")
            word, self._at = match[1].lower(), match.end()
            parts.append(self._one())
        return parts[0] if word is None else [word, *parts]

    def _one(self) -> list[Any]:
        if self._text[self._at : self._at + 1] != "(":
            raise _refused("an opening parenthesis is missing")
        self._at += 1
        if self._text[self._at : self._at + 1] == "(":
            condition = self._joined()
        else:
            match = re.compile(r"((?:\\.|[^()\\])*)").match(self._text, self._at)
            self._at, comparison = (match.end(), match[1]) if match else (self._at, "")
            condition = self._comparison(comparison)
        if self._text[self._at : self._at + 1] != ")":
            raise _refused("a closing parenthesis is missing")
        self._at += 1
        return condition

    def _comparison(self, text: str) -> list[Any]:
        self._count += 1
        if self._count > MOST_COMPARISONS:
            raise Refused("LIMIT_EXCEEDED", {"limit": MOST_COMPARISONS, "param": "criteria"})
        name, _, rest = text.partition(":")
        operator, colon, value = rest.partition(":")
        kind = SEARCH_OPERATORS.get(operator)
        if kind is None or not colon:
            raise _refused("the operator is not supported", api_name=name, operator=operator)
        values = [re.sub(r"\\(.)", r"\1", part) for part in re.split(r"(?<!\\),", value)]
        if kind not in {"in", "between"}:
            values = [re.sub(r"\\(.)", r"\1", value)]
        if values == [EMPTY] and kind in {"=", "!="}:
            return ["null" if kind == "=" else "not null", _field(self._view, name).api_name]
        condition = comparison(self._view, name, kind, values)
        if kind == "=" and self._equals_contains and self._view.fields[name].data_type in TEXT:
            return ["contains", name, values[0]]
        return condition


def condition_of(given: Any, view: ModuleView) -> list[Any]:
    """The condition that a criteria object (or a list with one) says; raises Refused with INVALID_QUERY.

    `{"field": name or {"api_name"}, "comparator": .., "value": ..}`, or `{"group_operator": .., "group": [..]}`.
    """
    if isinstance(given, list) and len(given) == 1:
        given = given[0]
    if not isinstance(given, dict):
        raise _refused("criteria are an object")
    if "group" in given:
        operator, group = str(given.get("group_operator")).lower(), given["group"]
        if operator not in {"and", "or"} or not isinstance(group, list) or not group:
            raise _refused("a group needs and or or, and members", operator=operator)
        return [operator, *(condition_of(one, view) for one in group)]
    field = given.get("field", given.get("api_name"))
    name = str(field.get("api_name") if isinstance(field, dict) else field)
    kind, value = COMPARATORS.get(str(given.get("comparator"))), given.get("value")
    if kind is None:
        raise _refused("the comparator is not supported", api_name=name, operator=str(given.get("comparator")))
    if value in (None, EMPTY) and kind in {"=", "!="}:
        return ["null" if kind == "=" else "not null", _field(view, name).api_name]
    return comparison(view, name, kind, value if isinstance(value, list) else [value])


def comparison(view: ModuleView, name: str, kind: str, values: list[Any]) -> list[Any]:
    """One comparison with values of the field's type; raises Refused where field, operator and values do not fit."""
    field = _field(view, name)
    unfit = (kind in PARTS and field.data_type not in TEXT | CHOICES) or (
        kind in ORDERED and field.data_type not in NUMBERS | MOMENTS
    )
    if unfit or (kind.endswith("between") and len(values) != RANGE):
        raise _refused("the operator does not fit the field", api_name=name, operator=kind.replace(" ", "_"))
    read = [_value(field, value) for value in values]
    if kind in {"in", "not in"}:
        return [kind, name, read]
    return [kind, name, *read]


def _field(view: ModuleView, name: str) -> Field:
    field = view.fields.get(name)
    if field is None or field.data_type in ROW_TYPES | {"layout"} or name in {"Tag", "Created_By", "Modified_By"}:
        raise _refused("the field is not available for search", api_name=name)
    return field


def _value(field: Field, value: Any) -> Any:
    kind = field.data_type
    try:
        if kind == "bigint":
            return str(int(str(value)))
        if kind == "integer":
            return int(str(value))
        if kind in NUMBERS:
            return Decimal(str(value))
        if kind == "boolean":
            return {"true": True, "false": False}[str(value).lower()]
        if kind in REFERENCES:
            return str(int(str(value.get("id") if isinstance(value, dict) else value)))
    except (ValueError, InvalidOperation, KeyError):
        raise _refused("the value is not of the field's type", api_name=field.api_name) from None
    return str(value)
