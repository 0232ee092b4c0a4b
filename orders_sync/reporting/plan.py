"""`orders-sync plan`: displays what a run that began now would do, and changes nothing."""

from __future__ import annotations

import dataclasses
from contextlib import closing
from datetime import timedelta
from typing import Any

import click
from rich.console import Console

from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import ConfigFiles, Named, open_tap, open_target
from orders_sync.config_sources.ledgers import json_option, ledger_url
from orders_sync.config_sources.plugin_options import tap_config_option, target_config_option, within_option
from orders_sync.output import heading, open_console, print_json, say
from orders_sync.output import line as print_line
from orders_sync.reporting.plan_diff import display_differences, find_differences
from orders_sync.reporting.plan_saving import ledger_of, save_current_plan
from orders_sync.reporting.run_forecast import Forecast, forecast_run
from orders_sync.reporting.status_view import display_backlog
from sync_ledger.absent_ledger import ledger_or_stand_in
from sync_ledger.saved_plans import PLAN_DAYS, SavedPlan
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.settings import Settings


@click.command()
@tap_config_option
@target_config_option
@click.option("--offline", is_flag=True, help="Do not ask Zoho, which costs a few credits.")
@click.option("--diff", is_flag=True, help="Compare these orders with the CRM, field by field; says its price first.")
@click.option("--sample", type=click.IntRange(min=1), help="With --diff: compare so many orders by chance.")
@click.option("--budget", type=click.IntRange(min=1), help="With --diff: spend no more credits than this.")
@click.option("--save", is_flag=True, help="Keep which orders these are, for `orders-sync apply`; prints an id.")
@within_option("60s")
@json_option
def plan(
    tap_config: Named,
    target_config: Named,
    sample: int | None,
    budget: int | None,
    within: timedelta,
    *,
    offline: bool,
    diff: bool,
    save: bool,
    as_json: bool,
) -> None:
    """Show what a run would do: orders, jobs, calls and credits, and why. Changes nothing, neither here nor in Zoho.

    With --save the ledger keeps the plan.
    """
    if not diff and (sample is not None or budget is not None):
        raise click.UsageError("--sample and --budget belong to --diff")
    if diff and offline:
        raise click.UsageError("--diff asks Zoho, and --offline does not")
    files = ConfigFiles(tap_config, target_config)
    try:
        tap, settings = open_tap(files), Settings.read(open_target(files).config)
        saved = _saved(files, tap, settings) if save else None
        head: dict[str, Any] = {} if saved is None else {"plan": saved.plan_id, "planned": len(saved.orders)}
        with closing(ledger_or_stand_in(ledger_of(tap, settings))) as ledger:
            if diff:
                keys = None if saved is None else [list(saved.orders)]
                found = find_differences(tap, settings, ledger, sample=sample, budget=budget, unsynced=keys)
                if as_json:
                    print_json({"ledger": ledger_url(ledger), **head, **found.document()})
                else:
                    display_differences(open_console(), found)
                    _say_saved(saved)
                return
            forecast = forecast_run(tap, settings, ledger, within, offline=offline)
            where = ledger_url(ledger)
    except EXPECTED as error:
        raise click.ClickException(error_message(error)) from error
    if as_json:
        document = dataclasses.asdict(forecast)
        document["backlog"] |= {"next_run": forecast.backlog.next_run, "unsynced": forecast.backlog.unsynced}
        print_json({"ledger": where, **head, **document})
    else:
        display(open_console(), forecast)
        _say_saved(saved)


def _saved(files: ConfigFiles, tap: TapLegacyOrders, settings: Settings) -> SavedPlan:
    with closing(ledger_of(tap, settings)) as ledger:
        return save_current_plan(files, ledger)


def _say_saved(saved: SavedPlan | None) -> None:
    if saved is not None:
        what = f"{len(saved.orders):,} orders; for {PLAN_DAYS} days `orders-sync apply {saved.plan_id}` sends them"
        say(f"Saved as {saved.plan_id}: {what}")


def display(console: Console, forecast: Forecast) -> None:
    """Print it for a person."""

    def line(text: str) -> None:
        print_line(console, f"  {text}")

    known = forecast.in_ledger
    heading(console, "Stream ", forecast.stream, f" to module {forecast.module}")
    if known.live_run is not None:
        line(f"a run that began now would end at once: {known.live_run}")
    for text in forecast.refused:
        line(f"a run that began now would be refused: {text}")
    display_backlog(console, forecast.backlog)
    if known.given_back:
        line(f"{known.given_back:,} orders of jobs that never came into being are sent again")
    if known.adopted_jobs:
        line(f"{known.adopted_jobs:,} jobs of earlier runs, with {known.adopted_orders:,} orders, are adopted first")
    console.print(
        f"A run would send {forecast.orders - forecast.left:,} orders: {forecast.by_jobs:,} in {forecast.jobs:,} jobs, "
        f"{forecast.by_calls:,} in {forecast.calls:,} calls; {forecast.credits + forecast.reading_credits:,} credits",
        highlight=False,
    )
    for reason in forecast.why:
        line(reason)
    if forecast.reading_credits:
        line(f"about {forecast.reading_credits:,} credits for reading the module's fields, as this plan has spent too")
    if forecast.credit_budget is not None:
        line(f"`credit_budget` {forecast.credit_budget:,}: {forecast.left:,} orders would be left to later runs")
    line(f"credits of the last 24 hours: {known.credits_of_a_day:,}")
