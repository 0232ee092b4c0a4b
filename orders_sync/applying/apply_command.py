"""The command `apply`: sends what a saved plan has, and says what it left out."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing

import click

from orders_sync.applying.applying import LEFT_OUT, Applied, Became, apply_plan
from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import (
    ConfigFiles,
    Named,
    given_to_tap,
    make_planned_tap,
    open_tap,
    open_target,
)
from orders_sync.config_sources.ledgers import json_option
from orders_sync.config_sources.plugin_options import tap_config_option, target_config_option
from orders_sync.output import print_json, say
from orders_sync.reporting.plan_saving import ledger_of
from sync_ledger.saved_plans import PLAN_DAYS, read_plan
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError
from target_zoho_crm.command import exit_code_of
from target_zoho_crm.settings import Settings

NAMED_MOST = 5
"""Orders that are named for each reason why some were left out."""


@click.command("apply")
@click.argument("plan_id", metavar="PLAN")
@tap_config_option
@target_config_option
@json_option
def apply(plan_id: str, tap_config: Named, target_config: Named, *, as_json: bool) -> None:
    """Send the orders of a plan (`plan --save` printed its id) that are still as they were planned, and no others."""
    files = ConfigFiles(tap_config, target_config)
    try:
        target, stream = open_target(files), open_tap(files).stream_name
        with closing(ledger_of(open_tap(files), Settings.read(target.config))) as ledger:
            ledger.check_version()
            plan = read_plan(ledger, plan_id) if ledger.version() is not None else None
            if plan is None:
                raise click.ClickException(f"there is no plan {plan_id}; one is kept for {PLAN_DAYS} days")
            if plan.stream != stream:
                raise click.ClickException(f"{plan_id} is of stream {plan.stream}, and the tap's is {stream}")
            applied = apply_plan(plan, ledger, make_planned_tap(given_to_tap(files), plan.orders), target.config)
    except EXPECTED as error:
        say(f"Error: {error_message(error)}", err=True)
        code = error.exit_code if isinstance(error, (TapConfigError, TapSyncError)) else exit_code_of(error)
        raise SystemExit(code) from None
    for problem in applied.problems:
        say(problem, err=True, colour="red")
    if as_json:
        print_json(_document(applied))
    else:
        _print(applied)
    raise SystemExit(applied.exit_code)


def _document(applied: Applied) -> dict[str, object]:
    plan = applied.plan
    return {
        "plan": plan.plan_id,
        "stream": plan.stream,
        "planned": len(plan.orders),
        "counts": {_name(each): len(applied.keys[each]) for each in Became},
        "left_out": {_name(each): applied.keys[each] for each in LEFT_OUT if applied.keys[each]},
        "problems": applied.problems,
        "run": applied.run,
    }


def _name(became: Became) -> str:
    return became.name.lower()


def _print(applied: Applied) -> None:
    keys, plan = applied.keys, applied.plan
    parts = [f"{len(keys[each]):,} {each.value}" for each in Became if each not in LEFT_OUT and keys[each]]
    parts += [f"{applied.left_out:,} left out"] if applied.left_out else []
    say(f"{plan.plan_id}: {len(plan.orders):,} orders = {' + '.join(parts) or '0'}")
    if applied.left_out:
        reasons = [f"{len(keys[each]):,} {each.value} ({_some(keys[each])})" for each in LEFT_OUT if keys[each]]
        say(f"left out: {'; '.join(reasons)}")


def _some(keys: Sequence[str]) -> str:
    return ", ".join(keys[:NAMED_MOST]) + (", ..." if len(keys) > NAMED_MOST else "")
