"""Reading records: by id, by ids, page by page, by external id, and all of them as JSON lines."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import msgspec

from zoho_crm_emulator.calls import ENCODER, Answer, Call
from zoho_crm_emulator.dates import iso, zone
from zoho_crm_emulator.documents import DOC_DECODER
from zoho_crm_emulator.emulator import USERS, Emulator, user_reference
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import LAYOUT, TAG, Field, ModuleView
from zoho_crm_emulator.subforms import rows_of
from zoho_crm_emulator.unique_keys import key_maker

PER_PAGE = 200
MOST_FIELDS = 50
MOST_IDS = 100
ALWAYS_READ: dict[str, Any] = {
    "Locked__s": False,
    "$approval": {"delegate": False, "takeover": False, "approve": False, "reject": False, "resubmit": False},
    "$approval_state": "approved",
    "$approved": True,
    "$currency_symbol": "$",
    "$editable": True,
    "$field_states": None,
    "$in_merge": False,
    "$is_duplicate": False,
    "$locked_for_me": False,
    "$orchestration": None,
    "$process_flow": False,
    "$review": None,
    "$review_process": None,
    "$sharing_permission": "full_access",
    "$zia_visions": None,
}
"""What a record that is read whole always has beside its fields."""
# `+module` in a query keeps SQLite from walking the module's index where ids lead to the rows.
COLUMNS = "id, created, modified, owner, creator, modifier, doc"
DUMP_CHUNK = 2000

StoredRecord = tuple[int, int, int, int, int, int, str]


class Reader:
    """Turns stored rows of one module into records as the API answers them."""

    def __init__(self, emulator: Emulator, view: ModuleView, time_zone: str) -> None:
        self._emulator = emulator
        self._view = view
        self._time_zone = time_zone
        self._tz = zone(time_zone)
        self._blank: dict[str, Any] = dict.fromkeys(field.api_name for field in view.stored)
        self._blank |= {TAG: [], LAYOUT: {"name": "Standard", "id": str(view.module.layout_id)}}
        self._layouts = {str(layout.id): layout.name for layout in view.module.layouts}
        self._people = {user: user_reference(user) for user in USERS}
        self._known = {user: {**self._people[user], "email": person["email"]} for user, person in USERS.items()}

    def records(
        self,
        rows: Sequence[StoredRecord],
        fields: Sequence[str] | None = None,
        *,
        with_rows: bool = False,
        as_read: bool = False,
    ) -> list[dict[str, Any]]:
        """Whole records, or only the named fields and the id; the rows of subforms only where they are asked for.

        `as_read` adds what a record read whole has beside its fields.
        """
        records = [self._record(row) for row in rows]
        self._name_lookups(records)
        if with_rows and self._view.row_fields:
            self._put_rows(records)
        if fields is None:
            return [{**record, **ALWAYS_READ} for record in records] if as_read else records
        wanted = [name for name in fields if name in self._view.fields or name == "id"]
        return [{**{name: record.get(name) for name in wanted}, "id": record["id"]} for record in records]

    def _record(self, row: StoredRecord) -> dict[str, Any]:
        record, created, modified, owner, creator, modifier, text = row
        doc = DOC_DECODER.decode(text)
        if not doc.keys() <= self._blank.keys():  # a field that was taken away since
            doc = {name: value for name, value in doc.items() if name in self._blank}
        if (layout := doc.get(LAYOUT)) is not None:
            layout["name"] = self._layouts.get(layout["id"], "Standard")
        for field in self._view.user_lookups:
            if (person := doc.get(field.api_name)) is not None:
                doc[field.api_name] = self._people.get(int(person["id"]), person)
        return {
            "id": str(record),
            "Owner": self._known[owner],
            "Created_By": self._known[creator],
            "Modified_By": self._known[modifier],
            "Created_Time": iso(created, self._tz),
            "Modified_Time": iso(modified, self._tz),
            **self._blank,
            **doc,
        }

    def _put_rows(self, records: list[dict[str, Any]]) -> None:
        """Add the rows of every subform and multiple lookup, oldest first."""
        connection = self._emulator.store.read()
        held = rows_of(connection, [int(record["id"]) for record in records])
        for field in self._view.row_fields:
            view = self._emulator.catalog.modules[field.rows or ""]
            wanted = [row for modules in held.values() for row in modules.get(view.id, ())]
            told = Reader(self._emulator, view, self._time_zone).records(fetch(connection, view, wanted))
            by_id = {int(row["id"]): row for row in told}
            for record in records:
                rows = held.get(int(record["id"]), {}).get(view.id, ())
                record[field.api_name] = [by_id[row] for row in rows]

    def _name_lookups(self, records: list[dict[str, Any]]) -> None:
        for field in self._view.lookups:
            there = [record[field.api_name] for record in records if record[field.api_name]]
            module = self._emulator.catalog.get(field.lookup or "")
            if not there or module is None:
                continue
            rows = self._emulator.store.read().execute(
                "SELECT id, json_extract(doc, ?), json_extract(doc, '$.Product_Code') FROM records WHERE +module = ? "
                "AND id IN (SELECT value FROM json_each(?))",
                (
                    f'$."{module.module.own_field}"',
                    module.id,
                    msgspec.json.encode([int(value["id"]) for value in there]).decode(),
                ),
            )
            names = {str(record): (name, code) for record, name, code in rows}
            of_lines = self._view.module.rows_of and self._view.module.line_items
            for value in there:
                value["name"], code = names.get(value["id"], (None, None))
                if of_lines:
                    value |= {"Product_Code": code, "Currency": "USD"}


def fetch(connection: sqlite3.Connection, view: ModuleView, ids: Iterable[int]) -> list[StoredRecord]:
    """The stored rows of these ids, in no promised order."""
    return connection.execute(
        f"SELECT {COLUMNS} FROM records WHERE id IN (SELECT value FROM json_each(?)) AND +module = ?",  # noqa: S608
        (msgspec.json.encode(list(ids)).decode(), view.id),
    ).fetchall()


def reader_of(call: Call) -> Reader:
    """The reader of the module that a call names."""
    return Reader(call.emulator, call.view, call.switches.time_zone)


def fields_asked(call: Call) -> list[str] | None:
    """The field names of the query parameter `fields`; None where it is absent."""
    given = call.query.get("fields")
    names = [name.strip() for name in given.split(",") if name.strip()] if given else None
    if names and len(names) > MOST_FIELDS:
        raise Refused("LIMIT_EXCEEDED", {"limit": MOST_FIELDS, "param": "fields"})
    return names


def ids_of(text: str, most: int) -> list[int]:
    """The ids of a query parameter; raises Refused for more than so many, or for what is no id."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if len(parts) > most:
        raise Refused("LIMIT_EXCEEDED", {"limit": most, "param": "ids"})
    if not parts or not all(part.isascii() and part.isdigit() and len(part) < 20 for part in parts):  # noqa: PLR2004
        raise Refused("INVALID_DATA", {"param": "ids"}, "the given id seems to be invalid")
    return [int(part) for part in parts]


