"""The command `results`: what became of each order of one run, for people, sheets and programs."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain, islice
from typing import Any

import click
import msgspec
import sqlalchemy as sa

from orders_sync.config_sources.ledgers import existing_ledger, json_option, ledger_options, run_named, stream_option
from orders_sync.config_sources.plugin_options import TimeOption
from orders_sync.output import new_table, open_console, say
from orders_sync.output import row as add_row
from orders_sync.reporting.push_log import is_transaction, log_of
from sync_databases.displayed_text import displayed, displayed_json
from sync_ledger.history_reading import PastOutcome, outcomes_of_run
from sync_ledger.job_journal import list_jobs, open_of_stream
from sync_ledger.ledger import Ledger
from sync_ledger.run_facts import decoded_causes
from sync_ledger.runs import FOLLOWING
from sync_ledger.tables import RUN_COUNTS, AckStatus

DISPLAYED_MOST = 1_000
"""Rows of the table that a person reads; JSON and CSV have all."""


class Result(msgspec.Struct, frozen=True):
    """What became of one order in a run; `at` is naive UTC, None for one that has no outcome yet."""

    key: str
    outcome: str
    action: str | None = None
    code: str | None = None
    field: str | None = None
    message: str | None = None
    record_id: str | None = None
    version: str | None = None
    channel: str | None = None
    job: str | None = None
    at: datetime | None = None


@click.command()
@click.argument("run", metavar="[ID]", required=False)
@click.option("--since", type=TimeOption(), help="In place of ID: all runs since this time, such as 2026-01-31 (UTC).")
@click.option("--until", type=TimeOption(), help="With --since: no order that was settled at this time or later (UTC).")
@ledger_options
@stream_option
@json_option
@click.option("--csv", "as_csv", is_flag=True, help="Comma-separated values, for a sheet.")
def results(
    run: str | None,
    since: datetime | None,
    until: datetime | None,
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    *,
    as_json: bool,
    as_csv: bool,
) -> None:
    """Display what became of each order in one run (its id, or how that begins), a push, a group of runs, or a time.

    In the order in which they were settled, which is not that of a pushed file: `push --csv` has that.
    """
    if as_json and as_csv:
        raise click.UsageError("--json or --csv, not both")
    if (run is None) == (since is None) or (until is not None and since is None):
        raise click.UsageError("name a run by its ID, or a time by --since, and --until if it has an end")
    with existing_ledger(ack_url, ack_schema) as ledger:
        if since is not None:
            period = Period(since, until)
            runs = _runs_of_period(ledger, period, stream)
            head = {"since": since, "until": until, "runs": [run_document(each) for each in runs]}
            found = (each for each in _of_all(ledger, runs) if each.at is not None and period.has(each.at))
            print_results(head, found, as_json=as_json, as_csv=as_csv)
            return
        run = str(run)
        runs = runs_of_group(ledger, run)
        if not runs and is_transaction(run) and (log := log_of(run)).exists():
            raise click.ClickException(f"{run}: no run has begun yet, or none could; its log says which: {log}")
        runs = runs or [run_named(ledger, run)]
        head = {"runs": [run_document(each) for each in runs]}
        print_results(head, _of_all(ledger, runs), as_json=as_json, as_csv=as_csv)


@dataclass(frozen=True, slots=True)
class Period:
    """From a time on, before another one; both naive UTC."""

    since: datetime
    until: datetime | None

    def has(self, time: datetime) -> bool:
        """Whether it is within."""
        return self.since <= time and (self.until is None or time < self.until)


def _runs_of_period(ledger: Ledger, period: Period, stream: str | None) -> Sequence[sa.Row[Any]]:
    """The runs that may have settled an order then, the earliest first."""
    run = ledger.tables.run
    lasted = sa.or_(run.c.finished_at.is_(None), run.c.finished_at >= period.since)
    query = sa.select(run).where(lasted).order_by(run.c.started_at)
    if period.until is not None:
        query = query.where(run.c.started_at < period.until)
    if stream is not None:
        query = query.where(run.c.stream == stream)
    with ledger.connect() as connection:
        return connection.execute(query).all()


def _of_all(ledger: Ledger, runs: Sequence[sa.Row[Any]]) -> Iterator[Result]:
    for run in runs:
        yield from results_of(ledger, run)


def runs_of_group(ledger: Ledger, name: str) -> Sequence[sa.Row[Any]]:
    """The runs of one group, the earliest first."""
    run = ledger.tables.run
    query = sa.select(run).where(run.c.run_group == name).order_by(run.c.started_at)

    def look_up() -> Sequence[sa.Row[Any]]:
        with ledger.connect() as connection:
            return connection.execute(query).all()

    return ledger.with_retries(look_up)


def results_of(ledger: Ledger, run: sa.Row[Any]) -> Iterator[Result]:
    """What became of a run's orders, as it came; then those in its open jobs. Memory grows with one job at most."""
    with ledger.connect() as connection:
        yield from map(_result, outcomes_of_run(connection, ledger.tables, run.run_id))
        for job in list_jobs(connection, open_of_stream(ledger.tables.job), run.stream):
            if job.run_id == run.run_id and job.parent_job_id is None:
                for key, version in job.manifest.texts().items():
                    yield Result(key, AckStatus.SUBMITTED.value, version=version, job=job.job_id)


