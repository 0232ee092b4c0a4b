"""Bulk write jobs of a probe: made, waited for, and read, with all that was seen on the way."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from orders_sync.probing.bench import Bench
from orders_sync.probing.job_values import ENDS, Job, Sheet
from orders_sync.probing.request_questions import upload_headers
from orders_sync.probing.verdicts import NotAsked
from orders_sync.probing.wire import NO_ANSWER
from sync_ledger.retry_schedules import PROBE_JOBS
from target_zoho_crm.api.costs import JOB_CREDITS


def make_job(bench: Bench, operation: str, sheets: Sequence[Sheet], **request: Any) -> Job:
    """Upload the sheets in one zip and create a job of them.

    Raises:
        NotAsked: the file is not taken.
    """
    names = [f"probe-{number}.csv" for number in range(len(sheets))]
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, sheet in zip(names, sheets, strict=True):
            archive.writestr(name, sheet.text)
    rows = ", ".join(f"{len(sheet.rows):,} rows" for sheet in sheets)
    uploaded = bench.wire.upload(buffer.getvalue(), upload_headers(bench), f"a zip with {rows}")
    details = uploaded.flat.get("details")
    file_id = details.get("file_id") if isinstance(details, dict) else None
    if not isinstance(file_id, (str, int)):
        raise NotAsked(f"a file for a job is not taken: {uploaded.flat.get('code') or uploaded.status}")
    resources = [sheet.resource(str(file_id), name) for sheet, name in zip(sheets, names, strict=True)]
    body = {"operation": operation, "character_encoding": "UTF-8", **request, "resource": resources}
    bench.journal.intend()
    created = bench.wire.bulk("POST", "write", body, credits=JOB_CREDITS)
    made = created.flat.get("details")
    number = made.get("id") if isinstance(made, dict) else None
    is_made = created.flat.get("code") == "SUCCESS" and isinstance(number, (str, int))
    if created.status != NO_ANSWER and created.status < HTTPStatus.INTERNAL_SERVER_ERROR:  # else it may exist
        bench.journal.note(str(number) if is_made else None)
    job = Job(created, str(number) if is_made else None)
    bench.jobs.append(job)
    return job


def wait_for(bench: Bench, *jobs: Job) -> None:
    """Look at jobs until all have ended, and fetch their results; notes how many were at work at once.

    Raises:
        NotAsked: one has not ended in half an hour.
    """
    began = bench.wire.pace.now()
    for look in range(1, PROBE_JOBS.attempts + 1):
        open_ones = [each for each in jobs if each.id is not None and each.document.get("status") not in ENDS]
        for each in open_ones:
            _look(bench, each)
            each.seconds = bench.wire.pace.now() - began
        at_work = sum(_is_at_work(each) for each in open_ones)
        bench.measures["jobs_at_once"] = max(at_work, bench.measures.get("jobs_at_once", 0))
        if all(each.document.get("status") in ENDS for each in open_ones):
            break
        bench.wire.pace.wait(PROBE_JOBS.pause_after(look))
    else:
        raise NotAsked("a job has not ended in half an hour; `probe --clean-up` waits for it")
    for each in jobs:
        if each.id is not None and each.result is None:
            _fetch(bench, each)
            bench.journal.ended(each.id)


def _is_at_work(job: Job) -> bool:
    return str(job.document.get("status")) not in ENDS | {"ADDED"}


def _look(bench: Bench, job: Job) -> None:
    found = bench.wire.bulk("GET", f"write/{job.id}", credits=0, keep=False)
    if found.status != HTTPStatus.OK or "status" not in found.flat:
        raise NotAsked(f"a job is answered with {found.flat.get('code') or found.status}")
    if found.flat["status"] != job.document.get("status"):
        job.looks.append(found)
        bench.wire.kept.append(found)


def _fetch(bench: Bench, job: Job) -> None:
    result = job.document.get("result")
    url = result.get("download_url") if isinstance(result, dict) else None
    if not isinstance(url, str):
        return
    try:
        job.result = bench.wire.send("GET", bench.wire.link(url), credits=0)
    except NotAsked:
        return  # a stranger's host: what the link is like is seen all the same
    try:
        with zipfile.ZipFile(io.BytesIO(job.result.content)) as archive:
            texts = [archive.read(each).decode("utf-8-sig") for each in archive.namelist()]
    except (zipfile.BadZipFile, UnicodeDecodeError):
        return
    job.tables = [list(csv.reader(io.StringIO(text, newline=""))) for text in texts]
    _note_made(bench, job)


def _note_made(bench: Bench, job: Job) -> None:
    """Note the records that a job made, so that they are deleted."""
    resources = job.document.get("resource") or ()
    first = resources[0] if resources and isinstance(resources[0], dict) else {}
    about = first.get("module")
    module = about.get("api_name") if isinstance(about, dict) else about
    if module != bench.module:
        return  # rows of a subform go with their records
    for table in job.tables[:1]:
        header = [each.upper() for each in table[0]] if table else []
        if "STATUS" in header and "RECORD_ID" in header:
            status, record = header.index("STATUS"), header.index("RECORD_ID")
            bench.made += [(str(module), row[record]) for row in table[1:] if row[status].lower() == "added"]
