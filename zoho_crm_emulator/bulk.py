"""Bulk write over HTTP: upload, create, job and result. The work itself is done by `jobs`."""

from __future__ import annotations

from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.clock import DAY
from zoho_crm_emulator.dates import iso, zone
from zoho_crm_emulator.emulator import CURRENT_USER, user_reference
from zoho_crm_emulator.faults import LINK_GONE
from zoho_crm_emulator.job_plan import OPERATIONS, check_call, module_name
from zoho_crm_emulator.jobs import COUNT_NAMES, ELSEWHERE, FINAL, Job, Jobs
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.sheet import check_zip
from zoho_crm_emulator.switches import rendered_id

MOST_BYTES = 25 * 1024 * 1024
KEPT = 7 * DAY
MAPPING_KEYS = dict.fromkeys(("default_value", "find_by", "format", "index", "module"))
"""What each mapping of a job shows, null where the request left it out."""
STRANGER = "https://results.example.net/bulk-write/result.zip"


def _upload_refused(call: Call, refusal: Refused) -> Answer:
    note = {"code": refusal.code}
    if call.switches.upload_errors == "gateway" and refusal.code in {"MANDATORY_NOT_FOUND", "INVALID_DATA"}:
        body = {
            "ERROR_MESSAGE": "Bad Request",
            "ERROR_CODE": 400,
            "x-error": "check if headers [feature, X-CRM-ORG] are present and valid",
            "info": "Forbidden",
            "x-info": "",
            "http_status": "400",
        }
        return Answer(body, refusal.status, note=note)
    of_file = call.switches.file_error_status if refusal.code == "INVALID_FILE_FORMAT" else refusal.status
    return Answer(refusal.as_problem(), of_file, note=note)


