"""Insert, update and upsert of up to 100 records: the request, the check of every value, the answer."""

from __future__ import annotations

import sqlite3
from collections import Counter
from datetime import datetime, tzinfo
from typing import Any

from zoho_crm_emulator.alterations import altered_by
from zoho_crm_emulator.automations import asked
from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.child_batch import batch_for
from zoho_crm_emulator.clock import SECOND
from zoho_crm_emulator.dates import iso, zone
from zoho_crm_emulator.emulator import CURRENT_USER, user_reference
from zoho_crm_emulator.faults import ActiveFault, Faults
from zoho_crm_emulator.record_checks import checks_for
from zoho_crm_emulator.record_reading import named_record
from zoho_crm_emulator.record_rules import RecordRules
from zoho_crm_emulator.record_writing import Operation, Outcome, Row, Rules
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import Field, ModuleView
from zoho_crm_emulator.switches import rendered_id
from zoho_crm_emulator.unique_keys import key_maker

MOST_RECORDS = 100


def refuse_by_fault(faults: Faults, active: list[ActiveFault], view: ModuleView, rows: list[Row], user: int) -> None:
    """Let the faults that name certain keys refuse their records."""
    makers = [(field.api_name, key_maker(field, user)) for field in view.keys]
    for row in rows:
        keys = {key_of(value) for name, key_of in makers if (value := row.values.get(name)) is not None}
        for fault in active:
            if row.refused is None and keys & fault.keys and faults.take_record(fault):
                details = {"api_name": fault.fault.field} if fault.fault.field else {}
                row.refused = Refused(fault.fault.code, details)


def fail_by_fault(faults: Faults, active: list[ActiveFault], view: ModuleView, rows: list[Row], user: int) -> None:
    """Let a record that a fault of kind `poison` names fail everything that came with it, and name none of it."""
    makers = [(field.api_name, key_maker(field, user)) for field in view.keys]
    present = {key_of(value) for row in rows for name, key_of in makers if (value := row.values.get(name)) is not None}
    for fault in active:
        if present & fault.keys and faults.take_record(fault):
            raise Refused(fault.fault.code, status=fault.fault.status or 500)


