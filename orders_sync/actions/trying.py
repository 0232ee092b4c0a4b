"""The command `try`: what would be written of one order, in both forms, without sending it."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import Any

import click
import msgspec

from orders_sync.checks.crm_checks import open_client
from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.comparison.written_orders import WrittenOrders
from orders_sync.config_sources.configs import ConfigFiles, Named, open_tap, open_target
from orders_sync.config_sources.ledgers import json_option
from orders_sync.config_sources.plugin_options import tap_config_option, target_config_option
from orders_sync.output import new_table, open_console, print_json, row, say
from sync_ledger.ledger import Ledger
from sync_processes.exit_codes import ExitCode
from tap_legacy_orders.every_order import EveryOrder
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.mapping.conversion import Conversion, Form
from target_zoho_crm.settings import Settings
from target_zoho_crm.writing.csv_text import csv_text
from target_zoho_crm.writing.upsert_body import upsert_body


@click.command("try")
@click.argument("key")
@tap_config_option
@target_config_option
@json_option
def try_order(key: str, tap_config: Named, target_config: Named, *, as_json: bool) -> None:
    """Display what would be written of one order: the JSON of a call and the cells of a job, side by side.

    Nothing is sent; the module's fields are read. Lines and links are not displayed, nor what stream maps of the target
    make of the order.
    """
    try:
        tried = _try(key, ConfigFiles(tap_config, target_config))
    except EXPECTED as error:
        raise click.ClickException(error_message(error)) from error
    if tried is None:
        raise click.ClickException(f"order {key!r} is not among those that the tap reads, or does not fit its schema")
    if tried.pop("mapped_first"):
        say("`stream_maps` of the target are not applied here: a run maps and judges what they make of it", err=True)
    if as_json:
        print_json({"key": key, **tried})
    else:
        table = new_table("Field", "By a call (JSON)", "By a job (cell)")
        for name in dict.fromkeys([*tried["call"], *tried["job"]]):
            in_call = msgspec.json.encode(tried["call"][name]).decode() if name in tried["call"] else "not written"
            row(table, name, in_call, tried["job"].get(name, "by calls alone"))
        if tried["call"]:
            open_console().print(table)
        for each in tried["refused"]:
            say(f"refused: {each['code']} in field {each['field']}: {each['message']}", colour="red")
    if tried["refused"]:
        raise SystemExit(ExitCode.FAILED)


def _try(key: str, files: ConfigFiles) -> dict[str, Any] | None:
    tap, settings = open_tap(files), Settings.read(open_target(files).config)
    own = settings.stream(tap.stream_name)
    with ExitStack() as closing_all:
        url = str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"])
        ledger = closing_all.enter_context(closing(Ledger.open(url, tap.config.get("ack_schema"))))
        closing_all.callback(tap.engine.dispose)
        client = closing_all.enter_context(open_client(settings, CreditMeter(None)))
        written = WrittenOrders(EveryOrder(tap, ledger), settings, own, client)
        values = written.values(written.every.by_key([key])).get(key)
        if values is None:
            return None
        body, refusals = upsert_body(written.mapping, [key], [values], ignore_empty=own.writes.ignore_empty)
        records = msgspec.json.decode(body)["data"] if body else []
        conversion = Conversion(written.mapping, Form.CSV)
        cells = conversion.convert([key], [values])
        names = [written.mapping.key_field.api_name, *conversion.names]
        job = {}
        if cells.keys:
            columns = [cells.keys, *cells.columns]
            job = {name: csv_text([column]).removesuffix("\r\n") for name, column in zip(names, columns, strict=True)}
        parts = [part for refusal in refusals.values() for part in refusal.parts]
        refused = [{"code": part.code, "field": part.field, "message": part.message} for part in parts]
        mapped_first = "stream_maps" in written.not_compared
        return {"call": records[0] if records else {}, "job": job, "refused": refused, "mapped_first": mapped_first}
