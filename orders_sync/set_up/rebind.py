"""`orders-sync rebind`: what a person renamed is the same as before; the ledger goes on under the new names."""

from __future__ import annotations

from contextlib import closing

import click
import sqlalchemy as sa

from orders_sync.checks.crm_checks import open_client
from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.config_sources.configs import ConfigFiles, Named, open_tap, open_target
from orders_sync.config_sources.plugin_options import tap_config_option, target_config_option
from orders_sync.output import say
from sync_ledger.bindings import Binding, bindings_of, key_columns_of
from sync_ledger.ledger import Ledger
from sync_ledger.moves import rebind as rebind_stream
from tap_legacy_orders.orders_table import OrdersTable
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.settings import Settings, StreamSettings

READ_BACK = 10
"""Records of a renamed module that must hold their orders' keys."""


@click.command()
@tap_config_option
@target_config_option
@click.option("--from", "old_stream", help="The stream's name until now, where that has changed.")
@click.option("--yes", is_flag=True, help="Do not ask.")
def rebind(tap_config: Named, target_config: Named, old_stream: str | None, *, yes: bool) -> None:
    """Say that table, key column, stream or module were renamed, and are the same: acks and open jobs go along.

    The new names are those of the settings. Of a renamed module ten records are read back first (1 credit).
    """
    files = ConfigFiles(tap_config, target_config)
    try:
        tap, settings = open_tap(files), Settings.read(open_target(files).config)
        stream, own = tap.stream_name, settings.stream(tap.stream_name)
        url = settings.ack_url or str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"])
        with closing(Ledger.open(url, settings.ack_schema)) as ledger:
            ledger.check_version()
            bound = _bound(ledger, old_stream or stream)
            if bound.key_field != own.key_field:
                raise click.ClickException(
                    f"the ledger's orders have their keys in {bound.key_field}, and `key_field` is {own.key_field}: "
                    f"for that there is only `orders-sync forget --stream {bound.stream}`"
                )
            module = None if bound.module == own.module else own.module
            if module is not None:
                _read_back(ledger, bound, settings, own)
            changes = _changes(bound, stream, tap.orders_table, own.module)
            say(f"Stream {bound.stream}: {', '.join(changes) or 'nothing has another name'}.", err=True)
            if not yes:
                click.confirm("Are these the same orders as before?", abort=True, err=True)
            count = rebind_stream(ledger, stream, old_stream=old_stream, module=module)
    except EXPECTED as error:
        raise click.ClickException(error_message(error)) from error
    say(f"Stream {stream}: {count:,} acks go on; the next run goes on with them.")


def _bound(ledger: Ledger, stream: str) -> Binding:
    bindings = bindings_of(ledger)
    if stream not in bindings:
        known = ", ".join(sorted(bindings)) or "none yet"
        raise click.ClickException(f"the ledger has bound no stream {stream!r}, name one by --from; it has {known}")
    return bindings[stream]


def _changes(bound: Binding, stream: str, orders: OrdersTable, module: str) -> list[str]:
    table, key = orders.source_name, key_columns_of(column.name for column in orders.key)
    names = {
        "stream": (bound.stream, stream),
        "table": (bound.source_table or table, table),
        "key column": (bound.key_columns or key, key),
        "module": (bound.module, module),
    }
    return [f"{what} {old} is {new} now" for what, (old, new) in names.items() if old != new]


def _read_back(ledger: Ledger, bound: Binding, settings: Settings, own: StreamSettings) -> None:
    """Make sure that the module's records are those of the acks.

    Raises:
        ClickException: a record is not there, or holds another key.
        ZohoError: the CRM could not be asked.
    """
    ack = ledger.tables.ack
    query = (
        sa.select(ack.c.zoho_id, ack.c.record_key)
        .where(ack.c.stream == bound.stream, ack.c.status == "synced", ack.c.zoho_id.is_not(None))
        .limit(READ_BACK)
    )
    with ledger.connect() as connection:
        keys = {row.zoho_id: row.record_key for row in connection.execute(query)}
    if not keys:
        return
    ids = ",".join(f"'{zoho_id}'" for zoho_id in keys)
    select = f"select id,{own.key_field} from {own.module} where id in ({ids})"  # noqa: S608 - COQL, of ids alone
    with open_client(settings, CreditMeter()) as client:
        rows, _ = client.query(select)
    held = {str(row.get("id")): row.get(own.key_field) for row in rows}
    wrong = {zoho_id: key for zoho_id, key in keys.items() if held.get(zoho_id) != key}
    if wrong:
        zoho_id, key = next(iter(wrong.items()))
        raise click.ClickException(
            f"module {own.module} does not hold {len(wrong)} of {len(keys)} records of the ledger, such as {zoho_id} "
            f"with key {key!r} in {own.key_field}: it is not module {bound.module} under a new name"
        )
