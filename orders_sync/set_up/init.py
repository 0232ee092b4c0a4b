"""`orders-sync init`: displays which ledger tables and fields of the module are missing, and makes them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass

import click

from orders_sync.checks.crm_checks import open_client
from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import ConfigFiles, Named, open_tap, open_target
from orders_sync.config_sources.plugin_options import tap_config_option, target_config_option
from orders_sync.output import say
from orders_sync.reporting.plan_saving import ledger_of
from orders_sync.set_up.field_plan import differently_named
from orders_sync.set_up.init_plans import ModulePlan, plans_for
from orders_sync.set_up.new_fields import DECIMALS_MOST, NewField
from orders_sync.set_up.notify_trigger import Trigger, trigger_of
from orders_sync.set_up.probe_fields import make_probe_fields
from sync_ledger.ledger import Ledger
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import ZohoError
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.settings import Settings


@click.command()
@tap_config_option
@target_config_option
@click.option("--all-columns", is_flag=True, help="Make fields also for columns that go nowhere yet.")
@click.option("--notify", is_flag=True, help="Also the trigger by which PostgreSQL notifies `follow` of changes.")
@click.option("--probe", metavar="MODULE", help="Only the fields that `orders-sync probe MODULE` needs.")
@click.option("--dry-run", is_flag=True, help="Show what would be made, and make nothing.")
@click.option("--yes", is_flag=True, help="Make it without asking.")
def init(
    tap_config: Named,
    target_config: Named,
    *,
    all_columns: bool,
    notify: bool,
    probe: str | None,
    dry_run: bool,
    yes: bool,
) -> None:
    """Make what a first run needs: the ledger's tables, and fields of the module and of that of the lines.

    What is there already stays as it is, so it can be run again.
    """
    files = ConfigFiles(tap_config, target_config)
    try:
        if probe is not None:
            with open_client(Settings.read(open_target(files).config), CreditMeter()) as client:
                make_probe_fields(client, probe, dry_run=dry_run, yes=yes)
            return
        tap, target = open_tap(files), open_target(files)
        settings = Settings.read(target.config)
        with closing(ledger_of(tap, settings)) as ledger, open_client(settings, CreditMeter()) as client:
            stream = settings.stream(tap.stream_name)
            plans, hints = plans_for(tap, settings, stream, lambda name: ModuleFields.fetch(client, name))
            fields = [
                (each.module, field)
                for each in plans
                for field in (*each.plan.needed, *(each.plan.offered if all_columns else ()))
            ]
            work = _Work(ledger, ledger.upgrade(), ledger.missing_tables(), client, fields)
            _display(work, plans, all_columns=all_columns)
            for hint in hints:
                say(hint)
            if notify:
                work.trigger = trigger_of(tap)
            if dry_run or not work.anything:
                return
            if not yes:
                click.confirm("Make these?", abort=True)
            _make(work)
    except EXPECTED as error:
        raise click.ClickException(error_message(error)) from error


@dataclass
class _Work:
    """What is to be made, and where."""

    ledger: Ledger
    upgrade: tuple[int, int] | None
    """From which version to which one the ledger is brought."""
    tables: Sequence[str]
    client: ZohoClient
    fields: Sequence[tuple[str, NewField]]
    """Each with its module."""
    trigger: Trigger | None = None

    @property
    def anything(self) -> bool:
        return bool(self.upgrade or self.tables or self.fields or self.trigger)


def _display(work: _Work, plans: Sequence[ModulePlan], *, all_columns: bool) -> None:
    where = work.ledger.engine.url.render_as_string(hide_password=True)
    if work.upgrade:
        before, after = work.upgrade
        say(
            f"Ledger at {where}: it is of version {before}, and is to become version {after}, which earlier programs "
            "refuse; a copy of its tables is the only way back (docs/upgrading.md#upgrading)."
        )
    elif work.tables:
        say(f"Ledger at {where}: the tables {', '.join(work.tables)} are to be made.")
    else:
        say(f"Ledger at {where}: its tables are there.")
    for each in plans:
        _display_plan(each, all_columns=all_columns)


def _display_plan(of: ModulePlan, *, all_columns: bool) -> None:
    plan = of.plan
    to_make = [*plan.needed, *(plan.offered if all_columns else ())]
    if to_make:
        say(f"Module {of.module}: these fields are to be made (1 API credit each):")
        for field in to_make:
            say(f"  {field}")
    else:
        say(f"Module {of.module}: the key field and all mapped fields are there.")
    if plan.offered and not all_columns:
        say(f"Columns of the {of.of} without a field; --all-columns makes these too:")
        for field in plan.offered:
            say(f"  {field}")
    for source, why in plan.not_possible.items():
        say(f"Column {source}: {why}.")
    for source, places in of.too_exact.items():
        say(
            f"Column {source}: values have up to {places} decimal places, and a field at most {DECIMALS_MOST}: such an "
            "order is refused, unless `fields` says `on_too_long: truncate`, which rounds."
        )
    unwritten = of.unwritten(all_columns=all_columns)
    if unwritten:
        count = plan.written + len(plan.offered) + len(plan.not_possible)
        say(f"{len(unwritten)} of {count} columns of the {of.of} are not written then: {', '.join(unwritten)}.")


def _make(work: _Work) -> None:
    """Make it; a field that Zoho refuses does not keep the others from being made."""
    if work.upgrade or work.tables:
        work.ledger.ensure_tables()
        say("The ledger is brought up to date." if work.upgrade else "The ledger's tables are made.")
    if work.trigger:
        work.trigger.make()
        say("The trigger is made.")
    made: dict[str, list[NewField]] = {}
    refused = []
    for module, field in work.fields:
        try:
            work.client.create_field(module, field.document)
        except ZohoError as error:
            refused.append(field)
            say(f"{field.api_name} was not made: {error.message}", err=True)
        else:
            made.setdefault(module, []).append(field)
            say(f"{field.api_name} is made.")
    for module, fields in made.items():
        wrong = differently_named(fields, ModuleFields.fetch(work.client, module))
        if wrong is not None:
            raise wrong
    if refused:
        names = ", ".join(field.api_name for field in refused)
        raise click.ClickException(
            f"{len(refused)} fields were not made ({names}); make them in the layout editor, or run init again."
        )
