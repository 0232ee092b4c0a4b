"""The jobs from which the questions about bulk write are answered; each is made once, at the first question for it.

At most five are made where all is asked, each for 500 credits: one of made-up records, one with a field that is not
there, one of rows of a subform, one with as many rows as a job takes, and one of a single row. Where the rows of the
subform are taken, theirs is the large one too; what it leaves open is asked together with the single row.
"""

from __future__ import annotations

from dataclasses import dataclass

from orders_sync.probing.bench import Bench
from orders_sync.probing.fields import DATE, KEY, SECOND, TEXT, TIME
from orders_sync.probing.job_values import Job, Sheet
from orders_sync.probing.jobs import make_job, wait_for
from orders_sync.probing.verdicts import NotAsked

KEPT = "kept"
"""What a text holds that an empty cell may blank."""
DATES = {
    "yyyy-MM-dd": "2026-03-14",
    "MM/dd/yyyy": "03/14/2026",
    "dd/MM/yyyy": "14/03/2026",
    "dd-MM-yyyy": "14-03-2026",
    "MM-dd-yyyy": "03-14-2026",
    "yyyy/MM/dd": "2026/03/14",
    "dd.MM.yyyy": "14.03.2026",
}
"""One day in each form that is tried without a `format`."""
TIMES = {
    "yyyy-MM-dd'T'HH:mm:ssXXX": "2026-03-14T15:09:26+00:00",
    "yyyy-MM-dd'T'HH:mm:ss": "2026-03-14T15:09:26",
    "yyyy-MM-dd HH:mm:ss": "2026-03-14 15:09:26",
    "MM/dd/yyyy HH:mm:ss": "03/14/2026 15:09:26",
    "dd/MM/yyyy HH:mm:ss": "14/03/2026 15:09:26",
    "dd-MM-yyyy HH:mm:ss": "14-03-2026 15:09:26",
}
_NO_RECORD = "1"
"""As an id: too short for any record, so that no row of a subform is ever written."""


@dataclass(frozen=True)
class FirstJob:
    """The job of made-up records, and which of them is which."""

    job: Job
    emptied: str
    """The id of the record whose text had an empty cell."""
    repeated_key: str
    """The key of the row that has the second unique value of another record."""
    holder: str
    """The id of that record."""
    dates: dict[str, str]
    times: dict[str, str]
    """Keys of the rows, by the form of their cell."""


def _measure(bench: Bench, job: Job, rows: int) -> None:
    if job.ran:
        bench.measures.setdefault("job_seconds", {})[str(rows)] = round(job.seconds, 1)


HEADERS = {KEY: "Key column", TEXT: "Text column", SECOND: "Second column"}
BY_INDEX = (KEY, TEXT, SECOND)
"""The first three columns as they stand; as they are mapped it is the other way round."""


def _columns(bench: Bench, *names: str) -> list[tuple[str, str, dict[str, str]]]:
    return [(name, HEADERS.get(name, f"{name} column"), {}) for name in (*names, bench.name_field, *bench.needed)]


def _row(bench: Bench, key: str, *cells: str) -> list[str]:
    needed = ["true" if each is True else str(each) for each in bench.needed.values()]
    return [key, *cells, key, *needed]


def first_job(bench: Bench) -> FirstJob:
    """An upsert of made-up records, with `ignore_empty` in the request alone and no `format` for dates."""
    return bench.once("first job", lambda: _first_job(bench))


def _first_job(bench: Bench) -> FirstJob:
    bench.need(KEY, SECOND, TEXT, DATE, TIME)
    if bench.line_items:
        raise NotAsked("records of this module need line items; ask in a module of your own")
    emptied_key, value = bench.key(), bench.key()
    emptied = bench.seed("emptied by the first job", **{KEY: emptied_key, TEXT: KEPT})
    holder = bench.seed("whose value the first job has", **{SECOND: value})
    dates, times = ({form: bench.key() for form in forms} for forms in (DATES, TIMES))
    repeated = bench.key()
    rows = [
        _row(bench, emptied_key, "", "", "", ""),
        _row(bench, repeated, "", value, "", ""),
        *(_row(bench, key, "", "", DATES[form], "") for form, key in dates.items()),
        *(_row(bench, key, "", "", "", TIMES[form]) for form, key in times.items()),
    ]
    rows += [_row(bench, bench.key(), "", "", "", "") for _ in range(bench.sizes[1] - len(rows))]
    columns = _columns(bench, *BY_INDEX, DATE, TIME)
    sheet = Sheet(bench.module, columns, rows, KEY, order=[2, 1, 0, *range(3, len(columns))])
    job = make_job(bench, "upsert", [sheet], ignore_empty=True)
    wait_for(bench, job)
    _measure(bench, job, len(rows))
    return FirstJob(job, emptied, repeated, holder, dates, times)


def _single(bench: Bench, key: str, *unknown_fields: str) -> Sheet:
    """One row with an empty cell, and `ignore_empty` in the resource alone."""
    columns = [*_columns(bench, KEY, TEXT), *((name, f"{name} column", {}) for name in unknown_fields)]
    rows = [[*_row(bench, key, ""), *("x" for _ in unknown_fields)]]
    return Sheet(bench.module, columns, rows, KEY, more={"ignore_empty": True})


