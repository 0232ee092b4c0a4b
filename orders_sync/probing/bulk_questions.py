"""Questions about bulk write: what a job takes, how it is shown, and what its result is like."""

from __future__ import annotations

from datetime import datetime, timezone
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

from orders_sync.probing.bench import Bench
from orders_sync.probing.fields import DATE, KEY, TEXT, TIME
from orders_sync.probing.job_steps import (
    BY_INDEX,
    HEADERS,
    KEPT,
    FirstJob,
    faulty_job,
    first_job,
    full_job,
    fullest_job,
    mapping_job,
    single_job,
)
from orders_sync.probing.job_values import ENDS, Job
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.record_questions import problem
from orders_sync.probing.request_questions import cost_of
from orders_sync.probing.value_questions import instant_of
from orders_sync.probing.verdicts import NotAsked, Verdict, by_value, seen, undecided, unknown
from sync_ledger.retry_schedules import PROBE_JOBS
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.costs import JOB_CREDITS, JOB_ROWS, READ_JOB_CREDITS

FIRST = Calls("a job of made-up records", JOB_CREDITS + 3)
MAPPING = Calls("a job with a field that is not there", JOB_CREDITS + 1)
SINGLE = Calls("a job of one row", JOB_CREDITS + 3)
FULL = Calls("a job of 25,000 rows without records", JOB_CREDITS)
_MAPPING_CODES = frozenset({ZohoCode.INVALID_FIELD, ZohoCode.COLUMN_INDEX_NOT_FOUND, ZohoCode.LIMIT_EXCEEDED})
_RESULT_END = ("STATUS", "RECORD_ID", "ERRORS")
_TIME = datetime(2026, 3, 14, 15, 9, 26)  # noqa: DTZ001 - the cell's own text, in whatever zone
_ACCEPTED = frozenset({"added", "updated", "skipped"})


def _ran(bench: Bench) -> FirstJob:
    first = first_job(bench)
    if not first.job.ran:
        raise NotAsked(f"the job of made-up records did not run: {first.job.refusal}")
    return first


def _table(first: FirstJob) -> list[list[str]]:
    if not first.job.tables or not first.job.tables[0]:
        raise NotAsked("the job's result could not be read")
    return first.job.tables[0]


def _shape(table: list[list[str]]) -> tuple[str, str] | None:
    """By which order the result has its columns, and by which names; None where it is another one."""
    header = tuple(table[0])
    if header[3:] != _RESULT_END:
        return None
    for order, columns in (("index", BY_INDEX), ("mapping", BY_INDEX[::-1])):
        for naming, names in (("header", tuple(HEADERS[each] for each in columns)), ("api_name", columns)):
            if header[:3] == names:
                return order, naming
    return None


def _result_columns(bench: Bench) -> Verdict:
    shape = _shape(_table(_ran(bench)))
    return seen(shape[0]) if shape else unknown("the result has other columns")


def _result_names(bench: Bench) -> Verdict:
    shape = _shape(_table(_ran(bench)))
    return seen(shape[1]) if shape else unknown("the result has other columns")


def _by_key(first: FirstJob) -> dict[str, tuple[str, str, str]]:
    """Status, record and errors of each row, by its key; empty where the key's column cannot be told."""
    table = _table(first)
    names = [each for each in (HEADERS[KEY], KEY) if each in table[0]]
    if not names or tuple(table[0][-3:]) != _RESULT_END:
        return {}
    key = table[0].index(names[0])
    return {row[key]: (row[-3].lower(), row[-2], row[-1]) for row in table[1:] if len(row) == len(table[0])}


def _result_status(bench: Bench) -> Verdict:
    table = _table(_ran(bench))
    if tuple(table[0][-3:]) != _RESULT_END:
        return unknown("the result has other columns")
    words = {row[-3] for row in table[1:]}
    if not words or {each.lower() for each in words} - _ACCEPTED:
        return unknown(f"STATUS is {', '.join(sorted(words))}")
    forms = {"lower": str.lower, "upper": str.upper, "title": str.title}
    fitting = [name for name, form in forms.items() if words == {form(each) for each in words}]
    return seen(fitting[0]) if len(fitting) == 1 else unknown(f"STATUS is {', '.join(sorted(words))}")


def _bulk_duplicate_checks(bench: Bench) -> Verdict:
    first = _ran(bench)
    status, record, errors = _by_key(first).get(first.repeated_key, ("", "", ""))
    if status == "updated" and record == first.holder:
        return seen("all")
    refused = status == "skipped" and errors.startswith(ZohoCode.DUPLICATE_DATA)
    return seen("named") if refused else unknown("a held value of another unique field meets another answer")


