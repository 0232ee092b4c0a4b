"""The command `report`: what happened in some days, as one HTML page or JSON."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path

import click

from orders_sync.config_sources.ledgers import (
    existing_ledger,
    json_option,
    ledger_options,
    stream_option,
    streams_of,
    the_stream,
)
from orders_sync.config_sources.plugin_options import FILE
from orders_sync.output import for_owner, print_json, say
from orders_sync.reporting.report_facts import read_report
from orders_sync.reporting.report_page import page

HOUR_DAYS = timedelta(hours=1) / timedelta(days=1)


@click.command()
@click.option(
    "--days", type=click.FloatRange(HOUR_DAYS, 366), default=7, show_default=True, help="How many days it is about."
)
@click.option(
    "--until",
    type=click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"]),
    help="When the days end (UTC); else with the last sign of life in the ledger.",
)
@click.option("--out", type=FILE, default=Path("orders-report.html"), show_default=True, help="The page.")
@click.option("--credit-limit", type=click.IntRange(1), help="What the org may spend in 24 hours, drawn as a line.")
@ledger_options
@stream_option
@json_option
def report(
    days: float,
    until: datetime | None,
    out: Path,
    credit_limit: int | None,
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    *,
    as_json: bool,
) -> None:
    """Draw the last days: runs, outcomes, refusals, credits, freshness, jobs, and what waits for whom.

    The page is one file that needs no network. It holds keys of orders and Zoho's messages, and no contents.
    """
    if until is not None and until.tzinfo is not None:
        until = until.astimezone(timezone.utc).replace(tzinfo=None)
    with existing_ledger(ack_url, ack_schema) as ledger:
        streams = streams_of(ledger) if stream is None else [the_stream(ledger, stream)]
        found = read_report(ledger, streams, days, until=until, credit_limit=credit_limit)
    if as_json:
        print_json(found.document())
        return
    try:
        _write(out, page(found))
    except OSError as error:
        raise click.ClickException(f"{out} cannot be written: {error.strerror}; name another file by --out") from error
    say(f"{out}: {len(found.runs):,} runs from {found.since:%Y-%m-%d %H:%M} to {found.until:%Y-%m-%d %H:%M} UTC")


def _write(path: Path, text: str) -> None:
    """Write the page, which names orders: a new file is readable by its owner only."""
    with open(path, "w", encoding="utf-8", opener=for_owner) as file:
        file.write(text)
