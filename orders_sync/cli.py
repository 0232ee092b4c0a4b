"""The operator's command line."""

from __future__ import annotations

import dataclasses
from typing import Any

import click
import msgspec
from rich.console import Console

from orders_sync.status import read_status, shown
from orders_sync.status_view import show_status
from sync_ledger.ledger import Ledger, LedgerError
from target_zoho_crm.settings import default_ledger_url

LEDGER_VARIABLES = ("LEDGER_DATABASE_URL", "TARGET_ZOHO_CRM_ACK_URL")
"""Where the ledger's URL is looked for: as the environment `prod` of meltano.yml names it, then as the target does."""


@click.group()
@click.version_option(package_name="orders-sync")
def main() -> None:
    """Look after the orders on their way into Zoho CRM."""


@main.command()
@click.option(
    "--ack-url",
    envvar=LEDGER_VARIABLES,
    help="The ledger's database; the target's local SQLite file if absent.",
    show_envvar=True,
)
@click.option("--ack-schema", envvar="TARGET_ZOHO_CRM_ACK_SCHEMA", help="Schema of the ledger's tables.")
@click.option(
    "--runs", "last_runs", type=click.IntRange(0), default=5, show_default=True, help="How many runs to show."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON document, for other programs.")
def status(ack_url: str | None, ack_schema: str | None, last_runs: int, *, as_json: bool) -> None:
    """Say what became of the orders, by the ledger."""
    try:
        ledger = Ledger.open(ack_url or default_ledger_url(), ack_schema)
        try:
            streams = read_status(ledger, last_runs=last_runs)
        finally:
            ledger.close()
    except LedgerError as error:
        raise click.ClickException(str(error)) from error
    if as_json:
        document: dict[str, Any] = {"ledger": shown(ledger), "streams": [dataclasses.asdict(each) for each in streams]}
        click.echo(msgspec.json.format(msgspec.json.encode(document)).decode())
        return
    console = Console()
    console.print(f"Ledger: {shown(ledger)}", highlight=False)
    show_status(console, streams)