def _external_field(call: Call) -> Field | None:
    header = call.headers.get("x-external")
    if not header:
        return None
    module, _, name = header.partition(".")
    field = call.view.fields.get(name)
    if module != call.view.name or field is None or field.external is None:
        raise Refused("INVALID_DATA", {"External": header}, "The value of the external field is invalid.")
    return field


def named_record(call: Call) -> int | None:
    """The id of the record that the path names, by id or, where X-EXTERNAL names the field, by external id.

    None where no record has that external id; an id may be of no record.
    """
    key, external = call.path["record"], _external_field(call)
    if external is not None:
        keys = [key_maker(external, user)(key) for user in USERS]
        row = (
            call.emulator.store.read()
            .execute(
                "SELECT record FROM unique_keys WHERE field = ? AND key IN (SELECT value FROM json_each(?))",
                (external.id, msgspec.json.encode(keys).decode()),
            )
            .fetchone()
        )
        return row[0] if row else None
    if key.isascii() and key.isdigit() and len(key) < 20:  # noqa: PLR2004 - digits of an id
        return int(key)
    raise Refused("INVALID_URL_PATTERN", status=404)


def read_one(call: Call) -> Answer:
    """GET /crm/v8/{module}/{id}: by id, or by external id when X-EXTERNAL names the field."""
    record = named_record(call)
    rows = fetch(call.emulator.store.read(), call.view, [] if record is None else [record])
    if not rows:
        return Answer(None, 204)
    fields = fields_asked(call)
    return Answer({"data": reader_of(call).records(rows, fields, with_rows=True, as_read=fields is None)})


def number_of(call: Call, name: str, default: int, most: int) -> int:
    """A number of the query, 1 to `most`."""
    text = call.query.get(name)
    if text is None:
        return default
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text) <= most:
        raise Refused("INVALID_DATA", {"param": name}, "invalid data")
    return int(text)


def full_texts(call: Call) -> Answer:
    """GET /crm/v8/{module}/{id}/actions/fetch_full_data, or with `ids`: the rich texts of records, whole.

    Those of the query's `fields`, else all. Records by id tell them whole here anyway.
    """
    view = call.view
    rich = [one.api_name for one in view.stored if one.data_type == "textarea" and one.textarea_type == "rich_text"]
    asked = fields_asked(call) or rich
    if not set(asked) <= set(rich) or not rich:
        raise Refused("NOT_SUPPORTED", {"param": "fields"}, "only rich text fields can be fetched so")
    one = call.path.get("record")
    if one is None and "ids" not in call.query:
        raise Refused("REQUIRED_PARAM_MISSING", {"param": "ids"})
    rows = fetch(call.emulator.store.read(), view, ids_of(one or call.query["ids"], MOST_IDS))
    if not rows:
        return Answer(None, 204)
    return Answer({"data": reader_of(call).records(rows, asked)})


def dump(emulator: Emulator, view: ModuleView) -> Iterator[bytes]:
    """Every record of a module as JSON lines, oldest first; memory stays flat."""
    reader = Reader(emulator, view, emulator.switches.time_zone)
    last = 0
    while True:
        rows = (
            emulator.store.read()
            .execute(
                f"SELECT {COLUMNS} FROM records WHERE +module = ? AND id > ? ORDER BY id LIMIT ?",  # noqa: S608
                (view.id, last, DUMP_CHUNK),
            )
            .fetchall()
        )
        if not rows:
            return
        last = rows[-1][0]
        yield ENCODER.encode_lines(reader.records(rows, with_rows=True))