def _form(bench: Bench, keys: dict[str, str], field: str) -> Verdict:
    """The only form of a cell that was taken without a `format`."""
    rows = _by_key(first_job(bench))
    taken = {form: rows[key][1] for form, key in keys.items() if key in rows and rows[key][0] == "added"}
    if len(taken) != 1:
        return unknown(f"of {len(keys)} forms these are taken: {', '.join(taken) or 'none'}")
    form, record = next(iter(taken.items()))
    held = bench.read(record).get(field)
    instant = instant_of(held)
    right = held == "2026-03-14" if field == DATE else instant is not None and _TIME in _readings(instant)
    return seen(form) if right else unknown(f"{form} is taken, and another value is held")


def _readings(instant: datetime) -> tuple[datetime, datetime]:
    """A held instant as its cell may have been meant: in the org's zone, or in UTC."""
    return instant.replace(tzinfo=None), instant.astimezone(timezone.utc).replace(tzinfo=None)


def _default_date_format(bench: Bench) -> Verdict:
    return _form(bench, _ran(bench).dates, DATE)


def _default_datetime_format(bench: Bench) -> Verdict:
    return _form(bench, _ran(bench).times, TIME)


def _ignored(bench: Bench, record: str) -> bool | None:
    """Whether an empty cell left a text alone; None where neither it nor nothing is held."""
    held = bench.read(record).get(TEXT)
    return True if held == KEPT else False if held in (None, "") else None


def _ignore_empty_at(bench: Bench) -> Verdict:
    first, single = _ran(bench), single_job(bench)
    if not single.job.ran:
        raise NotAsked(f"the job of one row did not run: {single.job.refusal}")
    by_request, by_resource = _ignored(bench, first.emptied), _ignored(bench, single.emptied)
    positions = {(True, True): "both", (True, False): "request", (False, True): "resource"}
    found = positions.get((by_request, by_resource))  # type: ignore[arg-type] # None is no key
    return seen(found) if found else unknown("neither place keeps the text, or it holds another")


def _bulk_unknown_fields(bench: Bench) -> Verdict:
    job = mapping_job(bench).job
    if job.ran:
        return seen("ignore")
    return (
        seen("refuse")
        if job.refusal and job.refusal[1] == ZohoCode.INVALID_FIELD
        else unknown(f"it meets {job.refusal}")
    )


def _bulk_checks_at(bench: Bench) -> Verdict:
    mapping_job(bench)
    refusals = {each.refusal[:2] for each in bench.jobs if isinstance(each, Job) and each.refusal}
    places = {place for place, code in refusals if code in _MAPPING_CODES}
    if not places:
        refusal = faulty_job(bench).refusal
        places = {refusal[0]} if refusal and refusal[1] in _MAPPING_CODES else set()
    if len(places) != 1:
        return unknown(f"faults are found at {', '.join(sorted(places)) or 'no place'}")
    return seen(places.pop())


def limit_of(job: Job) -> Verdict:
    """The number of rows that a refused job names."""
    if job.refusal is None or job.refusal[1] != ZohoCode.LIMIT_EXCEEDED:
        return unknown(f"so many rows meet {job.refusal}")
    limit = job.limit
    return undecided(why="the refusal of too many rows names no number") if limit is None else seen(limit)


def _max_rows(bench: Bench) -> Verdict:
    job = full_job(bench)
    if not job.ran:
        return limit_of(job)
    if bench.sizes[2] < JOB_ROWS:
        raise NotAsked(f"only {bench.sizes[2]} rows were tried")
    return seen(JOB_ROWS, "so many are taken; more were not tried")


def _all_rows_skipped(bench: Bench) -> Verdict:
    job = fullest_job(bench)
    if not job.ran:
        raise NotAsked(f"the job did not run: {job.refusal}")
    counts = job.counts()
    if counts and counts.get("skipped_count") != counts.get("total_count"):
        return unknown("rows without a record were not all skipped")
    return by_value(job.document.get("status"), {"COMPLETED": "COMPLETED", "SKIPPED": "SKIPPED"}, "the status")


def _job_status_word(bench: Bench) -> Verdict:
    _ran(bench)
    words = {str(look.flat.get("status")) for job in bench.jobs for look in job.looks} - ENDS - {"ADDED"}
    if not words:
        raise NotAsked("no job was seen at work: each had ended when it was looked at")
    if len(words) > 1:
        return unknown(f"jobs were {', '.join(sorted(words))}")
    return by_value(words.pop(), {each: each for each in ("INPROGRESS", "IN PROGRESS")}, "the word")


def _file_of(look: Any) -> dict[str, Any] | None:
    resources = look.flat.get("resource")
    first = resources[0] if isinstance(resources, list) and resources else None
    file = first.get("file") if isinstance(first, dict) else None
    return file if isinstance(file, dict) else None


