"""Mass update: one set of values for many records, at once by their ids, or as a job for all that meet criteria.

Entries are added to those of a multi-select unless `over_write` is true. The org has no custom views, so no `cvid` is
known.
"""

from __future__ import annotations

from typing import Any

import msgspec

from zoho_crm_emulator.accepted_values import given_id
from zoho_crm_emulator.automations import asked
from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.child_batch import batch_for
from zoho_crm_emulator.conditions import found
from zoho_crm_emulator.criteria import condition_of
from zoho_crm_emulator.dates import iso, zone
from zoho_crm_emulator.emulator import CURRENT_USER, Emulator, user_reference
from zoho_crm_emulator.jobs import Jobs
from zoho_crm_emulator.record_checks import Checks, checks_for
from zoho_crm_emulator.record_rules import RecordRules
from zoho_crm_emulator.record_writing import Outcome, Row, Rules
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import ModuleView
from zoho_crm_emulator.switches import Switches

OPERATION = "mass_update"  # of the job, in the list of all jobs
MOST_IDS = 500
MOST_BY_JOB = 50_000
CHUNK = 500
WORDS = {"ADDED": "SCHEDULED", "INPROGRESS": "RUNNING"}  # of a job's state; the others are the job's own


def _body(call: Call) -> tuple[dict[str, Any], dict[str, Any]]:
    """The body, and the values in it."""
    body = call.json
    if not isinstance(body, dict):
        raise Refused("INVALID_DATA", {"expected_data_type": "jsonobject", "api_name": "body"}, "body")
    data = body.get("data")
    if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict):
        details = {"expected_data_type": "jsonarray", "api_name": "data", "json_path": "$.data"}
        raise Refused("MANDATORY_NOT_FOUND" if data is None else "INVALID_DATA", details)
    if not data[0]:
        raise Refused("EXPECTED_FIELD_MISSING", {"api_name": "data", "json_path": "$.data[0]"}, "No field found")
    return body, data[0]


def _row(checks: Checks, view: ModuleView, body: dict[str, Any], values: dict[str, Any], record: int) -> Row:
    row = checks.row({**values, "id": str(record)}, 0)
    if not body.get("over_write", False):
        row.append = frozenset(name for name in values if _is_multi_select(view, name))
    return row


def _is_multi_select(view: ModuleView, name: str) -> bool:
    return name in view.fields and view.fields[name].data_type == "multiselectpicklist"


def _write(emulator: Emulator, view: ModuleView, rows: list[Row], switches: Switches) -> list[Outcome]:
    rules, now = Rules("update", [], of_records=RecordRules.of(view, switches)), emulator.clock.now()
    with emulator.store.write() as connection:
        return batch_for(emulator.store, connection, view, rules, user=CURRENT_USER, now=now).write(rows)


