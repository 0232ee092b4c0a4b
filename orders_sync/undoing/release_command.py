"""The command `release`: orders that were undone are written again by later runs."""

from __future__ import annotations

import click

from orders_sync.config_sources.ledgers import existing_ledger, json_option, ledger_options, run_named
from orders_sync.output import print_json, say
from orders_sync.reporting.results import runs_of_group
from sync_ledger.undoing import release as let_go


@click.command()
@click.argument("run", metavar="RUN")
@ledger_options
@json_option
def release(run: str, ack_url: str | None, ack_schema: str | None, *, as_json: bool) -> None:
    """Let the orders go that are held since a run (its id, or how that begins) or a push was undone."""
    with existing_ledger(ack_url, ack_schema) as ledger:
        runs = runs_of_group(ledger, run) or [run_named(ledger, run)]
        count = sum(let_go(ledger, each.run_id) for each in runs)
    if as_json:
        print_json({"runs": [each.run_id for each in runs], "released": count})
    else:
        say(f"{count:,} orders are due; the next run writes them as they are now.")
