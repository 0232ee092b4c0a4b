"""The commands that read the ledger and change nothing: `status` and `problems`."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import click

from orders_sync.config_sources.configs import ConfigFiles, Named
from orders_sync.config_sources.ledgers import (
    existing_ledger,
    json_option,
    ledger_and_config_options,
    ledger_and_target_options,
    ledger_url,
    stream_option,
    streams_of,
    the_stream,
)
from orders_sync.config_sources.plugin_options import FILE, Age, within_option
from orders_sync.output import line, open_console, print_json, say
from orders_sync.reporting.health import complaints
from orders_sync.reporting.problem_files import export_problems, import_decisions
from orders_sync.reporting.problem_texts import advice_lines, problem_document, states
from orders_sync.reporting.prometheus_file import write_metrics
from orders_sync.reporting.status import read_status, with_backlog
from orders_sync.reporting.status_view import display_status
from orders_sync.reporting.unsynced_count import count_unsynced
from sync_ledger.made_again import MadeAgain, made_again
from sync_ledger.problems import Problem, problems_of
from sync_processes.exit_codes import ExitCode


@click.command()
@ledger_and_config_options
@stream_option
@click.option(
    "--runs", "last_runs", type=click.IntRange(0), default=5, show_default=True, help="How many runs to display."
)
@click.option("--max-age", type=Age(), help="End 1 when no run has finished for so long, or an order waits longer.")
@click.option("--max-rejected", type=click.IntRange(0), help="End 1 when more orders than this are refused.")
@click.option("--ledger-only", is_flag=True, help="Do not ask the orders' table: what no run has read is not counted.")
@click.option("--prometheus", "metrics", type=FILE, help="Write the figures into this file, as Prometheus reads them.")
@within_option("30s")
@json_option
def status(
    ack_url: str | None,
    ack_schema: str | None,
    tap_config: Named,
    target_config: Named,
    stream: str | None,
    last_runs: int,
    max_age: timedelta | None,
    max_rejected: int | None,
    within: timedelta,
    metrics: Path | None,
    *,
    ledger_only: bool,
    as_json: bool,
) -> None:
    """Display what became of the orders, by the ledger and the orders' table; with limits, whether all is well."""
    with existing_ledger(ack_url, ack_schema) as ledger:
        where = ledger_url(ledger)
        files = ConfigFiles(tap_config, target_config)
        counted = {} if ledger_only else count_unsynced(files, ledger, within, stream=stream)
        names = sorted({*streams_of(ledger), *filter(None, counted)})
        if stream is not None:
            names = [stream] if stream in names else [the_stream(ledger, stream)]
        streams = with_backlog(read_status(ledger, names, last_runs=last_runs), counted)
    wrong = [text for each in streams for text in complaints(each, max_age=max_age, max_rejected=max_rejected).values()]
    if max_age is not None and not streams:
        wrong.append("no run has written to the ledger yet")
    if metrics is not None:
        write_metrics(metrics, streams, healthy=not wrong)
    if as_json:
        documents = [each.document() for each in streams]
        print_json({"ledger": where, "healthy": not wrong, "complaints": wrong, "streams": documents})
    else:
        out = open_console()
        line(out, f"Ledger: {where}")
        display_status(out, streams)
        for complaint in wrong:
            say(complaint, colour="red")
    if wrong:
        raise SystemExit(ExitCode.FAILED)


@click.command()
@ledger_and_target_options
@stream_option
@click.option(
    "--samples", type=click.IntRange(0), default=5, show_default=True, help="Keys to display of each problem."
)
@click.option("--export", "export", type=FILE, help="Write all refused orders into this CSV file, to be decided about.")
@click.option("--import", "decided", type=FILE, help="Do what the column `decision` of this CSV file says.")
@json_option
def problems(
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    samples: int,
    export: Path | None,
    decided: Path | None,
    target_config: Named,
    *,
    as_json: bool,
) -> None:
    """Display why orders are not in the CRM, by code and field: the commonest messages, some keys, and a remedy.

    Then which orders were made again, since a person had deleted their record or taken its key.
    """
    with existing_ledger(ack_url, ack_schema) as ledger:
        name = the_stream(ledger, stream)
        if export is not None:
            say(f"{export_problems(ledger, name, export):,} lines are in {export}", err=True)
            return
        if decided is not None:
            import_decisions(ledger, name, decided, target_config, as_json=as_json)
            return
        with ledger.connect() as connection:
            found = problems_of(connection, ledger.tables, name, samples=samples)
            remade = made_again(connection, ledger.tables.ack, name)
    if as_json:
        again = [each._asdict() for each in remade]
        print_json({"stream": name, "problems": [problem_document(each) for each in found], "made_again": again})
    else:
        _display_problems(name, found, remade)


def _display_problems(name: str, found: Sequence[Problem], remade: Sequence[MadeAgain]) -> None:
    for each in found:
        field = f" in field {each.field}" if each.field else ""
        say(f"{each.orders:,} orders: {each.code or 'no code'}{field} ({states(each)})")
        for message in each.messages:
            say(f"  {message.orders:,} of them: {message.message}")
        for advised in advice_lines(each):
            say(f"  {advised}")
        if each.sample_keys:
            left = each.orders - len(each.sample_keys)
            more = f", and {left:,} more: `--samples {each.orders}`, or `--export FILE`" if left else ""
            say(f"  {', '.join(each.sample_keys)}{more}")
    if not found:
        say(f"Stream {name}: no order is refused or parked.")
    if remade:
        say(f"{len(remade):,} orders: made again, since their record was deleted in the CRM or had lost their key")
        say("  Their earlier records, where they are still there, are nobody's now; `dismiss KEY` once it is seen to.")
        for order in remade:
            say(f"  {order.key!r}: record {order.earlier_id} before, {order.zoho_id or 'none'} now")