class Bulk:
    """The endpoints of bulk write, which share the job worker."""

    def __init__(self, jobs: Jobs) -> None:
        self._jobs = jobs

    def upload(self, call: Call) -> Answer:
        """POST /crm/v8/upload; the gate has put the part `file` into the body."""
        try:
            self._check_upload(call)
        except Refused as refusal:
            return _upload_refused(call, refusal)
        emulator = call.emulator
        now = emulator.clock.now()
        file_id = emulator.store.new_id()
        with emulator.store.write() as connection:
            connection.execute("DELETE FROM files WHERE uploaded < ?", (now - KEPT,))
            connection.execute(
                "INSERT INTO files VALUES (?, ?, ?, ?)",
                (file_id, call.path.get("file_name", ""), now, call.body),
            )
        details: dict[str, Any] = {
            "file_id": rendered_id(file_id, call.switches),
            "created_time": iso(now, zone(call.switches.time_zone)),
        }
        if call.switches.upload_details == "full":
            details |= {"id": str(file_id), "created_by": user_reference(CURRENT_USER)}
        body = {
            "status": "success",
            "code": "FILE_UPLOAD_SUCCESS",
            "message": "file uploaded.",
            "details": details,
        }
        return Answer(body, note={"file_id": str(file_id), "bytes": len(call.body)})

    @staticmethod
    def _check_upload(call: Call) -> None:
        for header in ("feature", "X-CRM-ORG"):
            if not call.headers.get(header.lower()):
                raise Refused("MANDATORY_NOT_FOUND", {"header": header}, f"{header} header is missing")
        if call.headers["feature"] != "bulk-write":
            raise Refused("NOT_SUPPORTED_FEATURE", {}, "the feature is not supported")
        if call.headers["x-crm-org"] != call.switches.zgid:
            raise Refused("INVALID_DATA", {}, "Invalid data - x-crm-org")
        if "file_name" not in call.path:
            raise Refused("MANDATORY_NOT_FOUND", {"api_name": "file"}, "file is missing")
        if len(call.body) > MOST_BYTES:
            if call.switches.file_too_large == 413:  # noqa: PLR2004 - HTTP
                raise Refused("FILE_TOO_LARGE", status=413)
            raise Refused("INVALID_DATA", {"maximum_length": MOST_BYTES})
        check_zip(call.body)

    def create(self, call: Call) -> Answer:
        """POST /crm/bulk/v8/write."""
        check_call(call)
        job, created = self._jobs.add(call.json)
        details = {
            "id": rendered_id(job, call.switches),
            "created_by": user_reference(CURRENT_USER),
            "created_time": iso(created, zone(call.switches.time_zone)),
        }
        body = {"status": "success", "code": "SUCCESS", "message": "success", "details": details}
        return Answer(body, 201, note={"job": str(job)})

    def poll(self, call: Call) -> Answer:
        """GET /crm/bulk/v8/write/{job}: a flat object."""
        text = call.path["job"]
        job = self._jobs.get(int(text), *OPERATIONS) if text.isascii() and text.isdigit() and len(text) < 20 else None  # noqa: PLR2004
        if job is None:
            raise Refused("RESOURCE_NOT_FOUND", status=call.switches.job_not_found)
        return Answer(self.document(call, job), note={"job": text, "job_status": job.status})

    def document(self, call: Call, job: Job) -> dict[str, Any]:
        """The job as this call shows it."""
        switches, request, outcome = call.switches, job.request, job.outcome
        word = switches.job_status_word if job.status == "INPROGRESS" else job.status
        final = job.status in FINAL
        told = [outcome, *outcome.get("children", [])]
        resources = [
            self._resource(call, job, given, told[number] if number < len(told) else outcome)
            for number, given in enumerate(request["resource"])
        ]
        document: dict[str, Any] = {
            "status": word,
            "character_encoding": request.get("character_encoding") or "UTF-8",
            "resource": resources,
            "id": rendered_id(job.id, switches),
            "operation": request["operation"],
            "created_by": user_reference(CURRENT_USER),
            "created_time": iso(job.created, zone(switches.time_zone)),
        }
        if request.get("callback"):
            document["callback"] = request["callback"]
        if final and job.has_result:
            elsewhere = job.request.get(ELSEWHERE, False)
            document["result"] = {"download_url": STRANGER if elsewhere else self._url(call, job.id)}
        return document

    def _resource(self, call: Call, job: Job, given: dict[str, Any], outcome: dict[str, Any]) -> dict[str, Any]:
        """One resource of the job: its request, its state, and its counts where they are shown."""
        switches, final = call.switches, job.status in FINAL
        inner = "IN PROGRESS" if job.status == "INPROGRESS" else job.status
        resource: dict[str, Any] = {
            "status": inner,
            "type": "data",
            "module": self._module(call, given),
            "file_id": str(given["file_id"]),
            "ignore_empty": bool(given.get("ignore_empty", job.request.get("ignore_empty", False))),
            "field_mappings": [{**MAPPING_KEYS, **one} for one in given.get("field_mappings") or []],
        }
        for key in ("find_by", "file_names"):
            if given.get(key) is not None:
                resource[key] = given[key]
        if final:
            resource["code"] = outcome.get("code", job.status)
        if switches.job_counts == "present" or (switches.job_counts == "late" and final):
            file: dict[str, Any] = {"status": inner, "name": outcome.get("file_name", "")}
            resource["file"] = file | (outcome.get("counts") or dict.fromkeys(COUNT_NAMES, 0))
        return resource

    @staticmethod
    def _module(call: Call, resource: dict[str, Any]) -> dict[str, str]:
        name = module_name(resource)
        view = call.emulator.catalog.get(name)
        return {"api_name": name, "id": str(view.id if view else 0)}

    @staticmethod
    def _url(call: Call, job: int) -> str:
        shape, base = call.switches.download_url, call.emulator.base_url
        if shape == "elsewhere" and call.emulator.results_url is not None:
            return f"{call.emulator.results_url}/v2/crm/{call.switches.zgid}/bulk-write/{job}/{job}.zip"
        path = f"/v2/crm/org{call.switches.zgid}/bulk-write/{job}/{job}.zip"
        if shape in {"relative", "elsewhere"}:
            return path
        return base + ("/" if shape == "double_slash" else "") + path

    def result(self, call: Call) -> Answer:
        """GET the result's address: a zip with one CSV, deleted after seven days."""
        text = call.path["job"]
        emulator = call.emulator
        row = None
        if text.isascii() and text.isdigit() and call.path["org"] == call.switches.zgid and len(text) < 20:  # noqa: PLR2004
            row = (
                emulator.store.read().execute("SELECT result, created FROM jobs WHERE id = ?", (int(text),)).fetchone()
            )
        if row is None or row[0] is None or row[1] < emulator.clock.now() - KEPT:
            return Answer(LINK_GONE, 400, note={"code": "LINK_NOT_VALID"})
        headers = {
            "Content-Disposition": f'attachment; filename="{text}.zip"',
            "Content-Type": "application/octet-stream",
        }
        return Answer(row[0], 200, headers, note={"job": text, "bytes": len(row[0])})
