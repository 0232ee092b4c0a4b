"""Questions about rows of a subform, and about line items."""

from __future__ import annotations

from orders_sync.probing.bench import Bench
from orders_sync.probing.bulk_questions import FULL, SINGLE, limit_of
from orders_sync.probing.fields import KEY
from orders_sync.probing.job_steps import child_job, full_job, one_parent_job, smaller_child_job, zip_job
from orders_sync.probing.job_values import Job, Sheet
from orders_sync.probing.jobs import make_job, wait_for
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.verdicts import NotAsked, Sureness, Verdict, seen, unknown
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.costs import JOB_CREDITS

_CHILD = Calls("a job of rows of the subform, whose records are not there", JOB_CREDITS)
_PERCENT = "5%"


def _limit(bench: Bench) -> tuple[str, Job] | None:
    """What the limit is for, and the job that it refused; None where a job of any kind ran."""
    job = child_job(bench)
    if not job.ran and _may_be_of_any_job(bench, job) and not (full := full_job(bench)).ran:
        if full.limit is None:
            raise NotAsked("a job takes fewer rows than were tried, of whatever kind")
        job = smaller_child_job(bench, full.limit)
    if not job.ran:
        return "file", job
    if not (zipped := zip_job(bench).job).ran:
        return "zip", zipped
    of_one = one_parent_job(bench)
    return None if of_one.ran else ("parent", of_one)


def _may_be_of_any_job(bench: Bench, job: Job) -> bool:
    """Whether the number in a refusal may be that of all jobs: it is larger than what another job has shown to go."""
    return job.limit is None or job.limit > bench.sizes[1]


def _child_rows(bench: Bench) -> Verdict:
    found = _limit(bench)
    return limit_of(found[1]) if found else unknown(f"{bench.sizes[2]:,} rows are taken in every way")


def _child_rows_per(bench: Bench) -> Verdict:
    found = _limit(bench)
    if found is None:
        return unknown(f"{bench.sizes[2]:,} rows are taken in every way")
    known = limit_of(found[1]).sureness is not Sureness.UNKNOWN
    return seen(found[0]) if known else unknown(f"so many rows meet {found[1].refusal}")


def _need_lines(bench: Bench) -> str:
    if not bench.line_items or bench.subform is None:
        raise NotAsked("the module has no line items; ask in one that has: `orders-sync probe Quotes`")
    return bench.subform


def _line_discount(bench: Bench) -> Verdict:
    lines = _need_lines(bench)
    found = bench.insert(bench.record(**{lines: [bench.line(Discount=_PERCENT)]}))
    if found.taken:
        return seen("percent_too")
    refused = found.item.get("code") == ZohoCode.INVALID_DATA and found.details.get("api_name") == "Discount"
    return seen("amount") if refused else unknown(f"it is refused with {found.item.get('code')}")


def _last_line_item(bench: Bench) -> Verdict:
    lines = _need_lines(bench)
    record = bench.seed("with lines")
    found = bench.update(record, **{lines: []})
    if found.taken:
        held = bench.read(record).get(lines)
        return seen("delete") if not held else unknown("it is taken, and lines are still there")
    refused = found.item.get("code") == ZohoCode.MANDATORY_NOT_FOUND and found.details.get("api_name") == lines
    return seen("keep") if refused else unknown(f"it is refused with {found.item.get('code')}")


def _result_of_only_row(job: Job) -> tuple[str, str]:
    """Status and errors of the only row of a job."""
    row = job.tables[0][1] if job.tables and len(job.tables[0]) > 1 else []
    return (row[-3].lower(), row[-1]) if len(row) > 3 else ("", "")  # noqa: PLR2004 - the three last columns


def _line_items_in_job(bench: Bench) -> Verdict:
    lines = _need_lines(bench)
    needed = [(name, str(value)) for name, value in bench.needed.items()]
    plain: dict[str, str] = {}
    columns = [(name, f"{name} column", plain) for name in (bench.name_field, *(name for name, _ in needed))]
    row = [bench.key(), *(value for _, value in needed)]
    job = make_job(bench, "insert", [Sheet(bench.module, columns, [row])])
    wait_for(bench, job)
    status, errors = _result_of_only_row(job)
    if job.ran and status == "added":
        return seen("later")
    refused = job.ran and status == "skipped" and errors.startswith(ZohoCode.MANDATORY_NOT_FOUND) and lines in errors
    return seen("demand") if refused else unknown(f"a job without line items meets {job.refusal or status}")


