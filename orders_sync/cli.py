"""The operator's command line."""

from __future__ import annotations

import click

from orders_sync.callback import callback
from orders_sync.doctor import doctor
from orders_sync.env_file import load_env_file
from orders_sync.init import init
from orders_sync.login import login
from orders_sync.order_commands import dismiss, forget, retry
from orders_sync.plan import plan
from orders_sync.reports import jobs, problems, status


@click.group()
@click.version_option(package_name="orders-sync")
def main() -> None:
    """Look after the orders on their way into Zoho CRM."""
    load_env_file()


for command in (login, init, doctor, plan, status, problems, jobs, retry, dismiss, forget, callback):
    main.add_command(command)
