"""The command line `orders-sync`: its commands, and the file of each.

To add a command, write it with `@click.command()` in a file of its own and list it below. `ledgers.py` opens a ledger,
`configs.py` reads the settings of tap and target; common options are in `plugin_options.py` and `ledgers.py`.
"""

from __future__ import annotations

import logging
from typing import Any

import click

from orders_sync.actions.accepting import accept
from orders_sync.actions.order_commands import dismiss, forget, retry
from orders_sync.actions.resend import resend
from orders_sync.actions.trying import try_order
from orders_sync.alerts.watch_command import watch
from orders_sync.applying.apply_command import apply
from orders_sync.assistant.mcp_command import mcp
from orders_sync.audit.command import audit
from orders_sync.callback_receiver.callback import callback
from orders_sync.checks.doctor import doctor
from orders_sync.config_sources.env_file import load_env_file
from orders_sync.config_sources.project import Surroundings
from orders_sync.live_page.ui_command import ui
from orders_sync.probing.probe_command import probe
from orders_sync.pushes.push_command import push
from orders_sync.reporting.history import history
from orders_sync.reporting.jobs import jobs
from orders_sync.reporting.plan import plan
from orders_sync.reporting.report_command import report
from orders_sync.reporting.reports import problems, status
from orders_sync.reporting.results import results
from orders_sync.reporting.run_list import runs
from orders_sync.set_up.init import init
from orders_sync.set_up.login import login
from orders_sync.set_up.rebind import rebind
from orders_sync.undoing.release_command import release
from orders_sync.undoing.undo_command import undo
from sync_databases.displayed_text import displayed, escape_log_lines
from sync_processes.library_warnings import keep_library_warnings_out

COMMANDS = (
    # Set up
    login,
    init,
    doctor,
    # Before a run, and between runs; these change nothing
    plan,
    try_order,
    status,
    problems,
    history,
    runs,
    results,
    report,
    # Ask the org how it answers; with made-up records alone
    probe,
    # Compare with the CRM; changes nothing unless it is asked to
    audit,
    accept,
    # Write orders that somebody has in a file
    push,
    # Send what was planned
    apply,
    # Decide about orders, and about jobs
    jobs,
    retry,
    dismiss,
    resend,
    forget,
    # Take back what a run wrote
    undo,
    release,
    # Say that what was renamed is the same
    rebind,
    # Services of their own
    ui,
    watch,
    callback,
    mcp,
)


class _Commands(click.Group):
    """The commands; an error of one is one line, whatever text of others stands in it."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.ClickException as error:
            options = isinstance(error, click.UsageError)  # which are none of the settings
            message = error.message if options else ctx.obj.with_places(error.message)
            error.message = displayed(message)  # type: ignore[misc] # another error would have no usage line
            raise


@click.group(cls=_Commands)
@click.version_option(package_name="orders-sync")
@click.option("--environment", metavar="NAME", help="The Meltano project's environment; else as Meltano chooses it.")
@click.pass_context
def main(context: click.Context, environment: str | None) -> None:
    """Look after the orders on their way into Zoho CRM.

    In the folder of a Meltano project the settings are those that Meltano resolves; elsewhere they are taken from the
    environment and `.env`.
    """
    context.obj = Surroundings(environment)
    if context.obj.root is None:
        load_env_file()
    keep_library_warnings_out()
    escape_log_lines(*map(logging.getLogger, ("orders-sync", "tap-legacy-orders", "target-zoho-crm")))


for command in COMMANDS:
    main.add_command(command)
