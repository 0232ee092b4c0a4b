"""The command `undo`: what a run, or a push, wrote to the CRM is taken back."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

import click
import sqlalchemy as sa

from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import ConfigFiles, Named, open_target
from orders_sync.config_sources.ledgers import existing_ledger, json_option, ledger_and_target_options, run_named
from orders_sync.output import print_json, say
from orders_sync.reporting.results import runs_of_group
from orders_sync.undoing.crm_orders import CrmOrders
from orders_sync.undoing.order_results import OrderResult, expected_of, one_each
from orders_sync.undoing.undo import RunToUndo, Undo, later_to_undo, run_to_undo
from sync_ledger.ledger import Ledger
from sync_ledger.runs import seems_dead
from sync_ledger.undoing import UndoOutcome, undone_of
from sync_processes.exit_codes import ExitCode
from target_zoho_crm.api.client import ConnectionSettings, ZohoClient
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.settings import Settings
from target_zoho_crm.writing.values_before import Sealing

NAMED_MOST = 5
"""Orders that are named for each reason why some were not taken back."""
SHORT_ID = 8


@click.command()
@click.argument("run", metavar="RUN")
@click.option("--with-later", is_flag=True, help="Undo before what later runs wrote of the same orders, newest first.")
@click.option("--dry-run", is_flag=True, help="Only say how many orders, and what it costs.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@ledger_and_target_options
@json_option
def undo(
    run: str,
    ack_url: str | None,
    ack_schema: str | None,
    target_config: Named,
    *,
    with_later: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """Take back what a run wrote to the CRM (its id, or how that begins), or a push. Its orders are held afterwards.

    What people or later runs have written since stays as it is.
    """
    with existing_ledger(ack_url, ack_schema) as ledger:
        asked = _asked(ledger, _runs(ledger, run), with_later=with_later)
        try:
            settings = Settings.read(open_target(ConfigFiles(None, target_config)).config)
        except EXPECTED as error:
            raise click.ClickException(error_message(error)) from error
        try:
            with _crm(settings, ledger) as (client, credits_):
                undos = [(each, _undo_of(ledger, settings, client, credits_, each.stream)) for each in asked]
                price = sum(_price(each, by) for each, by in undos) + credits_.total
                left = any(each.left for each in asked)
                text = _described(asked, price)
                if dry_run:
                    _print_price(asked, price, text, as_json=as_json)
                    return
                if left and not yes:
                    say(text, err=True)
                    click.confirm("Undo them?", abort=True, err=True)
                for each, by in undos:
                    by.run(each)
        except EXPECTED as error:
            raise click.ClickException(f"{error_message(error)}; undo once more to go on") from error
        _print(ledger, asked, credits_.total, as_json=as_json)


def _runs(ledger: Ledger, named: str) -> Sequence[sa.Row[Any]]:
    """The runs that are meant, the newest first.

    Raises:
        click.ClickException: there is none, or one of them is live.
    """
    found = list(runs_of_group(ledger, named))[::-1] or [run_named(ledger, named)]
    with ledger.connect() as connection:
        now = ledger.now(connection)
    for each in found:
        if each.finished_at is None and not seems_dead(each, now):
            raise click.ClickException(f"run {each.run_id[:SHORT_ID]} is live; stop it, or wait until it ends")
    return found


def _asked(ledger: Ledger, runs: Sequence[sa.Row[Any]], *, with_later: bool) -> list[RunToUndo]:
    """What is to be undone, in this order."""
    found: list[RunToUndo] = []
    listed = defaultdict[str, set[str]](set)
    for run in runs:
        asked = run_to_undo(ledger, run.run_id, run.stream)
        for each in (*(later_to_undo(ledger, asked) if with_later else ()), asked):
            new = {key: order for key, order in each.orders.items() if key not in listed[each.run_id]}
            if new or each is asked:
                found.append(replace(each, orders=new))
            listed[each.run_id].update(new)
    return found


@contextmanager
def _crm(settings: Settings, ledger: Ledger) -> Iterator[tuple[ZohoClient, CreditMeter]]:
    credits_ = CreditMeter(keep=settings.credit_reserve)
    connection = ConnectionSettings(
        endpoints=settings.endpoints, credentials=settings.credentials, ledger=lambda: ledger
    )
    with ExitStack() as closing:
        client = ZohoClient(connection, credits=credits_)
        closing.callback(client.close)
        yield client, credits_


def _undo_of(ledger: Ledger, settings: Settings, client: ZohoClient, credits_: CreditMeter, stream: str) -> Undo:
    return Undo(
        ledger,
        stream,
        CrmOrders(client, settings.stream(stream)),
        credits_,
        Sealing(settings.credentials, ledger.ledger_id),
        settings.max_connections,
        lambda text: say(f"{stream}: {text}", err=True),
    )


def _price(asked: RunToUndo, by: Undo) -> int:
    made = sum(each.inserted and each.obstacle is None for each in asked.left)
    changed = len(asked.with_values)
    return (by.crm.credits_of_deleting(made) if made else 0) + by.crm.credits_of_setting_back(changed)


def _described(asked: Sequence[RunToUndo], price: int) -> str:
    ends = expected_of(asked)
    done, made, changed, others = ends.pop("reversed", 0), ends["deleted"], ends["set back"], ends["stay"]
    before = f" ({done:,} more are undone already)" if done else ""
    without = f", {others:,} others stay, since their values from before are not kept" if others else ""
    return (
        f"{ends.total():,} orders{before}: {made:,} that were inserted are deleted, {changed:,} that were changed are "
        f"set back{without}; about {price:,} credits"
    )


def _print_price(asked: Sequence[RunToUndo], price: int, text: str, *, as_json: bool) -> None:
    if not as_json:
        say(text)
        return
    ends = expected_of(asked)
    left, made = ends.total() - ends["reversed"], ends["deleted"]
    runs = [each.run_id for each in asked]
    print_json({"runs": runs, "orders": left, "inserted": made, "changed": left - made, "credits": price})


def _print(ledger: Ledger, asked: Sequence[RunToUndo], spent: int, *, as_json: bool) -> None:
    """Say what became of all orders; ends with 1 where some were not taken back."""
    with ledger.connect() as connection:
        found = [(each, undone_of(connection, ledger.tables, each.run_id, each.orders)) for each in asked]
    every = one_each(found)
    counts = Counter(each.undone.outcome.value for each in every)
    if as_json:
        print_json(
            {
                "runs": [each.run_id for each in asked],
                "counts": {each.value: counts[each.value] for each in UndoOutcome if each is not UndoOutcome.BEGUN},
                "orders": [each.document for each in every],
                "credits": spent,
            }
        )
    else:
        names = (UndoOutcome.REVERSED, UndoOutcome.KEPT, UndoOutcome.IMPOSSIBLE)
        parts = " + ".join(f"{counts[each.value]:,} {each.value}" for each in names)
        say(f"{len(every):,} orders = {parts}; {spent:,} credits")
        _print_reasons(every, asked[-1].run_id)
        holding = [each.run_id for each, by_key in found if any(undone.held for undone in by_key.values())]
        if holding:
            releasing = ", ".join(f"`orders-sync release {run_id[:SHORT_ID]}`" for run_id in holding)
            say(f"What was taken back, or in part, is held until {releasing}.")
    if counts[UndoOutcome.REVERSED.value] < len(every):
        raise SystemExit(ExitCode.FAILED)


def _print_reasons(every: Sequence[OrderResult], asked_run: str) -> None:
    """Name some orders for each reason, the most frequent one first."""
    by_reason: dict[str, list[str]] = {}
    for each in every:
        undone = each.undone
        if undone.outcome is not UndoOutcome.REVERSED:
            who = f" ({undone.person or undone.later_run})" if undone.person or undone.later_run else ""
            whose = f"; what run {each.run_id[:SHORT_ID]} wrote" if each.run_id != asked_run else ""
            by_reason.setdefault(f"{undone.outcome.value}: {undone.why}{who}{whose}", []).append(undone.key)
    for reason, keys in sorted(by_reason.items(), key=lambda item: -len(item[1])):
        more = f", ... ({len(keys):,} in all)" if len(keys) > NAMED_MOST else ""
        say(f"  {reason}: {', '.join(sorted(keys)[:NAMED_MOST])}{more}")