class Write:
    """One write call: its rules from the body, its rows, its outcomes."""

    def __init__(self, call: Call, operation: Operation, body: dict[str, Any] | None = None) -> None:
        """Of the call's own body, or of one made of it."""
        self.call = call
        self.operation = operation
        self.view = call.view
        self.body = self._body(call) if body is None else body
        self.asked = asked(self.body)

    @staticmethod
    def _body(call: Call) -> dict[str, Any]:
        body = call.json
        if not isinstance(body, dict):
            raise Refused("INVALID_DATA", {"expected_data_type": "jsonobject", "api_name": "body"}, "body")
        place = {"api_name": "data", "json_path": "$.data"}
        if "data" not in body:
            raise Refused("MANDATORY_NOT_FOUND", place)
        data = body["data"]
        if not isinstance(data, list):
            raise Refused("INVALID_DATA", {"expected_data_type": "jsonarray", **place})
        if not data:
            raise Refused("INVALID_DATA", {"minimum_length": "1", **place})
        if len(data) > MOST_RECORDS:
            if call.switches.too_many_records == "LIMIT_EXCEEDED":
                raise Refused("LIMIT_EXCEEDED", {"limit": MOST_RECORDS, **place})
            raise Refused("INVALID_DATA", {"maximum_length": MOST_RECORDS, **place})
        return body

    def rules(self) -> Rules:
        """How records are matched: `duplicate_check_fields` gives the order; by a switch also the set."""
        of_records = RecordRules.of(self.view, self.call.switches)
        links_repeat, named_field = self.call.switches.repeated_links == "again", self.call.switches.duplicate_named
        rows_may_end = self.call.switches.last_line_item == "delete"
        alterations = altered_by(self.view.module.alterations, "calls")
        if self.operation != "upsert":
            return Rules(
                self.operation,
                [],
                links_repeat=links_repeat,
                of_records=of_records,
                duplicate_named=named_field,
                rows_may_end=rows_may_end,
                alterations=alterations,
            )
        keys = {field.api_name: field for field in self.view.keys}
        own = self.view.own_key
        named = self.body.get("duplicate_check_fields")
        by_value = None
        if named is None:
            named = [own.api_name] if own is not None and own.is_key else []
            by_value = own if own is not None and not own.is_key else None
        elif not isinstance(named, list):
            raise Refused("INVALID_DATA", self._place("duplicate_check_fields", "jsonarray"))
        for index, name in enumerate(named):
            if own is not None and name == own.api_name and not own.is_key:
                by_value = own
            elif name not in keys:
                raise Refused(
                    "INVALID_DATA",
                    {"api_name": "duplicate_check_fields", "json_path": f"$.duplicate_check_fields[{index}]"},
                )
        order = [keys[name] for name in named if name in keys]
        if self.call.switches.duplicate_checks == "all":
            order += [field for field in self.view.keys if field not in order]
        refuse_repeats = self.call.switches.same_key_twice == "refuse"
        return Rules(
            "upsert",
            order,
            refuse_repeats,
            by_value,
            links_repeat=links_repeat,
            of_records=of_records,
            duplicate_named=named_field,
            rows_may_end=rows_may_end,
            alterations=alterations,
        )

    @staticmethod
    def _place(name: str, expected: str) -> dict[str, Any]:
        return {"expected_data_type": expected, "api_name": name, "json_path": f"$.{name}"}

    def run(self) -> Answer:
        """Check, write, answer."""
        emulator, view = self.call.emulator, self.view
        rules = self.rules()
        checks = checks_for(emulator, view, self.call.switches)
        rows = [checks.row(record, index) for index, record in enumerate(self.body["data"])]
        if self.operation == "update":
            _need_ids(rows)
        poison = emulator.faults.record_faults("poison", view.name, self.operation)
        if poison:
            fail_by_fault(emulator.faults, list(poison), view, rows, CURRENT_USER)
        active = emulator.faults.record_faults("record_error", view.name, self.operation)
        if active:
            refuse_by_fault(emulator.faults, list(active), view, rows, CURRENT_USER)
        self._grow_pick_lists(rows)
        now = emulator.clock.now()
        since = unmodified_since(self.call)
        with emulator.store.write() as connection:
            if since is not None:
                refuse_changed(connection, rows, since, zone(self.call.switches.time_zone))
            batch = batch_for(emulator.store, connection, view, rules, user=CURRENT_USER, now=now)
            outcomes = batch.write(rows)
        actions: Counter[str] = Counter(outcome.action for outcome in outcomes)
        emulator.journal.wrote(self.operation, actions, self.asked)
        items = [self._item(outcome, index, now) for index, outcome in enumerate(outcomes)]
        failed = actions["none"]
        status = self._status(failed, len(items))
        if failed == len(items) and all(each["code"] == "ALREADY_MODIFIED" for each in items):
            status = 412
        note = {"records": len(items), "inserted": actions["insert"], "updated": actions["update"], "failed": failed}
        return Answer({"data": items}, status, note=note)

    def _status(self, failed: int, count: int) -> int:
        """The status of an answer about so many records, of which so many failed."""
        switches, version = self.call.switches, self.call.version
        if failed:
            return 207 if failed < count else version.all_failed_status or switches.all_failed_status
        return (version.insert_status or switches.insert_status) if self.operation == "insert" else 200

    def _grow_pick_lists(self, rows: list[Row]) -> None:
        for field in self.view.stored:
            if field.data_type in {"picklist", "multiselectpicklist"} and field.pick_list_open:
                new = new_choices(field, (row.values.get(field.api_name) for row in rows if row.refused is None))
                if new:
                    self.call.emulator.catalog.add_choices(self.view.name, field.api_name, new)

    def _item(self, outcome: Outcome, index: int, now: int) -> dict[str, Any]:
        if outcome.refused is not None:
            return self._placed_problem(outcome.refused, index)
        tz = zone(self.call.switches.time_zone)
        item: dict[str, Any] = {
            "code": "SUCCESS",
            "duplicate_field": outcome.duplicate_field,
            "action": outcome.action,
            "details": {
                "Modified_Time": iso(now, tz),
                "Modified_By": user_reference(CURRENT_USER),
                "Created_Time": iso(outcome.created, tz),
                "id": rendered_id(outcome.id, self.call.switches),
                "Created_By": user_reference(outcome.creator),
            },
            "message": "record added" if outcome.action == "insert" else "record updated",
            "status": "success",
        }
        if self.call.switches.details_spelling == "lower":
            item["details"] = {name.lower(): value for name, value in item["details"].items()}
        if self.operation != "upsert":
            del item["duplicate_field"], item["action"]
        else:
            self._name_duplicate_field(item)
        return item

    def _name_duplicate_field(self, item: dict[str, Any]) -> None:
        """Leave out the field by which a record was found, or name one for a new record, as the switches say."""
        switches, new = self.call.switches, item["action"] == "insert"
        how = switches.duplicate_field_on_insert if new else switches.duplicate_field_on_update
        if how == "absent":
            del item["duplicate_field"]
        elif how == "null":
            item["duplicate_field"] = None
        elif new:
            item["duplicate_field"] = next(iter(self.body.get("duplicate_check_fields") or []), None)

    @staticmethod
    def _placed_problem(refusal: Refused, index: int) -> dict[str, Any]:
        """The error object of a record, with the path of each field it names."""
        told = refusal.as_problem()
        for one in [told, *told["details"].get("errors", [])]:
            details = one["details"]
            if "errors" not in details and "json_path" not in details:
                name = details.get("api_name")
                parts = [f"$.data[{index}]", name]
                if "parent_api_name" in details:
                    parts.insert(1, f"{details['parent_api_name']}[{details['index']}]")
                details["json_path"] = ".".join(part for part in parts if part)
        return told


