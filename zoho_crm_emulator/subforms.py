"""Subforms and multiple lookups: fields whose value is a list of rows, each a record of a module of its own.

A row sent without `id` is appended, one with `id` is changed, `{"id": .., "_delete": null}` takes one away, and `[]` or
null takes all. So the same request sent twice appends its rows twice.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec

from zoho_crm_emulator.accepted_values import Check, World, checker, given_id
from zoho_crm_emulator.alterations import alter, altered_by
from zoho_crm_emulator.documents import DOC_DECODER, DOC_ENCODER, add_to_count
from zoho_crm_emulator.refusals import Refused, together
from zoho_crm_emulator.schema import PARENT, Field, ModuleView
from zoho_crm_emulator.store import Store
from zoho_crm_emulator.taxes import or_percent

MOST_ROWS = 100  # of one field of one record


@dataclass(slots=True)
class ChildRow:
    """One row of a request: new without `id`, else a change to that row, or its end."""

    values: dict[str, Any]
    id: int | None = None
    deleted: bool = False
    owner: int | None = None
    children: None = None


@dataclass(slots=True)
class Rows:
    """What a record's request says of one field of rows; no rows at all clears the field."""

    module: int
    rows: list[ChildRow]
    link: str | None = None  # of a multiple lookup: the field of a row that points to the other record


class RowsCheck:
    """The check of one field of rows: its value as JSON held it to `Rows`, with every fault found in it."""

    def __init__(self, known: Field, view: ModuleView, world: World) -> None:
        self._field = known
        self._view = view
        self._check: dict[str, Check] = {
            one.api_name: checker(one, world) for one in view.stored if one.writable and one.api_name != PARENT
        }
        if view.module.line_items and world.switches.line_discount == "percent_too":
            self._check["Discount"] = or_percent(self._check["Discount"])
        self._link = None if known.data_type == "subform" else known.api_name
        self._mandatory = [name for name in view.mandatory if name != PARENT]

    def read(self, value: Any, place: str) -> tuple[Rows | None, list[Refused]]:
        """`place` is the JSON path of the field."""
        name = self._field.api_name
        if value is None:
            return Rows(self._view.id, []), []
        if not isinstance(value, list):
            details = {"expected_data_type": "jsonarray", "api_name": name, "json_path": place}
            return None, [Refused("INVALID_DATA", details)]
        if len(value) > MOST_ROWS:
            return None, [too_many(name, json_path=place)]
        wrong: list[Refused] = []
        rows = [self._row(one, number, f"{place}[{number}]", wrong) for number, one in enumerate(value)]
        alter([row for row in rows if not row.deleted], altered_by(self._view.module.alterations, "calls"))
        return Rows(self._view.id, rows, self._link), wrong

    def _row(self, given: Any, number: int, place: str, wrong: list[Refused]) -> ChildRow:
        row = ChildRow({})
        about = {"parent_api_name": self._field.api_name, "index": number}
        if not isinstance(given, dict):
            wrong.append(Refused("INVALID_DATA", {"expected_data_type": "jsonobject", "json_path": place, **about}))
            return row
        for name, value in given.items():
            try:
                if name == "id" and value is not None:
                    row.id = given_id(value)
                elif name == "_delete":
                    row.deleted = True
                elif name in self._check:
                    row.values[name] = None if value is None or value == "" else self._check[name](value)
            except Refused as refusal:
                details = {**refusal.details, **about, "api_name": name, "json_path": f"{place}.{name}"}
                wrong.append(Refused(refusal.code, details, refusal.message))
        if not row.deleted:
            for name in self._mandatory:
                if row.values.get(name) is None and (row.id is None or name in row.values):
                    details = {**about, "api_name": name, "json_path": f"{place}.{name}"}
                    wrong.append(Refused("MANDATORY_NOT_FOUND", details))
        return row


def too_many(name: str, **more: Any) -> Refused:
    """The refusal for a record with more rows than Zoho takes."""
    return Refused("LIMIT_EXCEEDED", {"limit": MOST_ROWS, "api_name": name, **more})


def rows_of(connection: sqlite3.Connection, parents: Iterable[int]) -> dict[int, dict[int, list[int]]]:
    """The ids of all rows of these records: by record, then by the module of the rows, oldest first."""
    found: dict[int, dict[int, list[int]]] = {}
    for parent, module, record in connection.execute(
        "SELECT parent, module, record FROM children WHERE parent IN (SELECT value FROM json_each(?)) "
        "ORDER BY parent, module, record",
        (msgspec.json.encode(list(parents)).decode(),),
    ):
        found.setdefault(parent, {}).setdefault(module, []).append(record)
    return found


def delete_rows(connection: sqlite3.Connection, rows: Sequence[int]) -> None:
    """Take rows away, wherever they belong."""
    listed = (msgspec.json.encode(list(rows)).decode(),)
    for module, count in connection.execute(
        "SELECT module, count(*) FROM records WHERE id IN (SELECT value FROM json_each(?)) GROUP BY module", listed
    ).fetchall():
        add_to_count(connection, module, -count)
    connection.execute(
        "DELETE FROM children WHERE record IN (SELECT value FROM json_each(?)) AND parent IN "
        "(SELECT CAST(json_extract(doc, '$.Parent_Id.id') AS INTEGER) FROM records "
        "WHERE id IN (SELECT value FROM json_each(?)))",
        listed * 2,
    )
    connection.execute("DELETE FROM records WHERE id IN (SELECT value FROM json_each(?))", listed)


