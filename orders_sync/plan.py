"""`orders-sync plan`: shows what a run that began now would do, and changes nothing."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import click
from rich.console import Console

from orders_sync.configs import ConfigFiles, open_tap, open_target
from orders_sync.findings import EXPECTED, told
from orders_sync.ledgers import json_option, print_json, shown
from orders_sync.plugin_options import tap_config_option, target_config_option, within_option
from orders_sync.run_forecast import Forecast, forecast
from orders_sync.status_view import show_backlog
from sync_ledger.ledger import Ledger
from target_zoho_crm.settings import Settings


@click.command()
@tap_config_option
@target_config_option
@click.option("--offline", is_flag=True, help="Do not ask Zoho, which costs a few credits.")
@within_option("60s")
@json_option
def plan(
    tap_config: Path | None, target_config: Path | None, within: timedelta, *, offline: bool, as_json: bool
) -> None:
    """Show what a run would do: orders, jobs, calls and credits, and why. Changes nothing, neither here nor in Zoho."""
    files = ConfigFiles(tap_config, target_config)
    try:
        tap, settings = open_tap(files), Settings.read(open_target(files).config)
        # The target's ledger: one that is not the tap's is refused, as a run would be of no use.
        url = settings.ack_url or str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"])
        with closing(Ledger.open(url, settings.ack_schema)) as ledger:
            if not ledger.lacks_file():
                ledger.check_version()
            outlook = forecast(tap, settings, ledger, within, offline=offline)
            where = shown(ledger)
    except EXPECTED as error:
        raise click.ClickException(told(error)) from error
    if as_json:
        document = dataclasses.asdict(outlook)
        document["backlog"] |= {"next_run": outlook.backlog.next_run, "unsynced": outlook.backlog.unsynced}
        print_json({"ledger": where, **document})
    else:
        show(Console(), outlook)


def show(console: Console, outlook: Forecast) -> None:
    """Print it for a person."""

    def say(text: str) -> None:
        console.print(f"  {text}", highlight=False, markup=False, soft_wrap=True)

    known = outlook.in_ledger
    console.print(f"Stream [bold]{outlook.stream}[/] to module {outlook.module}", highlight=False)
    if known.live_run is not None:
        say(f"a run that began now would end at once: {known.live_run}")
    show_backlog(console, outlook.backlog)
    if known.given_back:
        say(f"{known.given_back:,} orders of jobs that never came into being are sent again")
    if known.adopted_jobs:
        say(f"{known.adopted_jobs:,} jobs of earlier runs, with {known.adopted_orders:,} orders, are adopted first")
    console.print(
        f"A run would send {outlook.orders - outlook.left:,} orders: {outlook.by_jobs:,} in {outlook.jobs:,} jobs, "
        f"{outlook.by_calls:,} in {outlook.calls:,} calls; {outlook.credits + outlook.reading_credits:,} credits",
        highlight=False,
    )
    for line in outlook.why:
        say(line)
    if outlook.reading_credits:
        say(f"about {outlook.reading_credits:,} credits for reading the module's fields, as this plan has spent too")
    if outlook.credit_budget is not None:
        say(f"`credit_budget` {outlook.credit_budget:,}: {outlook.left:,} orders would be left to later runs")
    say(f"credits of the last 24 hours: {known.credits_of_a_day:,}")