class MassUpdate:
    """The two endpoints, which share the job worker."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        jobs.runs(OPERATION, self.run)

    def start(self, call: Call) -> Answer:
        """POST /crm/v8/{module}/actions/mass_update."""
        body, values = _body(call)
        view = call.view
        for name in ("cvid", "territory"):
            if body.get(name) is not None:
                raise Refused("INVALID_DATA", {"api_name": name, "json_path": f"$.{name}"}, "the given id is invalid")
        if "ids" in body:
            return self._at_once(call, body, values)
        if "criteria" not in body:
            raise Refused("MANDATORY_NOT_FOUND", {"api_name": "ids", "json_path": "$.ids"})
        condition = condition_of(body["criteria"], view)
        checked = checks_for(call.emulator, view, call.switches).row(values, 0)
        if checked.refused is not None:
            raise checked.refused
        ((total,),) = found(call.emulator.store, view, condition, "count(*)")
        if total == 0:
            raise Refused("NO_RECORDS_FOUND", {}, "no record found to update")
        if total > MOST_BY_JOB:
            raise Refused("LIMIT_EXCEEDED", {"limit": MOST_BY_JOB})
        job, _ = self._jobs.add({**body, "operation": OPERATION, "module": view.name})
        item = {"code": "SUCCESS", "details": {"job_id": str(job)}, "status": "success"}
        return Answer({"data": [{**item, "message": "mass update scheduled successfully"}]}, note={"job": str(job)})

    @staticmethod
    def _at_once(call: Call, body: dict[str, Any], values: dict[str, Any]) -> Answer:
        given, emulator, view = body["ids"], call.emulator, call.view
        place = {"api_name": "ids", "json_path": "$.ids"}
        if not isinstance(given, list) or not given:
            raise Refused("INVALID_DATA", {"expected_data_type": "jsonarray", **place})
        if len(given) > MOST_IDS:
            raise Refused("LIMIT_EXCEEDED", {"limit": MOST_IDS, **place})
        try:
            ids = [given_id(one) for one in given]
        except Refused:
            raise Refused("INVALID_DATA", place, "the given id seems to be invalid") from None
        checks = checks_for(emulator, view, call.switches)
        rows = [_row(checks, view, body, values, record) for record in ids]
        outcomes = _write(emulator, view, rows, call.switches)
        emulator.journal.wrote(OPERATION, {"update": _updated(outcomes)}, asked(body))
        tz, now = zone(call.switches.time_zone), emulator.clock.now()
        person = user_reference(CURRENT_USER)
        items = [
            {
                "code": "SUCCESS",
                "details": {
                    "id": str(outcome.id),
                    "Created_Time": iso(outcome.created, tz),
                    "Modified_Time": iso(now, tz),
                    "Created_By": user_reference(outcome.creator),
                    "Modified_By": person,
                },
                "message": "record updated",
                "status": "success",
            }
            if outcome.refused is None
            else outcome.refused.as_problem(id=str(record))
            for record, outcome in zip(ids, outcomes, strict=True)
        ]
        failed = sum(item["status"] == "error" for item in items)
        status = 200 if not failed else 207 if failed < len(items) else call.switches.all_failed_status
        return Answer({"data": items}, status, note={"records": len(items), "failed": failed})

    def run(self, emulator: Emulator, job: int, request: dict[str, Any]) -> str:
        """Run a job: all records that meet its criteria when it runs."""
        view = emulator.catalog.modules[request["module"]]
        checks = checks_for(emulator, view, emulator.switches)
        rows = found(emulator.store, view, condition_of(request["criteria"], view), "id", most=MOST_BY_JOB)
        updated = 0
        ids, values = [record for (record,) in rows], request["data"][0]
        for start in range(0, len(ids), CHUNK):
            some = [_row(checks, view, request, values, record) for record in ids[start : start + CHUNK]]
            updated += _updated(_write(emulator, view, some, emulator.switches))
        emulator.journal.wrote(OPERATION, {"update": updated}, asked(request))
        counts = {"total": len(ids), "updated": updated, "failed": len(ids) - updated}
        with emulator.store.write() as connection:
            connection.execute(
                "UPDATE jobs SET status = 'COMPLETED', outcome = ? WHERE id = ?", (msgspec.json.encode(counts), job)
            )
        return "COMPLETED"

    def status(self, call: Call) -> Answer:
        """GET /crm/v8/{module}/actions/mass_update?job_id=."""
        text = call.query.get("job_id")
        if not text:
            raise Refused("REQUIRED_PARAM_MISSING", {"param": "job_id"})
        job = self._jobs.get(int(text), OPERATION) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004 - digits of an id
        if job is None or job.request["module"] != call.view.name:
            raise Refused("INVALID_DATA", {"param": "job_id"}, "the given id is invalid")
        total, updated, failed = (job.outcome.get(name, 0) for name in ("total", "updated", "failed"))
        told = {"Status": WORDS.get(job.status, job.status), "Total_Count": total, "Updated_Count": updated}
        return Answer({"data": [{**told, "Failed_Count": failed, "Not_Updated_Count": total - updated}]})


def _updated(outcomes: list[Outcome]) -> int:
    return sum(outcome.action == "update" for outcome in outcomes)