def _job_counts(bench: Bench) -> Verdict:
    job = _ran(bench).job
    before = [_file_of(each) for each in job.looks[:-1]]
    at_end = _file_of(job.looks[-1])
    numbers = ("added_count", "updated_count", "skipped_count", "total_count")
    for file in (*before, at_end):
        if file is not None and not all(type(file.get(each)) is int for each in numbers):
            return unknown("counts are no numbers")
    if at_end is None:
        return seen("missing") if not any(before) else unknown("counts are there before the end, and not at it")
    if not before:
        return undecided("late", "present", why="the job had ended when it was first looked at")
    if not any(before):
        return seen("late")
    zeros = all(file is not None and not any(file[each] for each in numbers) for file in before)
    return seen("present") if zeros else unknown("counts grow while the job is at work")


def _download_url(bench: Bench) -> Verdict:
    result = _ran(bench).job.document.get("result")
    url = result.get("download_url") if isinstance(result, dict) else None
    if not isinstance(url, str):
        return unknown("there is no link")
    own, parts = urlsplit(bench.wire.api_url), urlsplit(url)
    if url.startswith("/") and not url.startswith("//"):
        return seen("relative")
    if parts.scheme not in {"https", own.scheme} or not parts.hostname:
        return unknown("the link is of another form")
    if parts.netloc != own.netloc:
        return seen("elsewhere")
    return seen("double_slash" if parts.path.startswith("//") else "absolute")


def _job_not_found(bench: Bench) -> Verdict:
    found = bench.wire.bulk("GET", f"write/{bench.seed('no job')}", credits=0)
    if problem(found).get("code") != ZohoCode.RESOURCE_NOT_FOUND:
        return unknown("the code is not RESOURCE_NOT_FOUND")
    return by_value(found.status, {400: 400, 404: 404}, "the status")


def _cost_bulk_poll(bench: Bench) -> Verdict:
    job = _ran(bench).job
    return cost_of([bench.wire.bulk("GET", f"write/{job.id}", credits=0) for _ in range(3)])


def _cost_bulk_result(bench: Bench) -> Verdict:
    job = _ran(bench).job
    if job.result is None:
        raise NotAsked("the job's result could not be read")
    url = str(job.document["result"]["download_url"])
    return cost_of([bench.wire.send("GET", bench.wire.link(url), credits=0) for _ in range(3)])


def _max_read_rows(bench: Bench) -> Verdict:
    query: dict[str, Any] = {"module": {"api_name": bench.module}, "fields": ["id"]}
    value = {"field": {"api_name": bench.name_field}, "comparator": "equal", "value": bench.run}
    found = bench.wire.bulk("POST", "read", {"query": {**query, "criteria": value}}, credits=READ_JOB_CREDITS)
    job = found.details.get("id")
    if not isinstance(job, (str, int)):
        return unknown("a bulk read job meets another answer")
    for number in range(1, PROBE_JOBS.attempts + 1):
        look = bench.wire.bulk("GET", f"read/{job}", credits=0, keep=False)
        if look.status != HTTPStatus.OK or look.item.get("state") in {"COMPLETED", "FAILURE"}:
            break
        bench.wire.pace.wait(PROBE_JOBS.pause_after(number))
    bench.wire.kept.append(look)
    result = look.item.get("result")
    most = result.get("per_page") if isinstance(result, dict) else None
    return seen(most) if type(most) is int and most > 0 else unknown("`per_page` is no number of records")


_ALL_FIRST: dict[str, tuple[str, Any]] = {
    "job_counts": ("when a job shows counts", _job_counts),
    "job_status_word": ("what a job at work is called", _job_status_word),
    "download_url": ("the link to a result", _download_url),
    "result_columns": ("which columns a result repeats", _result_columns),
    "result_names": ("how a result names columns", _result_names),
    "result_status": ("how a result writes STATUS", _result_status),
    "bulk_duplicate_checks": ("a held value of another unique field, in a job", _bulk_duplicate_checks),
    "default_date_format": ("dates without a format", _default_date_format),
    "default_datetime_format": ("date-times without a format", _default_datetime_format),
    "cost_bulk_poll": ("credits of a look at a job", _cost_bulk_poll),
    "cost_bulk_result": ("credits of a result", _cost_bulk_result),
}
FIRST_JOB_QUESTIONS = tuple(Question(switch, asks, (FIRST,), ask) for switch, (asks, ask) in _ALL_FIRST.items())
BULK_QUESTIONS = (
    Question("job_not_found", "a job that is not there", (Calls("a record whose id is no job's", 1),), _job_not_found),
    Question(
        "max_read_rows",
        "records in the file of a bulk read",
        (Calls("a bulk read job", READ_JOB_CREDITS),),
        _max_read_rows,
    ),
    Question("bulk_unknown_fields", "a mapping to no field", (MAPPING,), _bulk_unknown_fields),
)
LATER_BULK_QUESTIONS = (
    Question("max_rows", "rows of a job", (FULL,), _max_rows),
    Question("all_rows_skipped", "a job of which every row is skipped", (FULL,), _all_rows_skipped),
    Question("bulk_checks_at", "whether faults are found at once", (MAPPING,), _bulk_checks_at),
    Question("ignore_empty_at", "where `ignore_empty` counts", (FIRST, SINGLE), _ignore_empty_at),
)
