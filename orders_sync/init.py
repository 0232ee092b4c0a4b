"""`orders-sync init`: displays which ledger tables and fields of the module are missing, and makes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import click
import sqlalchemy as sa

from orders_sync.configs import ConfigFiles, open_tap, open_target
from orders_sync.crm_checks import open_client
from orders_sync.field_plan import FieldPlan, differently_named, plan_fields
from orders_sync.findings import EXPECTED, error_message
from orders_sync.new_fields import NewField
from orders_sync.notify_trigger import Trigger, trigger_of
from orders_sync.output import say
from orders_sync.plugin_options import tap_config_option, target_config_option
from sync_databases.value_sql import value_sql_for
from sync_ledger.ledger import Ledger
from tap_legacy_orders.connections import reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import ZohoError
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.api.metadata import ModuleFields
from target_zoho_crm.settings import Settings, StreamSettings


@click.command()
@tap_config_option
@target_config_option
@click.option("--all-columns", is_flag=True, help="Make fields also for columns that go nowhere yet.")
@click.option("--notify", is_flag=True, help="Also the trigger by which PostgreSQL notifies `follow` of changes.")
@click.option("--dry-run", is_flag=True, help="Show what would be made, and make nothing.")
@click.option("--yes", is_flag=True, help="Make it without asking.")
def init(
    tap_config: Path | None,
    target_config: Path | None,
    *,
    all_columns: bool,
    notify: bool,
    dry_run: bool,
    yes: bool,
) -> None:
    """Make what a first run needs: the ledger's tables, the module's unique key field, and mapped fields.

    What is there already stays as it is, so it can be run again.
    """
    files = ConfigFiles(tap_config, target_config)
    try:
        tap, target = open_tap(files), open_target(files)
        settings = Settings.read(target.config)
        ledger = Ledger.open(tap.config.get("ack_url") or tap.config["sqlalchemy_url"], tap.config.get("ack_schema"))
        with closing(ledger), open_client(settings, CreditMeter()) as client:
            stream = settings.stream(tap.stream_name)
            fields = ModuleFields.fetch(client, stream.module)
            plan = _plan(tap, settings, stream, fields)
            work = _Work(ledger, ledger.missing_tables(), client, stream.module, list(plan.needed))
            _display(work, plan, all_columns=all_columns)
            if notify:
                work.trigger = trigger_of(tap)
            if all_columns:
                work.fields += plan.offered
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
    tables: Sequence[str]
    client: ZohoClient
    module: str
    fields: list[NewField]
    trigger: Trigger | None = None

    @property
    def anything(self) -> bool:
        return bool(self.tables or self.fields or self.trigger)


def _plan(tap: TapLegacyOrders, settings: Settings, stream: StreamSettings, fields: ModuleFields) -> FieldPlan:
    """Plan twice: the second time with the lengths of the texts for which the first one found no limit."""
    table = tap.orders_table

    def planned(longest: Mapping[str, int]) -> FieldPlan:
        return plan_fields(
            tap.catalog_dict["streams"][0],
            table,
            fields,
            key_name=stream.key_field,
            settings=stream.fields,
            timezone=settings.timezone,
            longest=longest,
        )

    first = planned({})
    unlimited = [each.source for each in (*first.needed, *first.offered) if each.textarea is not None]
    return planned(_longest_texts(tap, table, unlimited)) if unlimited else first


def _longest_texts(tap: TapLegacyOrders, table: OrdersTable, names: Sequence[str]) -> dict[str, int]:
    """The longest text now in each of the columns, in characters: one query over the table."""
    length = value_sql_for(tap.engine.dialect).length
    orders = sa.table(table.name, *map(sa.column, names), schema=table.schema)
    with reading(tap.engine) as connection:
        row = connection.execute(sa.select(*(sa.func.max(length(orders.c[name])) for name in names))).one()
    return {name: int(longest or 0) for name, longest in zip(names, row, strict=True)}


def _display(work: _Work, plan: FieldPlan, *, all_columns: bool) -> None:
    where = work.ledger.engine.url.render_as_string(hide_password=True)
    if work.tables:
        say(f"Ledger at {where}: the tables {', '.join(work.tables)} are to be made.")
    else:
        say(f"Ledger at {where}: its tables are there.")
    to_make = [*plan.needed, *(plan.offered if all_columns else ())]
    if to_make:
        say(f"Module {work.module}: these fields are to be made (1 API credit each):")
        for field in to_make:
            say(f"  {field}")
    else:
        say(f"Module {work.module}: the key field and all mapped fields are there.")
    if plan.offered and not all_columns:
        say("Columns without a field; --all-columns makes these too:")
        for field in plan.offered:
            say(f"  {field}")
    for source, why in plan.not_possible.items():
        say(f"Column {source}: {why}.")


def _make(work: _Work) -> None:
    """Make it; a field that Zoho refuses does not keep the others from being made."""
    if work.tables:
        work.ledger.ensure_tables()
        say("The ledger's tables are made.")
    if work.trigger:
        work.trigger.make()
        say("The trigger is made.")
    made, refused = [], []
    for field in work.fields:
        try:
            work.client.create_field(work.module, field.document)
        except ZohoError as error:
            refused.append(field)
            say(f"{field.api_name} was not made: {error.message}", err=True)
        else:
            made.append(field)
            say(f"{field.api_name} is made.")
    if made:
        wrong = differently_named(made, ModuleFields.fetch(work.client, work.module))
        if wrong is not None:
            raise wrong
    if refused:
        names = ", ".join(field.api_name for field in refused)
        raise click.ClickException(
            f"{len(refused)} fields were not made ({names}); make them in the layout editor, or run init again."
        )