def _line_tax_cells(bench: Bench) -> Verdict:
    _need_lines(bench)
    record = bench.seed("with lines of a job")
    product = bench.once("product", bench.product)
    taxes = bench.wire.call("GET", "org/taxes", credits=1).body
    listed = taxes.get("org_taxes") if isinstance(taxes, dict) else None
    known = listed.get("taxes") if isinstance(listed, dict) else None
    if not isinstance(known, list) or not known:
        raise NotAsked("the org has no taxes")
    by_id: dict[str, str] = {"find_by": "id"}
    plain: dict[str, str] = {}
    columns: list[tuple[str, str, dict[str, str]]] = [
        ("Parent_Id", "Parent", by_id),
        ("Product_Name", "Product", by_id),
        ("Quantity", "Quantity", plain),
    ]
    sheet = Sheet(
        str(bench.rows_module),
        [*columns, ("Line_Tax", "Tax", {})],
        [[record, product, "1", str(known[0].get("name"))]],
    )
    job = make_job(bench, "insert", [sheet])
    wait_for(bench, job)
    if job.refusal is not None and job.refusal[1] == ZohoCode.INVALID_FIELD:
        return seen("refuse")
    status, _ = _result_of_only_row(job)
    return seen("names") if job.ran and status == "added" else unknown(f"a tax in a cell meets {job.refusal or status}")


def _known_with_rows(bench: Bench) -> tuple[str, Job]:
    """A record with one line item, and a job that inserts it once more, with another line item in its zip."""
    _need_lines(bench)
    bench.need(KEY)
    key = bench.once("known key", bench.key)
    record = bench.seed("known", **{KEY: key})
    needed = [(name, str(value)) for name, value in bench.needed.items()]
    plain: dict[str, str] = {}
    columns = [(name, f"{name} column", plain) for name in (KEY, bench.name_field, *(name for name, _ in needed))]
    head = Sheet(bench.module, columns, [[key, key, *(value for _, value in needed)]], find_by=KEY)
    lines = Sheet(
        str(bench.rows_module),
        [
            ("Parent_Id", "Parent", {"parent_column_index": 0}),
            ("Product_Name", "Product", {"find_by": "id"}),
            ("Quantity", "Quantity", {}),
        ],
        [[key, bench.once("product", bench.product), "1"]],
    )
    job = make_job(bench, "insert", [head, lines])
    wait_for(bench, job)
    return record, job


def _rows_of_skipped(bench: Bench) -> Verdict:
    record, job = bench.once("known with rows", lambda: _known_with_rows(bench))
    if not job.ran:
        return unknown(f"a job with line items in its zip meets {job.refusal}")
    held = bench.read(record).get(str(bench.subform))
    count = len(held) if isinstance(held, list) else 0
    positions = {1: "refuse", 2: "add"}
    return seen(positions[count]) if count in positions else unknown(f"the record has {count} line items then")


def _child_results(bench: Bench) -> Verdict:
    _, job = bench.once("known with rows", lambda: _known_with_rows(bench))
    if not job.ran:
        return unknown(f"a job with line items in its zip meets {job.refusal}")
    positions = {1: "none", 2: "own_csv"}
    count = len(job.tables)
    return seen(positions[count]) if count in positions else unknown(f"its result has {count} CSVs")


CHILD_QUESTIONS = (
    Question("child_rows", "rows of a subform in a job", (_CHILD, FULL, SINGLE), _child_rows),
    Question("child_rows_per", "what that limit is for", (_CHILD, FULL, SINGLE), _child_rows_per),
)
_PRODUCT = Calls("a made-up product", 1)
_KNOWN = Calls("a job that inserts a known record with a line item", JOB_CREDITS + 3)
LINE_QUESTIONS = (
    Question("line_discount", "a discount in percent", (_PRODUCT, Calls("an insert with lines", 1)), _line_discount),
    Question(
        "last_line_item",
        "an update that takes away all lines",
        (_PRODUCT, Calls("writes with lines", 3)),
        _last_line_item,
    ),
    Question(
        "line_items_in_job",
        "a job of records without lines",
        (Calls("a job of one record without lines", JOB_CREDITS),),
        _line_items_in_job,
    ),
    Question(
        "line_tax_cells",
        "a tax in a cell",
        (_PRODUCT, Calls("a job of one line item with a tax", JOB_CREDITS + 2)),
        _line_tax_cells,
    ),
    Question("rows_of_skipped", "line items in the zip of a known record", (_PRODUCT, _KNOWN), _rows_of_skipped),
    Question("child_results", "the result of a job with line items in its zip", (_PRODUCT, _KNOWN), _child_results),
)
