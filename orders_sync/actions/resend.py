"""The command `resend`: synced orders are written once more."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import click

from orders_sync.actions.order_commands import left_out_of
from orders_sync.checks.current_mapping import mapped_now, stream_of_named_tap
from orders_sync.config_sources.configs import ConfigFiles, Named
from orders_sync.config_sources.ledgers import (
    existing_ledger,
    json_option,
    keys_argument,
    ledger_and_config_options,
    run_named,
    stream_option,
    streams_of,
    the_stream,
)
from orders_sync.config_sources.plugin_options import TimeOption
from orders_sync.output import print_json, say
from sync_ledger.resending import SyncedOrders, count_synced
from sync_ledger.resending import resend as make_due
from sync_ledger.tables import AckStatus
from sync_processes.exit_codes import ExitCode
from target_zoho_crm.api.costs import JOB_ROWS
from target_zoho_crm.batch import Channel
from target_zoho_crm.writing.routing import Routing, plan


@click.command()
@keys_argument
@click.option("--run", "run", metavar="ID", help="All orders that this run wrote last; its id, or how that begins.")
@click.option(
    "--since",
    type=TimeOption(),
    help="All orders written since this time, such as 2026-01-31 or 2026-01-31T08:00:00+01:00; UTC without an offset.",
)
@click.option(
    "--older-than-mapping",
    is_flag=True,
    help="All orders written before a field was mapped, as `status` says.",
)
@click.option("--all", "everything", is_flag=True, help="All orders.")
@click.option("--dry-run", is_flag=True, help="Only say how many, and what it costs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@ledger_and_config_options
@stream_option
@json_option
def resend(
    keys: Sequence[str],
    run: str | None,
    since: datetime | None,
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    tap_config: Named,
    target_config: Named,
    *,
    older_than_mapping: bool,
    everything: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Let the next run write synced orders once more, though they have not changed: after a change of fields, say."""
    if sum((bool(keys), run is not None, since is not None, older_than_mapping, everything)) != 1:
        raise click.UsageError("name the orders: by KEYs, --run ID, --since TIME, --older-than-mapping or --all")
    with existing_ledger(ack_url, ack_schema) as ledger:
        files = ConfigFiles(tap_config, target_config)
        if stream is None and len(streams_of(ledger)) > 1:
            stream = stream_of_named_tap(files)
        name = the_stream(ledger, stream)
        now = mapped_now(files, name) if older_than_mapping else None
        if isinstance(now, str):
            say(
                f"{now}: a field counts once the pair has run with it (or give --tap-config, --target-config)", err=True
            )
        chosen = SyncedOrders(
            keys=keys or None,
            run_id=None if run is None else run_named(ledger, run, name).run_id,
            since=since,
            older_than_mapping=older_than_mapping,
            mapped_now=None if isinstance(now, str) else now,
        )
        left_out = left_out_of(ledger, name, keys, {AckStatus.SYNCED.value})
        count = count_synced(ledger, name, chosen)
        credits_ = plan(count, Routing(Channel.AUTO, JOB_ROWS)).credits
        price = f"{count:,} synced orders, for about {credits_:,} credits and what lines and links cost"
        if count and not dry_run and not yes:
            say(f"Stream {name}: {price}, are written again by the next run.", err=True)
            click.confirm("Resend them?", abort=True, err=True)
        due = 0 if dry_run else make_due(ledger, name, chosen)
    if as_json:
        print_json({"stream": name, "found": count, "due": due, "credits": credits_, "left_out": left_out})
    elif dry_run:
        say(f"Stream {name}: {price}, would be written again.")
    else:
        say(f"Stream {name}: {due:,} orders are due; the next run writes them again; `orders-sync plan` has its price.")
    for key, why in left_out.items():
        say(f"{key} is left as it is: {why}", err=True)
    if left_out:
        raise SystemExit(ExitCode.FAILED)