@dataclass(frozen=True)
class SingleJob:
    """A job of one row, and the record whose text had an empty cell."""

    job: Job
    emptied: str


def mapping_job(bench: Bench) -> SingleJob:
    """A job of one row that maps a field which is not there."""
    return bench.once("mapping job", lambda: _single_job(bench, "Probe_No_Such_Field"))


def _single_job(bench: Bench, *unknown_fields: str) -> SingleJob:
    bench.need(KEY, TEXT)
    if bench.line_items:
        raise NotAsked("records of this module need line items; ask in a module of your own")
    key = bench.key()
    emptied = bench.seed(f"emptied {key}", **{KEY: key, TEXT: KEPT})
    job = make_job(bench, "upsert", [_single(bench, key, *unknown_fields)])
    wait_for(bench, job)
    _measure(bench, job, 1)
    return SingleJob(job, emptied)


def single_job(bench: Bench) -> SingleJob:
    """A job of one row that ran: the one with an unknown field, where that is no matter."""
    if "mapping job" in bench.known:
        found = mapping_job(bench)
        if found.job.ran:
            return found
    if "zip job" in bench.known:
        found = zip_job(bench)
        if found.job.ran:
            return found
    return bench.once("single job", lambda: _single_job(bench))


def _child_columns(parent_index: int | None = None) -> list[tuple[str, str, dict[str, object]]]:
    mapping: dict[str, object] = {"find_by": "id"} if parent_index is None else {"parent_column_index": parent_index}
    return [("Parent_Id", "Parent", mapping)]


def child_job(bench: Bench) -> Job:
    """Rows of the subform for as many records, none of which is there."""
    return bench.once("child job", lambda: _child_job(bench, _parents(bench.sizes[2])))


def smaller_child_job(bench: Bench, rows: int) -> Job:
    """The same with fewer rows, where any job takes fewer."""
    return bench.once("smaller child job", lambda: _child_job(bench, _parents(rows)))


def _parents(count: int) -> list[list[str]]:
    return [[str(each)] for each in range(1, count + 1)]


def one_parent_job(bench: Bench) -> Job:
    """As many rows of the subform for one record, which is not there."""
    return bench.once("one parent job", lambda: _child_job(bench, [[_NO_RECORD]] * _most_rows(bench)))


def _most_rows(bench: Bench) -> int:
    """As many rows as a job of any kind takes, as far as is known by now."""
    limit = full_job(bench).limit if "full job" in bench.known else None
    return bench.sizes[2] if limit is None else limit


def _rows_module(bench: Bench) -> str:
    if bench.rows_module is None or bench.line_items:
        raise NotAsked("the module has no subform; one can be made by hand")
    return bench.rows_module


def _child_job(bench: Bench, rows: list[list[str]]) -> Job:
    job = make_job(bench, "insert", [Sheet(_rows_module(bench), _child_columns(), rows)])
    wait_for(bench, job)
    _measure(bench, job, len(rows))
    return job


def zip_job(bench: Bench) -> SingleJob:
    """One record and rows of its subform in one zip; the rows name records that the zip has not."""
    return bench.once("zip job", lambda: _zip_job(bench))


def _zip_job(bench: Bench) -> SingleJob:
    bench.need(KEY, TEXT)
    key = bench.key()
    emptied = bench.seed(f"emptied {key}", **{KEY: key, TEXT: KEPT})
    rows = [[f"none {number}"] for number in range(_most_rows(bench))]
    child = Sheet(_rows_module(bench), _child_columns(0), rows, more={"ignore_empty": True})
    job = make_job(bench, "upsert", [_single(bench, key), child])
    wait_for(bench, job)
    return SingleJob(job, emptied)


def faulty_job(bench: Bench) -> Job:
    """A job of one row, whose mapping names a column that the file has not."""
    return bench.once("faulty job", lambda: _faulty_job(bench))


def _faulty_job(bench: Bench) -> Job:
    bench.need(KEY)
    columns = _columns(bench, KEY)
    job = make_job(bench, "update", [Sheet(bench.module, columns, [_row(bench, bench.key())], KEY, beyond=True)])
    wait_for(bench, job)
    return job


def full_job(bench: Bench) -> Job:
    """A job of as many rows as a job takes, none of which has a record: that of the subform's rows where it ran."""
    if "child job" in bench.known and (found := child_job(bench)).ran:
        return found
    return bench.once("full job", lambda: _full_job(bench, bench.sizes[2]))


def fullest_job(bench: Bench) -> Job:
    """The same with as many rows as its refusal names, where it was refused."""
    job = full_job(bench)
    limit = job.limit
    return job if limit is None else bench.once("fullest job", lambda: _full_job(bench, limit))


def _full_job(bench: Bench, count: int) -> Job:
    bench.need(KEY)
    rows = [[f"{bench.run}-none-{number}"] for number in range(count)]
    job = make_job(bench, "update", [Sheet(bench.module, [(KEY, "Key column", {})], rows, KEY)])
    wait_for(bench, job)
    _measure(bench, job, len(rows))
    return job
