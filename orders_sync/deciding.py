"""The commands by which a person decides about orders: `retry`, `dismiss` and `forget`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from orders_sync.ledgers import (
    existing_ledger,
    json_option,
    ledger_options,
    print_json,
    shown,
    stream_option,
    the_stream,
)
from sync_ledger import decisions
from sync_ledger.decisions import Choice
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus

_keys = click.argument("keys", nargs=-1, metavar="[KEY]...")
_code = click.option("--code", help="All orders that were refused with this code.")
_all = click.option("--all", "everything", is_flag=True, help="All orders that were refused.")


@click.command()
@_keys
@_code
@_all
@ledger_options
@stream_option
@json_option
def retry(
    keys: Sequence[str],
    code: str | None,
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Let the next run send refused or parked orders again, though they have not changed."""
    choice = _choice(keys, code, everything=everything)
    with existing_ledger(ack_url, ack_schema) as ledger:
        name = the_stream(ledger, stream)
        left_out = _left_out(ledger, name, keys, {AckStatus.REJECTED.value, AckStatus.PARKED.value})
        count = ledger.transact(
            lambda connection: decisions.retry(connection, ledger.tables.ack, name, choice, ledger.now(connection))
        )
    _say(name, "retried", count, left_out, "are due; the next run sends them", as_json=as_json)


@click.command()
@_keys
@_code
@_all
@ledger_options
@stream_option
@json_option
def dismiss(
    keys: Sequence[str],
    code: str | None,
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Park refused orders: they are not sent again until they change, and no alarm counts them."""
    choice = _choice(keys, code, everything=everything)
    with existing_ledger(ack_url, ack_schema) as ledger:
        name = the_stream(ledger, stream)
        left_out = _left_out(ledger, name, keys, {AckStatus.REJECTED.value})
        count = ledger.transact(lambda connection: decisions.dismiss(connection, ledger.tables.ack, name, choice))
    _say(name, "dismissed", count, left_out, "are parked until they change", as_json=as_json)


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
            click.echo(
                f"This deletes every ack of stream {name} at {shown(ledger)}; all orders are sent again.", err=True
            )
            click.confirm("Forget them?", abort=True, err=True)
        count = decisions.forget(ledger, name)
    if as_json:
        print_json({"stream": name, "forgotten": count})
        return
    click.echo(
        f"Stream {name}: {count:,} acks are forgotten. Now run with `--full-refresh`, since the bookmark still says "
        "how far the stream was read."
    )


def _choice(keys: Sequence[str], code: str | None, *, everything: bool) -> Choice:
    """Exactly one way to say which orders, so that nobody means one and gets all."""
    if sum((bool(keys), code is not None, everything)) != 1:
        raise click.UsageError("say which orders: their keys, or --code CODE, or --all")
    return Choice(keys=keys or None, code=code)


def _left_out(ledger: Ledger, stream: str, keys: Sequence[str], possible: set[str]) -> dict[str, str]:
    """Of the keys that were named those that cannot be meant, with the status they have."""
    if not keys:
        return {}
    with ledger.connect() as connection:
        found = decisions.statuses(connection, ledger.tables.ack, stream, keys)
    return {key: found.get(key, "not in the ledger") for key in keys if found.get(key) not in possible}


def _say(stream: str, done: str, count: int, left_out: dict[str, str], what_now: str, *, as_json: bool) -> None:
    if as_json:
        print_json({"stream": stream, done: count, "left_out": left_out})
    else:
        click.echo(f"Stream {stream}: {count:,} orders {what_now}.")
        for key, why in left_out.items():
            click.echo(f"{key} is left as it is: {why}", err=True)
    if left_out:
        raise SystemExit(1)