@dataclass
class RowWriter:
    """Writes the rows of a batch of records; `check` before a record is written, `take` after, `save` at the end."""

    store: Store
    connection: sqlite3.Connection
    user: int
    now: int
    links_repeat: bool = False
    _held: dict[int, dict[int, list[int]]] = field(default_factory=dict)
    _docs: dict[int, tuple[int, dict[str, Any]]] = field(default_factory=dict)  # module and document, by row
    _new: dict[int, int] = field(default_factory=dict)  # rows added: their record
    _changed: set[int] = field(default_factory=set)
    _gone: list[int] = field(default_factory=list)

    def look_up(self, parents: Iterable[int]) -> None:
        """Read the rows that these records have now."""
        self._held = rows_of(self.connection, parents)
        rows = [row for modules in self._held.values() for listed in modules.values() for row in listed]
        for record, module, doc in self.connection.execute(
            "SELECT id, module, doc FROM records WHERE id IN (SELECT value FROM json_each(?))",
            (msgspec.json.encode(rows).decode(),),
        ):
            self._docs[record] = (module, DOC_DECODER.decode(doc))

    def check(self, asked: Mapping[str, Rows], parent: int | None, *, needed: Collection[str] = ()) -> None:
        """Raise Refused when a row is not the record's own, or rows would be too many, or none of those `needed`."""
        wrong: list[Refused] = []
        for name, given in asked.items():
            held = self._of(parent, given.module) if parent is not None else []
            known = set(held)
            for number, row in enumerate(given.rows):
                if row.id is not None and row.id not in known:
                    details = {"parent_api_name": name, "index": number, "api_name": "id"}
                    wrong.append(Refused("INVALID_DATA", details, "the id given seems to be invalid"))
            gone = sum(row.deleted for row in given.rows)
            added = sum(row.id is None and not row.deleted for row in given.rows)
            if len(known) - gone + added > MOST_ROWS:
                wrong.append(too_many(name))
            if name in needed and gone and len(known) - gone + added <= 0:
                wrong.append(Refused("MANDATORY_NOT_FOUND", {"api_name": name}))
        if wrong:
            raise together(wrong)

    def take(self, asked: Mapping[str, Rows], parent: int) -> None:
        """Bring the rows of one record to what its request says."""
        for given in asked.values():
            held = self._held.setdefault(parent, {}).setdefault(given.module, [])
            if not given.rows:
                self._gone += held
                held.clear()
            for row in given.rows:
                if row.deleted and row.id is not None:
                    held.remove(row.id)
                    self._gone.append(row.id)
                elif row.id is not None:
                    doc = {**self._docs[row.id][1], **row.values}
                    self._docs[row.id] = (given.module, {key: v for key, v in doc.items() if v is not None})
                    self._changed.add(row.id)
                elif not row.deleted and not self._is_linked(given.link, held, row):
                    self._add(given.module, held, row, parent)

    def _of(self, parent: int, module: int) -> list[int]:
        return self._held.get(parent, {}).get(module, [])

    def _is_linked(self, link: str | None, held: list[int], row: ChildRow) -> bool:
        """Whether a multiple lookup points to that record already: two records are linked once, as far as known."""
        if self.links_repeat:
            return False
        return link is not None and any(self._docs[one][1].get(link) == row.values.get(link) for one in held)

    def _add(self, module: int, held: list[int], row: ChildRow, parent: int) -> None:
        record = self.store.new_id()
        values = {key: value for key, value in row.values.items() if value is not None}
        self._docs[record] = (module, {PARENT: {"id": str(parent)}, **values})
        self._new[record] = parent
        held.append(record)

    def save(self) -> None:
        """Write it all."""
        gone = set(self._gone)
        encode: Callable[[Any], bytes] = DOC_ENCODER.encode
        added = [(record, parent, *self._docs[record]) for record, parent in self._new.items() if record not in gone]
        self.connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (record, module, self.now, self.now, self.user, self.user, self.user, encode(doc).decode())
                for record, _, module, doc in added
            ],
        )
        add_children(self.connection, [(parent, module, record) for record, parent, module, _ in added])
        self.connection.executemany(
            "UPDATE records SET modified = ?, modifier = ?, doc = ? WHERE id = ?",
            [
                (self.now, self.user, encode(self._docs[record][1]).decode(), record)
                for record in self._changed - gone - self._new.keys()
            ],
        )
        for module in {module for _, _, module, _ in added}:
            add_to_count(self.connection, module, sum(one[2] == module for one in added))
        old = [record for record in self._gone if record not in self._new]
        if old:
            delete_rows(self.connection, old)


def add_children(connection: sqlite3.Connection, rows: Iterable[tuple[int, int, int]]) -> None:
    """Note that rows belong to records: (record, module of the row, row)."""
    connection.executemany("INSERT OR IGNORE INTO children VALUES (?, ?, ?)", rows)
