"""CSV rows to rows to write, a column at a time: one compiled reader for each mapped column."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import zip_longest
from typing import Any

from zoho_crm_emulator.accepted_values import checker
from zoho_crm_emulator.cells import Read, ReadColumn, all_at_once, read_column, reader
from zoho_crm_emulator.emulator import CURRENT_USER, USERS, Emulator
from zoho_crm_emulator.job_plan import Column, Plan
from zoho_crm_emulator.record_checks import layout_given
from zoho_crm_emulator.record_reading import fetch
from zoho_crm_emulator.record_writing import Row
from zoho_crm_emulator.refusals import Refused, together
from zoho_crm_emulator.schema import LAYOUT, TAG, Field, ModuleView
from zoho_crm_emulator.switches import Switches
from zoho_crm_emulator.tags import Tags, names_in_cell
from zoho_crm_emulator.unique_keys import holders, holders_by_value, key_maker

OWNER = Field(api_name="Owner", data_type="ownerlookup")


class _Reference:
    """The records that the cells of a lookup column name; looked up once a chunk."""

    def __init__(self, emulator: Emulator, view: ModuleView | None, column: Column) -> None:
        self._emulator = emulator
        self._view = view
        self._find_by = column.find_by or "id"
        self._found: dict[str, int] = {}
        self._key: Callable[[str], str] = str.strip

    def look_up(self, cells: Sequence[str]) -> None:
        """Find what this chunk's cells name."""
        there = {cell for cell in cells if cell}
        if self._view is None or not there:
            return
        connection = self._emulator.store.read()
        field = self._view.fields[self._find_by]
        if self._find_by == "id":
            ids = [int(cell) for cell in there if cell.isascii() and cell.isdigit() and len(cell) < 20]  # noqa: PLR2004
            self._found = {str(row[0]): row[0] for row in fetch(connection, self._view, ids)}
        elif field.is_key:
            self._key = key_maker(field, CURRENT_USER)
            self._found = holders(connection, field, {self._key(cell) for cell in there})
        else:
            self._key = lambda cell: cell.strip().lower()
            self._found = holders_by_value(
                connection, self._view.id, self._find_by, {self._key(cell) for cell in there}
            )

    def find(self, cell: str) -> int | None:
        """The record that a cell names."""
        return self._found.get(self._key(cell))


def _user_finder(find_by: str | None) -> Callable[[str], int | None]:
    if find_by == "email":
        by_email = {person["email"].lower(): user for user, person in USERS.items()}
        return lambda cell: by_email.get(cell.strip().lower())
    by_id = {str(user): user for user in USERS}
    return lambda cell: by_id.get(cell.strip())


class RowReader:
    """Reads chunks of CSV rows for one plan; a cell that names a row of the parent's CSV stays as it is."""

    def __init__(self, emulator: Emulator, plan: Plan, switches: Switches) -> None:
        self._plan = plan
        world = emulator.world(switches)
        self._references: dict[int, _Reference] = {}
        self._special: dict[int, str] = {}  # columns that are not values of the record: id and Owner
        self._readers: list[Read] = []
        self._quickly: dict[int, ReadColumn] = {}
        for position, column in enumerate(plan.columns):
            field = column.field
            found: Callable[[str], int | None] = _user_finder(column.find_by)
            if column.parent_index is None and field.data_type == "lookup":
                reference = _Reference(emulator, emulator.catalog.get(field.lookup or ""), column)
                self._references[position] = reference
                found = reference.find
            if field.api_name in {"id", "Owner"}:
                self._special[position] = field.api_name
            if field.api_name == TAG:
                self._readers.append(self._tag_reader(Tags(emulator.store, plan.view)))
            elif column.parent_index is not None:
                self._readers.append(str)
            else:
                self._readers.append(reader(field, world, column.pattern, found))
                quick = all_at_once(field, world, column.pattern)
                if quick is not None:
                    self._quickly[position] = quick
        self._names = [c.field.api_name for n, c in enumerate(plan.columns) if n not in self._special]
        self._owner: int | None = None
        self._defaults: dict[str, Any] = {}
        self._default_refused: Refused | None = None
        for name, value in plan.defaults.items():
            self._take_default(name, value, emulator, switches)

    @staticmethod
    def _tag_reader(tags: Tags) -> Read:
        return lambda cell: tags.stored(names_in_cell(cell)) or None

    def _take_default(self, name: str, value: Any, emulator: Emulator, switches: Switches) -> None:
        try:
            if name == LAYOUT:
                self._defaults[LAYOUT] = layout_given(self._plan.view, value)
            elif name == "Owner":
                self._owner = int(checker(OWNER, emulator.world(switches))(value)["id"])
            else:
                self._defaults[name] = checker(self._plan.view.fields[name], emulator.world(switches))(value)
        except Refused as refusal:
            self._default_refused = Refused(refusal.code, {**refusal.details, "api_name": name})

    def read(self, lines: list[list[str]]) -> tuple[list[Row], list[tuple[str, ...]]]:
        """Rows to write with what was wrong in them, and the cells that the result will repeat."""
        count = len(lines)
        if not count:
            return [], []
        table: list[Sequence[str]] = list(zip_longest(*lines, fillvalue=""))
        blank = ("",) * count
        plan = self._plan
        wrong: dict[int, list[Refused]] = {}
        columns: list[list[Any]] = []
        special: dict[str, list[Any]] = {}
        for position, column in enumerate(plan.columns):
            cells = table[column.index] if column.index < len(table) else blank
            if position in self._references:
                self._references[position].look_up(cells)
            values, refused = read_column(self._readers[position], cells, self._quickly.get(position))
            for row, refusal in refused:
                named = Refused(refusal.code, {**refusal.details, "api_name": column.field.api_name})
                wrong.setdefault(row, []).append(named)
            if position in self._special:
                special[self._special[position]] = values
            else:
                columns.append(values)
        rows = self._rows(columns, count)
        self._put_special(rows, special)
        for index, refusals in wrong.items():
            rows[index].refused = together(refusals)
        if self._default_refused is not None:
            for row_ in rows:
                row_.refused = row_.refused or self._default_refused
        echoed = [table[c.index] if c.index < len(table) else blank for c in plan.echoed]
        return rows, list(zip(*echoed, strict=True)) if echoed else [()] * count

    def _rows(self, columns: list[list[Any]], count: int) -> list[Row]:
        names, defaults = self._names, self._defaults
        if not columns:
            return [Row(dict(defaults), owner=self._owner) for _ in range(count)]
        dicts = [dict(zip(names, values)) for values in zip(*columns)]  # noqa: B905 - equal by construction
        if self._plan.ignore_empty:
            dicts = [{name: value for name, value in one.items() if value is not None} for one in dicts]
        if defaults:
            dicts = [{**defaults, **one} for one in dicts]
        return [Row(one, owner=self._owner) for one in dicts]

    @staticmethod
    def _put_special(rows: list[Row], special: dict[str, list[Any]]) -> None:
        for row, value in zip(rows, special.get("Owner", []), strict=False):
            if value is not None:
                row.owner = int(value["id"])
        for row, value in zip(rows, special.get("id", []), strict=False):
            if value is None:
                row.refused = Refused("MANDATORY_NOT_FOUND", {"api_name": "id"})
            else:
                row.id = int(value)