def _need_ids(rows: list[Row]) -> None:
    """A plain update names each record by its id."""
    for row in rows:
        if row.id is None and row.refused is None:
            row.refused = Refused("MANDATORY_NOT_FOUND", {"api_name": "id"})


def unmodified_since(call: Call) -> int | None:
    """The second of `If-Unmodified-Since`; None without one."""
    given = call.headers.get("if-unmodified-since")
    if not given:
        return None
    try:
        return int(datetime.fromisoformat(given).timestamp())
    except ValueError:
        raise Refused("INVALID_DATA", {"param": "If-Unmodified-Since"}) from None


def refuse_changed(connection: sqlite3.Connection, rows: list[Row], since: int, tz: tzinfo) -> None:
    """Refuse the updates, one by one, of records that were changed in a later second."""
    for row in rows:
        if row.refused is None and row.id is not None:
            query = "SELECT modified, created, modifier FROM records WHERE id = ?"
            found = connection.execute(query, (row.id,)).fetchone()
            if found is not None and found[0] // SECOND > since:
                details = {"id": str(row.id), "Modified_Time": iso(found[0], tz), "Created_Time": iso(found[1], tz)}
                row.refused = Refused("ALREADY_MODIFIED", {**details, "Modified_By": user_reference(found[2])})


def new_choices(field: Field, values: Any) -> list[str]:
    """The values among these that an open pick list does not know yet."""
    known = set(field.pick_list)
    seen: dict[str, None] = {}
    for value in values:
        if value is None:
            continue
        for one in value if isinstance(value, list) else (value,):
            if one not in known:
                seen[one] = None
    return list(seen)


def upsert(call: Call) -> Answer:
    """POST /crm/v8/{module}/upsert."""
    return Write(call, "upsert").run()


def insert(call: Call) -> Answer:
    """POST /crm/v8/{module}."""
    return Write(call, "insert").run()


def update(call: Call) -> Answer:
    """PUT /crm/v8/{module}, or /crm/v8/{module}/{id} (or external id)."""
    if "record" in call.path:
        record = named_record(call)
        if record is None:
            raise Refused("INVALID_DATA", {"External": call.headers["x-external"]}, "the id given seems to be invalid")
        if call.switches.unknown_id == "flat" and not call.emulator.record_exists(call.view.name, record):
            raise Refused("INVALID_DATA", {"resource_path_index": 1}, "the id given seems to be invalid")
        body = call.json
        data = body.get("data") if isinstance(body, dict) else None
        if isinstance(data, list) and len(data) == 1 and isinstance(data[0], dict):
            data[0]["id"] = str(record)
    return Write(call, "update").run()