def _result(each: PastOutcome) -> Result:
    return Result(
        key=each.key,
        outcome=each.status,
        action=each.action,
        code=each.code,
        field=each.field,
        message=each.message,
        record_id=each.zoho_id,
        version=each.version,
        channel=each.channel,
        job=each.job_id,
        at=each.happened_at,
    )


def run_document(run: sa.Row[Any]) -> dict[str, Any]:
    """What the ledger knows of a run; `how_ended` is None while it lives."""
    return {
        "run": run.run_id,
        "stream": run.stream,
        "run_group": run.run_group,
        "settings": run.settings_mark,
        "started_at": run.started_at,
        "finished_at": run.finished_at,
        "how_ended": None if run.how_ended == FOLLOWING else run.how_ended,
        "error": run.error,
        "counts": {name: getattr(run, f"{name}_count") for name in RUN_COUNTS},
        "credits": run.credits,
        "causes": decoded_causes(run.causes),
    }


def print_results(of: dict[str, Any], found: Iterable[Result], *, as_json: bool, as_csv: bool) -> None:
    """Print results as they come: memory does not grow with them, but for a table's first ones."""
    if as_json:
        _print_json(of, found)
    elif as_csv:
        writer = csv.writer(sys.stdout)
        writer.writerow(Result.__struct_fields__)
        for each in found:
            writer.writerow(
                [displayed(str(cell)) if cell is not None else "" for cell in msgspec.structs.astuple(each)]
            )
    else:
        _print_table(of, iter(found))


def _print_json(of: dict[str, Any], found: Iterable[Result]) -> None:
    head = displayed_json(msgspec.json.encode(of).decode())
    sys.stdout.write(f'{head[:-1]},\n"results":[')
    separator = "\n"
    for each in found:
        sys.stdout.write(separator + displayed_json(msgspec.json.encode(each).decode()))
        separator = ",\n"
    sys.stdout.write("\n]}\n")


def counted(found: Iterable[Result]) -> str:
    """How many records had which outcome, in words."""
    counts = Counter(each.outcome for each in found)
    return f"{sum(counts.values()):,} records = {' + '.join(f'{count:,} {name}' for name, count in counts.items())}"


def _print_table(of: dict[str, Any], found: Iterator[Result]) -> None:
    shown = of.get("runs", ())
    if "since" in of:
        say(f"{len(shown):,} runs, {sum(run['credits'] or 0 for run in shown):,} credits; those that were not well:")
        shown = [run for run in shown if run["error"] or run["how_ended"] in {"failed", "died"}]
    for run in shown:
        credits_ = "unknown" if run["credits"] is None else f"{run['credits']:,}"
        say(f"Run {run['run']} of stream {run['stream']}: {run['how_ended'] or 'live'}, credits: {credits_}")
        if run["error"]:
            say(f"  {run['error']}")
        left = run["counts"]["unsynced"]
        if left and run["how_ended"] is not None:  # else they are under way
            say(f"  {left:,} orders were left unsynced, and are not listed here; `orders-sync plan` counts what is")
    names = ("key", "outcome", "code", "field", "message", "record_id")
    table = new_table(*(name.replace("_", " ").capitalize() for name in names))
    first = next(found, None)
    if first is None:
        say("The history has no order of it.")
        return
    for each in chain([first], islice(found, DISPLAYED_MOST - 1)):
        add_row(table, *(str(getattr(each, name) or "") for name in names))
    open_console().print(table)
    more = sum(1 for _ in found)
    if more:
        say(f"... and {more:,} more; --csv and --json have all of them.")
