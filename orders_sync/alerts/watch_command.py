"""The command `watch`: tells people once when a stream is not well, and once when it is again."""

from __future__ import annotations

import signal
import threading
from datetime import timedelta

import click

from orders_sync.alerts.channels import channels
from orders_sync.alerts.conditions import Limits
from orders_sync.alerts.unreachable import Unreachable
from orders_sync.alerts.watching import look
from orders_sync.config_sources.ledgers import existing_ledger, ledger_options, stream_option, streams_of, the_stream
from orders_sync.config_sources.plugin_options import Age
from orders_sync.output import say
from sync_ledger.retry_schedules import WATCH_LOOK_SECONDS
from sync_processes.exit_codes import ExitCode
from sync_processes.shutdown import set_in_handler


@click.command()
@ledger_options
@stream_option
@click.option("--every", type=Age(), help="How often a run should begin; else by how often they began so far.")
@click.option("--max-age", type=Age(), help="Tell when no run has finished for so long, or an order waits longer.")
@click.option("--max-rejected", type=click.IntRange(0), help="Tell when more orders than this are refused.")
@click.option(
    "--credit-limit", type=click.IntRange(1), help="Tell when 90 % of so many credits were spent in 24 hours."
)
@click.option(
    "--notify",
    "urls",
    multiple=True,
    envvar="ORDERS_SYNC_NOTIFY",
    metavar="URL",
    help="Whom to tell: a URL to post to, signed by ORDERS_SYNC_NOTIFY_SECRET, or one of Apprise's; else you here.",
)
@click.option(
    "--look-every",
    type=Age(),
    default=f"{WATCH_LOOK_SECONDS:g}s",
    show_default=True,
    help="Time between two looks.",
)
@click.option("--once", is_flag=True, help="Look once and end, for a scheduler; ends 1 where somebody was not told.")
def watch(
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    every: timedelta | None,
    max_age: timedelta | None,
    max_rejected: int | None,
    credit_limit: int | None,
    urls: tuple[str, ...],
    look_every: timedelta,
    *,
    once: bool,
) -> None:
    """Tell people once when a run failed, stands still or did not begin, or a limit is passed; and when it is over.

    Goes by the ledger alone, which also knows what was sent: a watcher may be killed, and several may watch.
    """
    given, limits = channels(urls), Limits(every, max_age, max_rejected, credit_limit)

    def look_once() -> bool:
        with existing_ledger(ack_url, ack_schema) as ledger:
            ledger.ensure_tables()
            streams = streams_of(ledger) if stream is None else [the_stream(ledger, stream)]
            return look(ledger, streams, limits, given)

    if once:
        raise SystemExit(0 if look_once() else ExitCode.FAILED)
    ended, unreachable = threading.Event(), Unreachable(given)
    for each in (signal.SIGINT, signal.SIGTERM):
        signal.signal(each, lambda *_: set_in_handler(ended))
    while True:
        try:
            look_once()
        except click.ClickException as error:
            unreachable.seen(error.message)
        else:
            unreachable.over()
        if ended.wait(look_every.total_seconds()):
            say("The watch was asked to end.", err=True)
            return
