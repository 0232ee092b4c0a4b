"""A report as one HTML page that needs nothing else: no network, no script; legible in light and dark, and on paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orders_sync.reporting.health import short
from orders_sync.reporting.html_parts import framed, none, section, table, time_of
from orders_sync.reporting.report_facts import Report, ReportedJob, ReportedRun
from orders_sync.reporting.report_plots import Bar, Scale, figure, stacked, steps, text, timeline
from orders_sync.reporting.status import StreamStatus
from sync_ledger.problems import Problem
from sync_ledger.tables import RUN_COUNTS, AckStatus

ROWS_MOST = 20
"""Rows of a table; the newest, or the most frequent. `--json` has all."""

OUTCOMES = {name: f"o-{name}" for name in RUN_COUNTS if name != "read"}
_RUN_STYLES = {"finished": "o-synced", "live": "o-unchanged"}


def page(report: Report) -> str:
    """The page, always the same for the same report."""
    return framed(f"Orders: {_span(report)}", body(report))


def body(report: Report) -> str:
    """What stands on it."""
    title = f"<h1>Orders on their way into Zoho CRM</h1><p class='sub'>{_span(report)}, by the ledger</p>"
    return "".join([title, _figures(report), *_sections(report)])


def _span(report: Report) -> str:
    return f"{time_of(report.since)} to {time_of(report.until)} UTC"


def _sections(report: Report) -> Iterator[str]:
    scale = Scale(report.since, report.until)
    yield section("What waits for whom", _waiting(report))
    yield section("Runs", _runs(report, scale))
    styles = {name: style for name, style in OUTCOMES.items() if any(day[name] for day in report.days.values())}
    days = {day: {name: counts[name] for name in styles} for day, counts in report.days.items()}
    plot = stacked("Records by outcome and day", days, styles) if days and styles else none("No run read a record.")
    yield section(
        "Records by outcome", f"{_legend(styles)}{plot}<p class='note'>By the day (UTC) on which their run began.</p>"
    )
    yield section(
        "Orders whose newest version is not in the CRM, by cause",
        "".join(map(_problems, report.streams, report.problems.values())),
    )
    yield section("Credits of the last 24 hours", _credits(report, scale))
    yield section("Freshness", _freshness(report, scale))
    yield section("Bulk write jobs", _jobs(report.jobs, scale))


def _figures(report: Report) -> str:
    oldest = [each.oldest_waiting_at for each in report.streams if each.oldest_waiting_at is not None]
    last = [each.last_finished_at for each in report.streams if each.last_finished_at is not None]
    figures = (
        ("up to date in the CRM", f"{sum(each.acks[AckStatus.SYNCED.value] for each in report.streams):,}"),
        ("refused", f"{sum(each.refused for each in report.streams):,}"),
        ("waiting", f"{sum(each.orders for each in report.waiting):,}"),
        ("the oldest waits for", short(report.until - min(oldest)) if oldest else "none waits"),
        ("since the last finished run", short(report.until - min(last)) if last else "none"),
        ("credits, last 24 hours", f"{report.credits[-1].value:,.0f}" if report.credits else "0"),
        (
            "runs that failed",
            f"{sum(each.how_ended not in _RUN_STYLES for each in report.runs):,} of {len(report.runs):,}",
        ),
    )
    boxes = "".join(f"<div><b>{text(value)}</b><span>{name}</span></div>" for name, value in figures)
    return f"<div class='figures'>{boxes}</div>"


def _waiting(report: Report) -> str:
    if not report.waiting:
        return none("Nothing waits.")
    rows = ([each.stream, f"{each.orders:,}", each.for_whom] for each in report.waiting)
    return table(("Stream", "Orders", "Wait for"), rows, numbers={1}) + "".join(map(_oldest, report.streams))


def _oldest(status: StreamStatus) -> str:
    if status.oldest_waiting_at is None:
        return ""
    since = short(status.now - status.oldest_waiting_at)
    return f"<p class='note'>{text(status.stream)}: the oldest in a job or due again, for {since} since its ack.</p>"


def _runs(report: Report, scale: Scale) -> str:
    if not report.runs:
        return none("No run.")
    bars = [
        Bar(_row_of(run), run.started_at, run.ended_at, _RUN_STYLES.get(run.how_ended, "o-rejected"), _described(run))
        for run in report.runs
    ]
    legend = _legend({"finished": "o-synced", "failed, stopped or died": "o-rejected", "live": "o-unchanged"})
    newest = report.runs[: -ROWS_MOST - 1 : -1]
    names = [name for name in RUN_COUNTS if any(run.counts[name] for run in report.runs)]
    says_why = any(run.error for run in newest)
    rows = (
        [
            time_of(run.started_at),
            _row_of(run),
            run.how_ended,
            figure(run.seconds, "s"),
            *(f"{run.counts[name]:,}" for name in names),
            f"{run.credits:,}",
            *([run.error or ""] if says_why else []),
        ]
        for run in newest
    )
    head = ("Began (UTC)", "Stream", "Ended", "Took", *(name.capitalize() for name in names), "Credits")
    listed = table([*head, *(["Why"] if says_why else [])], rows, numbers=set(range(3, len(head))))
    return f"{legend}{timeline('Runs', bars, scale)}{_details('Runs', len(report.runs), listed)}"


def _row_of(run: ReportedRun) -> str:
    return run.stream if run.partition == "1/1" else f"{run.stream} {run.partition}"


def _described(run: ReportedRun) -> str:
    counts = ", ".join(f"{count:,} {name}" for name, count in run.counts.items() if count) or "nothing to read"
    return f"{time_of(run.started_at)}, {figure(run.seconds, 's')}, {run.how_ended}: {counts}; {run.credits:,} credits"


def _problems(status: StreamStatus, problems: Sequence[Problem]) -> str:
    found = problems[:ROWS_MOST]
    if not found:
        return none(f"Stream {status.stream}: no order is refused or parked.")
    causes = {}
    for each in found:
        name = f"{each.code or 'no code'}{f' in {each.field}' if each.field else ''}"
        causes[name] = {"due again": each.due, "refused": each.rejected - each.due, "parked": each.parked}
    styles = {"due again": "o-unchanged", "refused": "o-rejected", "parked": "o-parked"}
    rows = (
        [
            f"{each.code or 'no code'}",
            each.field or "",
            f"{each.orders:,}",
            f"{each.due:,}",
            each.messages[0].message if each.messages else "",
            ", ".join(each.sample_keys) + (", ..." if each.orders > len(each.sample_keys) else ""),
        ]
        for each in found
    )
    listed = table(("Code", "Field", "Orders", "Due again", "Commonest message", "Keys"), rows, numbers={2, 3})
    plot = stacked(f"Refusals of stream {status.stream}", causes, styles)
    return f"<h3>{text(status.stream)}</h3>{_legend(styles)}{plot}{listed}"


def _credits(report: Report, scale: Scale) -> str:
    if not report.credits:
        return none("No run.")
    points = [(point.at, point.value) for point in report.credits]
    limit = report.credit_limit
    most = max(point.value for point in report.credits)
    of = f" of {limit:,}" if limit is not None else "; `--credit-limit` draws the org's limit"
    note = f"<p class='note'>At the end of each run, of all streams of the ledger. The most: {most:,.0f}{text(of)}.</p>"
    return steps("Credits of 24 hours", {"credits": points}, scale, "", limit) + note


def _freshness(report: Report, scale: Scale) -> str:
    lines = {stream: [(point.at, point.value) for point in points] for stream, points in report.freshness.items()}
    lines = {stream: points for stream, points in lines.items() if points}
    if not lines:
        return none("It takes two runs that finished.")
    rows = []
    for stream, points in lines.items():
        values = sorted(value for _, value in points)
        rows.append([stream, *(figure(value, "s") for value in (values[len(values) // 2], values[-1], points[-1][1]))])
    listed = table(("Stream", "Median", "Most", "Last"), rows, numbers={1, 2, 3})
    note = (
        "<p class='note'>For each run that finished, how long before its end the run before it began: no change that"
        " was synced waited longer.</p>"
    )
    legend = _legend({stream: f"dot{index % 4}" for index, stream in enumerate(lines)})
    return f"{legend}{steps('Freshness', lines, scale, 's', None)}{listed}{note}"


def _jobs(jobs: Sequence[ReportedJob], scale: Scale) -> str:
    if not jobs:
        return none("No job.")
    bars = [
        Bar(
            job.module,
            job.intended_at,
            job.ended_at or scale.until,
            "o-synced" if job.ended_at else "o-unchanged",
            f"{job.orders:,} rows, {_took(job)}",
        )
        for job in jobs
    ]
    rows = (
        [time_of(job.intended_at), job.stream, job.module, job.step, f"{job.orders:,}", _took(job), f"{job.credits:,}"]
        for job in jobs[: -ROWS_MOST - 1 : -1]
    )
    listed = table(("Begun (UTC)", "Stream", "Module", "Step", "Rows", "Took", "Credits"), rows, numbers={4, 5, 6})
    return timeline("Bulk write jobs", bars, scale) + _details("Jobs", len(jobs), listed)


def _took(job: ReportedJob) -> str:
    return "under way" if job.seconds is None else figure(job.seconds, "s")


def _details(what: str, count: int, listed: str) -> str:
    some = f"the newest {ROWS_MOST} of {count:,}" if count > ROWS_MOST else f"{count:,}"
    return f"<details open><summary>{what}: {some}</summary>{listed}</details>"


def _legend(styles: Mapping[str, str]) -> str:
    entries = "".join(f"<span><i class='{style}'></i>{text(name)}</span> " for name, style in styles.items())
    return f"<p class='legend'>{entries}</p>"
