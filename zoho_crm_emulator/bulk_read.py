"""Bulk read: a job that writes the records of a module, or those that meet criteria, into a CSV of up to 200,000 rows.

Zoho's OpenAPI files beside the repository do not tell of it; its pages and its Python SDK do.
"""

from __future__ import annotations

import base64
import csv
import io
from typing import Any

import msgspec

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.clock import DAY
from zoho_crm_emulator.conditions import found
from zoho_crm_emulator.criteria import condition_of
from zoho_crm_emulator.dates import iso, zone
from zoho_crm_emulator.emulator import CURRENT_USER, Emulator, user_reference
from zoho_crm_emulator.job_plan import check_callback
from zoho_crm_emulator.jobs import Job, Jobs
from zoho_crm_emulator.record_reading import COLUMNS, Reader
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import ROW_TYPES, ModuleView
from zoho_crm_emulator.sheet import packed

OPERATION = "read"
MOST_PAGES = 500
KEPT = DAY
CHUNK = 2000
STATES = {"INPROGRESS": "IN PROGRESS"}
EVERYTHING = ["not null", "id"]


def _module(query: dict[str, Any]) -> str:
    given = query.get("module")
    return str(given.get("api_name") if isinstance(given, dict) else given)


class BulkRead:
    """The endpoints of bulk read, which share the job worker."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs
        jobs.runs(OPERATION, self.run)

    def create(self, call: Call) -> Answer:
        """POST /crm/bulk/v8/read."""
        body = call.json
        query = body.get("query") if isinstance(body, dict) else None
        if not isinstance(query, dict):
            raise Refused("INVALID_REQUEST", {"expected_data_type": "jsonobject", "api_name": "query"})
        if "page_token" in query:  # which stands for the query that it continues
            query = {**self._continued(query), "page_token": query["page_token"]}
            body = {**body, "query": query}
        view = call.emulator.catalog.get(_module(query))
        if view is None:
            raise Refused("MODULE_NOT_AVAILABLE", {}, f"Requested module '{_module(query)}' is not available.")
        if body.get("file_type", "csv") != "csv" or "cvid" in query:
            raise Refused("QUERY_NOT_SUPPORTED", {}, "only CSV files, and no custom views")
        page = query.get("page", 1)
        if page.__class__ is not int or not 1 <= page <= MOST_PAGES:
            raise Refused("PAGE_NOT_SUPPORTED", {"page": str(page)})
        _columns(view, query)
        _after(query)
        if "criteria" in query:
            condition_of(query["criteria"], view)
        if body.get("callback") is not None:
            check_callback(body["callback"])
        job, created = self._jobs.add({**body, "operation": OPERATION, "module": view.name})
        details = {
            "id": str(job),
            "operation": OPERATION,
            "state": "ADDED",
            "created_by": user_reference(CURRENT_USER),
            "created_time": iso(created, zone(call.switches.time_zone)),
        }
        item = {"status": "success", "code": "ADDED_SUCCESSFULLY", "message": "Added successfully."}
        return Answer({"data": [{**item, "details": details}], "info": {}}, 201, note={"job": str(job)})

    def _continued(self, query: dict[str, Any]) -> dict[str, Any]:
        """The query of the job that gave a page token."""
        job = self._jobs.get(_token_in(query)[0], OPERATION)
        if job is None:
            raise Refused("PAGE_NOT_SUPPORTED", {"page_token": str(query["page_token"])})
        return dict(job.request["query"])

    def _job(self, call: Call) -> Job:
        text = call.path["job"]
        job = self._jobs.get(int(text), OPERATION) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004 - digits of an id
        if job is None:
            raise Refused("RESOURCE_NOT_FOUND", status=404)
        return job

    def poll(self, call: Call) -> Answer:
        """GET /crm/bulk/v8/read/{job}."""
        job = self._job(call)
        query, view = job.request["query"], call.emulator.catalog.get(job.module)
        told: dict[str, Any] = {
            "id": str(job.id),
            "operation": OPERATION,
            "state": STATES.get(job.status, job.status),
            "query": {**query, "module": {"api_name": job.module, "id": str(view.id if view else 0)}},
            "created_by": user_reference(CURRENT_USER),
            "created_time": iso(job.created, zone(call.switches.time_zone)),
            "file_type": "csv",
        }
        if job.has_result:
            address = f"/crm/bulk/v8/read/{job.id}/result"
            told["result"] = {"per_page": call.switches.max_read_rows, **job.outcome, "download_url": address}
        return Answer({"data": [told]}, note={"job": str(job.id), "job_status": job.status})

    def result(self, call: Call) -> Answer:
        """GET /crm/bulk/v8/read/{job}/result: a zip with one CSV, kept for a day."""
        job, emulator = self._job(call), call.emulator
        row = emulator.store.read().execute("SELECT result FROM jobs WHERE id = ?", (job.id,)).fetchone()
        if row[0] is None or job.created < emulator.clock.now() - KEPT:
            raise Refused("RESOURCE_NOT_FOUND", status=404)
        headers = {
            "Content-Disposition": f'attachment; filename="{job.id}.zip"',
            "Content-Type": "application/octet-stream",
        }
        return Answer(row[0], 200, headers, note={"job": str(job.id), "bytes": len(row[0])})

    def run(self, emulator: Emulator, job: int, request: dict[str, Any]) -> str:
        """Write the file of one page; the records are those that are there when the job runs."""
        query, view = request["query"], emulator.catalog.modules[request["module"]]
        page, after, most = query.get("page", 1), _after(query), emulator.switches.max_read_rows
        condition = condition_of(query["criteria"], view) if "criteria" in query else EVERYTHING
        if after:
            condition = ["and", condition, [">", "id", after]]
        skip = 0 if after else (page - 1) * most
        found_ids = [record for (record,) in found(emulator.store, view, condition, "id", most=most + 1, skip=skip)]
        text, more, ids = io.StringIO(), len(found_ids) > most, found_ids[:most]
        names = _columns(view, query)
        writer = csv.writer(text)
        writer.writerow(["Id", *names])
        reader = Reader(emulator, view, emulator.switches.time_zone)
        for some in (ids[start : start + CHUNK] for start in range(0, len(ids), CHUNK)):
            rows = found(emulator.store, view, ["between", "id", some[0], some[-1]], COLUMNS)
            wanted = set(some)
            for record in reader.records([row for row in rows if row[0] in wanted]):
                writer.writerow([record["id"], *(_cell(record.get(name)) for name in names)])
        told: dict[str, Any] = {"page": page, "count": len(ids), "more_records": more}
        if more:
            told["next_page_token"] = base64.urlsafe_b64encode(f"{job}-{ids[-1]}".encode()).decode()
        with emulator.store.write() as connection:
            connection.execute(
                "UPDATE jobs SET status = 'COMPLETED', outcome = ?, result = ? WHERE id = ?",
                (msgspec.json.encode(told), packed({f"{job}.csv": text.getvalue()}), job),
            )
        return "COMPLETED"


def _columns(view: ModuleView, query: dict[str, Any]) -> list[str]:
    """The fields of the file besides the id: those asked for, or all; rows of subforms are records of their own."""
    known = [name for name, field in view.fields.items() if field.data_type not in ROW_TYPES and name != "id"]
    asked = query.get("fields")
    if not asked:
        return known
    wanted = [str(name).partition(".")[0] for name in asked if str(name).lower() != "id"]
    for name in wanted:
        if name not in known:
            raise Refused("FIELD_NOT_AVAILABLE", {"api_name": name})
    return wanted


def _after(query: dict[str, Any]) -> int:
    """The id that the page of a token comes after; 0 without one."""
    return _token_in(query)[1] if query.get("page_token") else 0


def _token_in(query: dict[str, Any]) -> tuple[int, int]:
    """The job that gave a page token, and the last id of its page."""
    token = str(query["page_token"])
    try:
        job, _, last = base64.urlsafe_b64decode(token).decode().partition("-")
        return int(job), int(last)
    except ValueError:
        raise Refused("PAGE_NOT_SUPPORTED", {"page_token": token}) from None


def _cell(value: Any) -> Any:
    """A value as the file shows it: a reference by its id, several values with commas between them."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return value.get("id")
    if isinstance(value, list):
        return ",".join(str(one.get("name") if isinstance(one, dict) else one) for one in value)
    return value
