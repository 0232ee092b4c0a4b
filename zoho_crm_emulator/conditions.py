"""Conditions on stored records: trees of comparisons, turned into SQL, or judged over one record's values.

A condition is a list: `["and", ..]`, `["or", ..]`, `["null", field]`, `["=", field, value]`, `["in", field, values]`,
`["between", field, low, high]`, `["contains", field, text]`, ...
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import msgspec

from zoho_crm_emulator.emulator import CURRENT_USER
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import ROW_TYPES, Field, ModuleView
from zoho_crm_emulator.store import Store
from zoho_crm_emulator.unique_keys import key_maker

MOST_IN_VALUES = 100
PARTS_OF_TEXT = frozenset({"contains", "not contains", "starts with", "ends with"})
_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "contains": operator.contains,
    "starts with": str.startswith,
    "ends with": str.endswith,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
REFERENCES = frozenset({"lookup", "userlookup"})


class Translator:
    """Turns conditions into SQL over the stored documents of one module."""

    def __init__(self, view: ModuleView) -> None:
        self._view = view
        self.parameters: list[Any] = []
        self.lookups: set[Field] = set()  # those that the conditions find records by, which an index serves

    def column(self, name: str) -> str:
        """The SQL for one column; raises Refused for a field the module does not have."""
        system = {"id": "id", "Created_Time": "created", "Modified_Time": "modified", "Owner": "owner"}
        if name in system:
            return system[name]
        base, _, part = name.partition(".")
        known = self._view.fields.get(base)
        unseen = known is None or known.data_type in ROW_TYPES or name in {"Created_By", "Modified_By"}
        if known is None or unseen or part not in {"", "id"}:
            raise Refused("INVALID_QUERY", {"column_name": name}, "column given seems to be invalid")
        path = f'$."{base}"' + (".id" if known.data_type in REFERENCES else "")
        self.parameters.append(path)
        return "json_extract(doc, ?)"

    def condition(self, node: list[Any]) -> str:
        """The SQL for one condition."""
        kind = node[0]
        if kind in {"and", "or"}:
            return "(" + f" {kind.upper()} ".join(self.condition(part) for part in node[1:]) + ")"
        name = node[1]
        if kind in {"null", "not null"}:
            return f"{self.column(name)} IS {kind.upper()}"
        if kind in PARTS_OF_TEXT:
            return self._has_part(kind, name, node[2])
        return self._compared(kind, name, node)

    def _compared(self, kind: str, name: str, node: list[Any]) -> str:
        """A comparison, by the index that serves it where there is one."""
        known = self._view.fields.get(name.removesuffix(".id"))
        if known is not None and kind in {"=", "!=", "in", "not in"}:
            values = node[2] if kind.endswith("in") else [node[2]]
            if known.data_type == "multiselectpicklist":
                return self._has_entry(name, values, among=kind in {"=", "in"})
        if known is not None and kind in {"=", "in"}:
            if known.is_key:
                return self._holds_key(known, values)
            if known.data_type == "lookup":
                return self._points_to(known, values)
        return self._compares(kind, name, node)

    def _holds_key(self, known: Field, values: list[Any]) -> str:
        """Equality on a unique field, which compares as uniqueness does and finds by index."""
        self._limit_values(values)
        key_of = key_maker(known, CURRENT_USER)
        self.parameters += [known.id, msgspec.json.encode([key_of(value) for value in values]).decode()]
        return "id IN (SELECT record FROM unique_keys WHERE field = ? AND key IN (SELECT value FROM json_each(?)))"

    def _points_to(self, known: Field, values: list[Any]) -> str:
        """Records whose lookup points to any of these ids."""
        self._limit_values(values)
        self.lookups.add(known)
        self.parameters.append(msgspec.json.encode([str(value) for value in values]).decode())
        return (  # our own ids and names
            f"id IN (SELECT id FROM records INDEXED BY {_index(known)} WHERE module = {self._view.id} "  # noqa: S608
            f"AND {_target(known)} IN (SELECT value FROM json_each(?)))"
        )

    def _has_part(self, kind: str, name: str, text: Any) -> str:
        """Text that contains, begins or ends with another, whatever the case of its letters."""
        column = f"lower({self.column(name)})"
        part = str(text).lower()
        if kind == "ends with":
            self.parameters += [-len(part), part]
            return f"substr({column}, ?) = ?"
        self.parameters.append(part)
        where = "= 1" if kind == "starts with" else "= 0" if kind == "not contains" else "> 0"
        return f"ifnull(instr({column}, ?), 0) {where}"

    def _has_entry(self, name: str, values: list[Any], *, among: bool) -> str:
        """Any of some entries among those of a multi-select, or none of them."""
        self.parameters += [f'$."{name}"', msgspec.json.encode([str(one) for one in values]).decode()]
        listed = "SELECT 1 FROM json_each(doc, ?) WHERE value IN (SELECT value FROM json_each(?))"
        return f"{'' if among else 'NOT '}EXISTS ({listed})"

    def _compares(self, kind: str, name: str, node: list[Any]) -> str:
        column = self.column(name)
        if kind in {"between", "not between"}:
            self.parameters += [self._plain(name, node[2]), self._plain(name, node[3])]
            return f"{column} {kind.upper()} ? AND ?"
        if kind in {"in", "not in"}:
            self._limit_values(node[2])
            self.parameters += [self._plain(name, value) for value in node[2]]
            marks = ", ".join("?" * len(node[2]))
            return f"{column} COLLATE NOCASE {kind.upper()} ({marks})"
        self.parameters.append(self._plain(name, node[2]))
        if kind in {"like", "not like"}:
            return f"{column} {kind.upper()} ?"
        return f"{column} {kind} ? COLLATE NOCASE"

    @staticmethod
    def _limit_values(values: list[Any]) -> None:
        if len(values) > MOST_IN_VALUES:
            raise Refused("LIMIT_EXCEEDED", {"limit": MOST_IN_VALUES, "operator": "in"})

    def _plain(self, name: str, value: Any) -> Any:
        if name in {"id", "Owner"}:
            return int(value) if str(value).isdigit() else value
        if name in {"Created_Time", "Modified_Time"}:
            return _milliseconds(str(value))
        known = self._view.fields.get(name)
        if known is not None and known.data_type == "bigint":
            return str(value)
        return float(value) if isinstance(value, Decimal) else value


def _index(known: Field) -> str:
    return f"lookup_{known.id}"


def _target(known: Field) -> str:
    """The SQL for the id that a lookup holds; written out, since an index serves only its own expression."""
    name = known.api_name.replace("'", "''")
    return f"json_extract(doc, '$.\"{name}\".id')"


def make_indexes(store: Store, view: ModuleView, lookups: Iterable[Field]) -> None:
    """Make the index of each lookup that is searched by, the first time; modules not searched by one pay nothing."""
    for known in lookups:
        found = store.read().execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_index(known),))
        if found.fetchone() is None:
            with store.write() as connection:
                connection.execute(
                    f"CREATE INDEX IF NOT EXISTS {_index(known)} ON records ({_target(known)}) WHERE module = {view.id}"
                )


def _milliseconds(text: str) -> int:
    from datetime import datetime  # noqa: PLC0415 - used by one comparison only

    try:
        return int(datetime.fromisoformat(text).timestamp() * 1000)
    except ValueError:
        raise Refused(
            "INVALID_QUERY", {"expected_data_type": "datetime"}, "value given seems to be invalid for the column"
        ) from None


def found(
    store: Store, view: ModuleView, condition: list[Any], columns: str, *, most: int = -1, skip: int = 0
) -> list[tuple[Any, ...]]:
    """The stored records of a module that meet a condition, oldest first: these columns of each."""
    translator = Translator(view)
    where = translator.condition(condition)
    make_indexes(store, view, translator.lookups)
    return (
        store.read()
        .execute(
            f"SELECT {columns} FROM records WHERE +module = ? AND {where} ORDER BY id LIMIT ? OFFSET ?",  # noqa: S608
            (view.id, *translator.parameters, most, skip),
        )
        .fetchall()
    )


def names_in(condition: list[Any]) -> set[str]:
    """The fields that a condition reads."""
    if condition[0] in {"and", "or"}:
        return set().union(*map(names_in, condition[1:]))
    return {condition[1]}


def holds(condition: list[Any], values: Mapping[str, Any]) -> bool:
    """Whether the values of a record meet a condition; what is missing meets none but `null`, `!=` and the like."""
    kind = condition[0]
    if kind in {"and", "or"}:
        parts = (holds(part, values) for part in condition[1:])
        return all(parts) if kind == "and" else any(parts)
    value: Any = _comparable(values.get(condition[1]))
    negative: bool = kind.startswith("not ") or kind == "!="
    if kind in {"null", "not null"}:
        return (value is None) != negative
    if value is None:
        return negative
    given = [_comparable(one) for one in (condition[2] if kind.endswith("in") else condition[2:])]
    return _meets(kind.removeprefix("not "), value, given) != negative


def _meets(kind: str, value: Any, given: list[Any]) -> bool:
    if kind in {"=", "!=", "in"}:
        return any(entry in given for entry in (value if isinstance(value, list) else [value]))
    if kind == "between":
        return bool(given[0] <= value <= given[1])
    compare = _COMPARE[kind]
    return bool(compare(value, given[0]))


def _comparable(value: Any) -> Any:
    if isinstance(value, dict):
        return str(value.get("id"))
    if isinstance(value, list):
        return [_comparable(one) for one in value]
    return value.casefold() if isinstance(value, str) else value
