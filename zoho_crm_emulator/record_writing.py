"""The writing of records: matching by unique fields, insert or update, one batch at a time.

Both upsert and bulk write end here, so a record means the same whichever way it came. The caller holds the
transaction; values are checked already.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from zoho_crm_emulator.alterations import Alteration, alter
from zoho_crm_emulator.documents import DOC_DECODER, DOC_ENCODER, add_to_count
from zoho_crm_emulator.line_totals import recompute
from zoho_crm_emulator.record_rules import RecordRules
from zoho_crm_emulator.refusals import Refused, together
from zoho_crm_emulator.schema import LAYOUT, Field, ModuleView
from zoho_crm_emulator.store import Store
from zoho_crm_emulator.subforms import Rows, RowWriter
from zoho_crm_emulator.unique_keys import hold, holders, holders_by_value, key_maker, save

Operation = Literal["insert", "update", "upsert"]


@dataclass(slots=True)
class Row:
    """One record to write: its stored values by API name (None clears), or the refusal it met before."""

    values: dict[str, Any]
    id: int | None = None
    owner: int | None = None
    append: frozenset[str] = frozenset()
    refused: Refused | None = None
    children: dict[str, Rows] | None = None  # of its subforms and multiple lookups, where the request names them
    rows_follow: bool = False  # of a job: rows of its subforms come in the same zip


@dataclass(slots=True)
class Outcome:
    """What became of one row; `refused` is set when nothing was written."""

    action: Literal["insert", "update", "none"]
    id: int = 0
    duplicate_field: str | None = None
    refused: Refused | None = None
    created: int = 0
    creator: int = 0


@dataclass(frozen=True)
class Rules:
    """How rows find the record they mean."""

    operation: Operation
    match_by: Sequence[Field]  # in this order; the first field with a holder decides
    refuse_repeats: bool = False  # the same key a second time in one call is refused, not an update
    by_value: Field | None = None  # a field that is not unique, looked at first
    duplicate_named: str = "first"  # a switch
    links_repeat: bool = False  # a link that is there already is made once more
    rows_may_end: bool = False  # an update may take away the last row of a subform that is demanded
    of_records: RecordRules | None = None  # what the module demands of a record as a whole
    alterations: Sequence[Alteration] = ()  # what the org makes of values; keys are matched as they came
    rows_reversed: bool = False  # rows of a subform stand in the other order


@dataclass
class State:
    """What is known of the store while the batch runs, with the batch's own changes on top."""

    keys: dict[str, list[str | None]] = field(default_factory=dict)  # of each unique field, by row
    held: dict[str, dict[str, int]] = field(default_factory=dict)
    by_value: dict[str, int] = field(default_factory=dict)
    docs: dict[int, tuple[dict[str, Any], int, int, int]] = field(default_factory=dict)
    final: dict[tuple[int, str], int | None] = field(default_factory=dict)
    inserted: dict[int, int | None] = field(default_factory=dict)
    updated: dict[int, int | None] = field(default_factory=dict)


