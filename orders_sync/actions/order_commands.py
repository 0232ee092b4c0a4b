"""The commands by which a person decides about orders: `retry`, `dismiss` and `forget`."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

import click
import sqlalchemy as sa

from orders_sync.config_sources.ledgers import (
    existing_ledger,
    json_option,
    keys_argument,
    ledger_options,
    ledger_url,
    stream_option,
    the_stream,
)
from orders_sync.output import print_json, say
from sync_ledger import decisions
from sync_ledger.decisions import Choice
from sync_ledger.ledger import Ledger
from sync_ledger.made_again import keys_made_again
from sync_ledger.problems import REFUSED
from sync_ledger.run_facts import comes_by_hand
from sync_processes.exit_codes import ExitCode

_Command = TypeVar("_Command", bound=Callable[..., Any])


def _orders_options(command: _Command) -> _Command:
    """Add the options for the orders that are meant, and for their ledger."""
    options = (
        keys_argument,
        click.option("--code", help="All orders that were refused with this code."),
        click.option("--all", "everything", is_flag=True, help="All orders that were refused."),
        ledger_options,
        stream_option,
        json_option,
    )
    for option in reversed(options):
        command = option(command)
    return command


@click.command()
@_orders_options
def retry(**options: Any) -> None:
    """Let the next run send refused or parked orders again, though they have not changed."""

    def act(connection: sa.Connection, ledger: Ledger, stream: str, choice: Choice) -> int:
        if comes_by_hand(connection, ledger.tables.run, stream):
            raise click.ClickException(push_again(stream))
        return decisions.retry(connection, ledger.tables.ack, stream, choice, ledger.now(connection))

    _decide(act, "retried", "are due; the next run sends them", **options)


@click.command()
@_orders_options
def dismiss(**options: Any) -> None:
    """Park refused orders: they are not sent again until they change, and no alarm counts them.

    Orders that were made again are not listed any more.
    """
    _decide(_dismiss, "dismissed", "are parked until they change", **options)


def _dismiss(connection: sa.Connection, ledger: Ledger, stream: str, choice: Choice) -> int:
    return decisions.dismiss(connection, ledger.tables.ack, stream, choice)


@click.command()
@ledger_options
@stream_option
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def forget(ack_url: str | None, ack_schema: str | None, stream: str | None, *, yes: bool, as_json: bool) -> None:
    """Delete what the ledger knows of a stream, so that every order is sent again, as an update by its key."""
    with existing_ledger(ack_url, ack_schema) as ledger:
        name = the_stream(ledger, stream)
        if not yes:
            say(
                f"This deletes every ack of stream {name} at {ledger_url(ledger)}; all orders are sent again.", err=True
            )
            click.confirm("Forget them?", abort=True, err=True)
        count = decisions.forget(ledger, name)
    if as_json:
        print_json({"stream": name, "forgotten": count})
        return
    say(f"Stream {name}: {count:,} acks are forgotten; the next run sends every order again.")


def push_again(stream: str) -> str:
    """How refused orders of a stream are sent again whose orders come by hand."""
    return (
        f"Stream {stream}: its orders came from files, and no tap sends them; correct the file and push it again: "
        f"`orders-sync push FILE --stream {stream}`"
    )


def _decide(
    act: Callable[[sa.Connection, Ledger, str, Choice], int],
    done: str,
    what_now: str,
    *,
    keys: Sequence[str],
    code: str | None,
    everything: bool,
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    as_json: bool,
) -> None:
    """Do what was decided to the orders that are meant, and name those that cannot be."""
    choice = _choice(keys, code, everything=everything)
    with existing_ledger(ack_url, ack_schema) as ledger:
        name = the_stream(ledger, stream)
        left_out = left_out_of(ledger, name, keys, REFUSED)
        if act is _dismiss and left_out:
            with ledger.connect() as connection:
                seen_to = keys_made_again(connection, ledger.tables.ack, name, list(left_out))
            left_out = {key: why for key, why in left_out.items() if key not in seen_to}
        count = ledger.transact(lambda connection: act(connection, ledger, name, choice))
    if as_json:
        print_json({"stream": name, done: count, "left_out": left_out})
    else:
        say(f"Stream {name}: {count:,} orders {what_now}.")
        for key, why in left_out.items():
            say(f"{key} is left as it is: {why}", err=True)
    if left_out:
        raise SystemExit(ExitCode.FAILED)


def _choice(keys: Sequence[str], code: str | None, *, everything: bool) -> Choice:
    """Exactly one way to name the orders, so that nobody means one and gets all."""
    if sum((bool(keys), code is not None, everything)) != 1:
        raise click.UsageError("name the orders: by their keys, or --code CODE, or --all")
    return Choice(keys=keys or None, code=code)


def left_out_of(ledger: Ledger, stream: str, keys: Sequence[str], meant: Collection[str]) -> dict[str, str]:
    """Of the keys that were named those whose status is none of those that are meant, with the status they have."""
    if not keys:
        return {}
    with ledger.connect() as connection:
        found = decisions.statuses(connection, ledger.tables.ack, stream, keys)
    return {key: found.get(key, "not in the ledger") for key in keys if found.get(key) not in meant}
