"""Rows of a subform written as records of their own, as bulk write does: each with the id of its record."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence

import msgspec

from zoho_crm_emulator.record_writing import Batch, Outcome, Row, Rules, State
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import PARENT, ModuleView
from zoho_crm_emulator.store import Store
from zoho_crm_emulator.subforms import MOST_ROWS, add_children, rows_of, too_many


class ChildBatch(Batch):
    """Writes rows of a subform that come as records of their own, each with the id of the record it belongs to."""

    def _look_up(self, rows: Sequence[Row], state: State) -> None:
        super()._look_up(rows, state)
        parents = {int(given["id"]) for row in rows if (given := row.values.get(PARENT)) is not None}
        held = rows_of(self._connection, parents)
        self._linked = self._links(held) if self._view.module.link else {}
        self._counts = {parent: len(held.get(parent, {}).get(self._view.id, ())) for parent in parents}
        self._added: list[tuple[int, int, int]] = []

    def _all_new(self, rows: Sequence[Row], state: State) -> bool:  # noqa: ARG002 - each is looked at, for its record
        return False

    def _links(self, held: dict[int, dict[int, list[int]]]) -> dict[tuple[int, str], int]:
        """The links that these records have: (record, id of the other) to the row."""
        rows = [row for modules in held.values() for row in modules.get(self._view.id, ())]
        path = f'$."{self._view.module.link}".id'
        found = self._connection.execute(
            "SELECT id, json_extract(doc, '$.Parent_Id.id'), json_extract(doc, ?) FROM records "
            "WHERE id IN (SELECT value FROM json_each(?))",
            (path, msgspec.json.encode(rows).decode()),
        )
        return {(int(parent), other): row for row, parent, other in found}

    def _insert(self, row: Row, state: State, record: int, index: int) -> Outcome:
        parent = int(row.values[PARENT]["id"])
        link = row.values.get(self._view.module.link) if self._view.module.link else None
        if link is not None and not self._rules.links_repeat:  # two records are linked once, however often they are
            if (parent, link["id"]) in self._linked:
                return Outcome("update", self._linked[parent, link["id"]], None, None, self._now, self._user)
            self._linked[parent, link["id"]] = record
        if self._counts[parent] >= MOST_ROWS:
            raise too_many(PARENT)
        self._counts[parent] += 1
        self._added.append((parent, self._view.id, record))
        return super()._insert(row, state, record, index)

    def _update(self, row: Row, state: State, record: int, matched_by: str | None) -> Outcome:
        parent = row.values.get(PARENT)
        if parent is not None and parent["id"] != state.docs[record][0][PARENT]["id"]:
            raise Refused("INVALID_DATA", {"api_name": PARENT}, "a row stays with its record")
        return super()._update(row, state, record, matched_by)

    def _with_totals(self, rows: Sequence[Row], outcomes: Sequence[Outcome]) -> set[int]:
        written = (row for row, outcome in zip(rows, outcomes, strict=True) if outcome.refused is None)
        return {int(row.values[PARENT]["id"]) for row in written if row.values.get(PARENT)}

    def _save(self, state: State) -> None:
        super()._save(state)
        add_children(self._connection, self._added)


def batch_for(
    store: Store, connection: sqlite3.Connection, view: ModuleView, rules: Rules, *, user: int, now: int
) -> Batch:
    """The batch that fits a module: rows of a subform belong to a record."""
    return (ChildBatch if view.module.rows_of else Batch)(store, connection, view, rules, user=user, now=now)