class Batch:
    """Writes rows of one module within one transaction."""

    def __init__(
        self, store: Store, connection: sqlite3.Connection, view: ModuleView, rules: Rules, *, user: int, now: int
    ) -> None:
        self._store = store
        self._connection = connection
        self._view = view
        self._rules = rules
        self._user = user
        self._now = now
        self._writer: RowWriter | None = None  # of rows of subforms, where the batch has any
        self._key_of: dict[str, Callable[[Any], str]] = {f.api_name: key_maker(f, user) for f in view.keys}

    def write(self, rows: Sequence[Row]) -> list[Outcome]:
        """Write the rows in order, later ones seeing the earlier; outcomes in the same order."""
        state = State()
        self._look_up(rows, state)
        alter(rows, self._rules.alterations)
        taken = self._store.take_ids(len(rows))
        if self._all_new(rows, state):
            return self._insert_all(rows, state, taken)
        if self._view.row_fields and any(row.children for row in rows):
            self._writer = RowWriter(
                self._store, self._connection, self._user, self._now, links_repeat=self._rules.links_repeat
            )
            self._writer.look_up(state.docs)
        ids = iter(taken[::-1] if self._rules.rows_reversed else taken)
        outcomes = [self._one(row, state, ids, index) for index, row in enumerate(rows)]
        self._save(state)
        if self._writer is not None:
            self._writer.save()
        if self._view.module.line_items:
            recompute(self._connection, self._view.module.line_items, self._with_totals(rows, outcomes))
        return outcomes

    def _with_totals(self, _rows: Sequence[Row], outcomes: Sequence[Outcome]) -> set[int]:
        """The records whose totals may have changed."""
        return {outcome.id for outcome in outcomes if outcome.refused is None}

    def _all_new(self, rows: Sequence[Row], state: State) -> bool:
        """Whether every row is a record of its own that nothing stands against, so that none needs a look by itself."""
        rules = self._rules
        if rules.operation == "update" or rules.by_value is not None or any(state.held.values()):
            return False
        if self._view.layouts or self._view.mandatory_rows or rules.of_records is not None:
            return False
        for keys in state.keys.values():
            there = len(keys) - keys.count(None)
            if len(set(keys)) - (there < len(keys)) < there:
                return False
        if not rows or any(row.refused is not None or row.id is not None or row.children for row in rows):
            return False
        return not any(None in [row.values.get(name) for row in rows] for name in self._view.mandatory)

    def _insert_all(self, rows: Sequence[Row], state: State, ids: Sequence[int]) -> list[Outcome]:
        docs = _without_nones([row.values for row in rows])
        owners = [row.owner or self._user for row in rows]
        self._insert_records(zip(ids, owners, docs, strict=True))
        for key_field in self._view.keys:
            held = zip(state.keys[key_field.api_name], ids, strict=True)
            hold(self._connection, key_field, ((key, record) for key, record in held if key is not None))
        add_to_count(self._connection, self._view.id, len(rows))
        now, user = self._now, self._user
        return [Outcome("insert", record, None, None, now, user) for record in ids]

    def _look_up(self, rows: Sequence[Row], state: State) -> None:
        wanted: set[int] = set()
        for key_field in self._view.keys:
            name, key_of = key_field.api_name, self._key_of[key_field.api_name]
            keys = [None if (v := row.values.get(name)) is None else key_of(v) for row in rows]
            wanted_keys = {key for key in keys if key is not None}
            found = holders(self._connection, key_field, wanted_keys) if wanted_keys else {}
            state.keys[name] = keys
            state.held[name] = found
            wanted.update(found.values())
        if self._rules.by_value is not None:
            name = self._rules.by_value.api_name
            values = {str(v).strip().lower() for row in rows if (v := row.values.get(name)) is not None}
            state.by_value = holders_by_value(self._connection, self._view.id, name, values) if values else {}
            wanted.update(state.by_value.values())
        wanted.update(row.id for row in rows if row.id is not None)
        if wanted:
            for record, doc, created, owner, creator in self._connection.execute(
                "SELECT id, doc, created, owner, creator FROM records "
                "WHERE id IN (SELECT value FROM json_each(?)) AND +module = ?",
                (msgspec.json.encode(list(wanted)).decode(), self._view.id),
            ):
                state.docs[record] = (DOC_DECODER.decode(doc), created, owner, creator)

    def _match(self, row: Row, state: State, index: int) -> tuple[int | None, str | None]:
        if row.id is not None:
            if row.id not in state.docs:
                raise Refused("INVALID_DATA", {"api_name": "id"}, "the id given seems to be invalid")
            return row.id, None
        if self._rules.by_value is not None:
            name = self._rules.by_value.api_name
            value = row.values.get(name)
            record = state.by_value.get(str(value).strip().lower()) if value is not None else None
            if record is not None:
                return record, name
        for key_field in self._rules.match_by:
            name = key_field.api_name
            key = state.keys[name][index]
            if key is not None:
                record = state.held[name].get(key)
                if record is not None:
                    return record, name
        return None, None

    def _one(self, row: Row, state: State, ids: Iterator[int], index: int) -> Outcome:
        if row.refused is not None:
            return Outcome("none", refused=row.refused)
        try:
            if self._writer is None or not row.children:
                return self._written(row, state, ids, index)
            return self._written_with_rows(row, row.children, self._writer, state, ids, index)
        except Refused as refusal:
            return Outcome("none", refused=refusal)

    def _written(self, row: Row, state: State, ids: Iterator[int], index: int) -> Outcome:
        record, matched_by = self._match(row, state, index)
        rules = self._rules
        if record is None:
            if rules.operation == "update":
                raise Refused(
                    "RESOURCE_NOT_FOUND", {"api_name": rules.match_by[0].api_name if rules.match_by else "id"}
                )
            self._refuse_unfit(row, None)
            self._refuse_held(state, index, None)
            return self._insert(row, state, next(ids), index)
        if matched_by is not None:
            twice = record in state.inserted or record in state.updated
            if rules.operation == "insert" or (rules.refuse_repeats and twice):
                raise Refused("DUPLICATE_DATA", self._duplicate(matched_by, record))
        self._refuse_unfit(row, state.docs[record][0])
        self._refuse_held(state, index, record)
        return self._update(row, state, record, matched_by)

    def _written_with_rows(
        self, row: Row, children: dict[str, Rows], writer: RowWriter, state: State, ids: Iterator[int], index: int
    ) -> Outcome:
        needed = () if self._rules.rows_may_end else self._view.mandatory_rows
        writer.check(children, self._match(row, state, index)[0], needed=needed)
        outcome = self._written(row, state, ids, index)
        writer.take(children, outcome.id)
        return outcome

    def _duplicate(self, name: str, record: int) -> dict[str, Any]:
        module = {"api_name": self._view.name, "id": str(self._view.id)}
        return {"api_name": name, "id": str(record), "duplicate_record": {"id": str(record), "module": module}}

    def _refuse_held(self, state: State, index: int, record: int | None) -> None:
        """A value of any unique field that another record holds refuses the row."""
        found = []
        for key_field in self._view.keys:
            name = key_field.api_name
            key = state.keys[name][index]
            if key is not None:
                holder = state.held[name].get(key)
                if holder is not None and holder != record:
                    found.append(Refused("DUPLICATE_DATA", self._duplicate(name, holder)))
        if found:
            named = self._rules.duplicate_named
            raise together(found) if named == "all" else found[-1 if named == "last" else 0]

    def _refuse_unfit(self, row: Row, doc: dict[str, Any] | None) -> None:
        self._refuse_missing(row, doc)
        if self._rules.of_records is not None:
            self._rules.of_records.check(row.values, doc)

    def _refuse_missing(self, row: Row, doc: dict[str, Any] | None) -> None:
        """A field mandatory by the record's layout and absent from a new one, or cleared in `doc`, refuses the row."""
        values = row.values
        mandatory = self._view.mandatory
        if self._view.layouts and (layout := values.get(LAYOUT) or (doc or {}).get(LAYOUT)):
            mandatory = self._view.mandatory_by(int(layout["id"]))
        missing = [name for name in mandatory if values.get(name) is None and (doc is None or name in values)]
        for name in self._view.mandatory_rows:
            given = (row.children or {}).get(name)
            if given is None:
                lacks = doc is None and not row.rows_follow
            else:
                lacks = not given.rows and (doc is None or not self._rules.rows_may_end)
            if lacks:
                missing.append(name)
        if missing:
            raise together([Refused("MANDATORY_NOT_FOUND", {"api_name": name}) for name in missing])

    def _insert(self, row: Row, state: State, record: int, index: int) -> Outcome:
        doc = row.values
        if None in doc.values():
            doc = {name: value for name, value in doc.items() if value is not None}
        for key_field in self._view.keys:
            name = key_field.api_name
            key = state.keys[name][index]
            if key is not None:
                self._hold(state, key_field, key, record)
        owner = row.owner or self._user
        state.docs[record] = (doc, self._now, owner, self._user)
        state.inserted[record] = owner
        if self._rules.by_value is not None and (own := doc.get(self._rules.by_value.api_name)) is not None:
            state.by_value[str(own).strip().lower()] = record
        return Outcome("insert", record, None, None, self._now, self._user)

    def _update(self, row: Row, state: State, record: int, matched_by: str | None) -> Outcome:
        doc, created, owner, creator = state.docs[record]
        for key_field in self._view.keys:
            name = key_field.api_name
            if name in row.values and row.values[name] != doc.get(name):
                self._move_key(state, key_field, doc.get(name), row.values[name], record)
        values = row.values
        if row.append:
            added = {name: [*doc.get(name, []), *values[name]] for name in row.append if values.get(name)}
            values = {**values, **{name: list(dict.fromkeys(value)) for name, value in added.items()}}
        doc.update(values)
        if None in values.values():
            for name in [name for name, value in values.items() if value is None]:
                del doc[name]
        if row.owner is not None:
            state.docs[record] = (doc, created, row.owner, creator)
        if record in state.inserted:
            state.inserted[record] = row.owner or owner
        else:
            state.updated[record] = row.owner or owner
        return Outcome("update", record, matched_by, None, created, creator)

    def _move_key(self, state: State, key_field: Field, old: Any, new: Any, record: int) -> None:
        key_of = self._key_of[key_field.api_name]
        before = key_of(old) if old is not None else None
        after = key_of(new) if new is not None else None
        if before == after:
            return
        if before is not None:
            state.held[key_field.api_name].pop(before, None)
            state.final[key_field.id, before] = None
        if after is not None:
            self._hold(state, key_field, after, record)

    @staticmethod
    def _hold(state: State, key_field: Field, key: str, record: int) -> None:
        state.held[key_field.api_name][key] = record
        state.final[key_field.id, key] = record

    def _save(self, state: State) -> None:
        encode = DOC_ENCODER.encode
        docs, now, user, module = state.docs, self._now, self._user, self._view.id
        self._insert_records((record, owner, docs[record][0]) for record, owner in state.inserted.items())
        self._connection.executemany(
            "UPDATE records SET modified = ?, owner = ?, modifier = ?, doc = ? WHERE id = ?",
            [(now, owner, user, encode(docs[record][0]).decode(), record) for record, owner in state.updated.items()],
        )
        save(self._connection, state.final)
        add_to_count(self._connection, module, len(state.inserted))

    def _insert_records(self, records: Iterable[tuple[int, int | None, dict[str, Any]]]) -> None:
        """Write new records: id, owner, values."""
        encode, now, user, module = DOC_ENCODER.encode, self._now, self._user, self._view.id
        self._connection.executemany(
            "INSERT INTO records VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            ((record, module, now, now, owner, user, user, encode(doc).decode()) for record, owner, doc in records),
        )


def _without_nones(docs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Values without the empty ones; column by column, since most columns of a sheet are never empty."""
    names = docs[0].keys()
    if any(doc.keys() != names for doc in docs):
        return [{name: value for name, value in doc.items() if value is not None} for doc in docs]
    for name in list(names):
        if None in [doc[name] for doc in docs]:
            for doc in docs:
                if doc[name] is None:
                    del doc[name]
    return docs
