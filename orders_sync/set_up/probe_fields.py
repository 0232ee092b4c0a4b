"""What `init --probe MODULE` does: makes the fields that `orders-sync probe` needs in a module."""

from __future__ import annotations

import click

from orders_sync.output import say
from orders_sync.probing.fields import FIELDS
from target_zoho_crm.api.client import ZohoClient
from target_zoho_crm.api.errors import ZohoError
from target_zoho_crm.api.metadata import ModuleFields

FIELD_CREDITS = 10
"""Of a field at most; whether it costs 1 or 10 is not documented where it could be read."""


def make_probe_fields(client: ZohoClient, module: str, *, dry_run: bool, yes: bool) -> None:
    """Make the fields that are missing; those that are there stay as they are.

    Raises:
        click.ClickException: some were refused; which ones has been said.
    """
    there = ModuleFields.fetch(client, module)
    missing = [field for field in FIELDS if field.api_name not in there]
    if not missing:
        say(f"Module {module}: the fields of the probe are there.")
        return
    say(f"Module {module}: these fields are to be made (up to {FIELD_CREDITS} API credits each):")
    for field in missing:
        say(f"  {field.api_name}: {field.data_type}")
    if dry_run:
        return
    if not yes:
        click.confirm("Make these?", abort=True)
    refused = []
    for field in missing:
        try:
            client.create_field(module, field.document(module))
        except ZohoError as error:
            refused.append(field.api_name)
            say(f"{field.api_name} was not made: {error.message}", err=True)
    if refused:
        raise click.ClickException(
            f"{len(refused)} fields were not made ({', '.join(refused)}); the probe leaves out what needs them."
        )
    say(f"{len(missing)} fields are made. Delete them in the layout editor when you need them no more.")
