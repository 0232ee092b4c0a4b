"""What commands on the ledger share: how they find it, name its streams, and print JSON."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync_databases.database_errors import DatabaseError
from sync_databases.displayed_text import displayed
from sync_ledger.ledger import Ledger
from target_zoho_crm.settings import default_ledger_url

LEDGER_VARIABLES = ("LEDGER_DATABASE_URL", "TARGET_ZOHO_CRM_ACK_URL")
"""Where the ledger's URL is read from: as the environment `prod` of meltano.yml names it, then as the target does."""

_Command = TypeVar("_Command", bound=Callable[..., Any])


def ledger_options(command: _Command) -> _Command:
    """Add the options for the ledger's place."""
    command = click.option("--ack-schema", envvar="TARGET_ZOHO_CRM_ACK_SCHEMA", help="Schema of the ledger's tables.")(
        command
    )
    return click.option(
        "--ack-url",
        envvar=LEDGER_VARIABLES,
        help="The ledger's database; the target's local SQLite file if absent.",
        show_envvar=True,
    )(command)


class _Key(click.ParamType[str]):
    """An order's key; bytes that a shell gave and that are no text cannot be one."""

    name = "key"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        text = str(value)
        try:
            text.encode()
        except UnicodeEncodeError:
            self.fail(f"{text!r} is no text in UTF-8, and so no key", param, ctx)
        return text


keys_argument = click.argument("keys", nargs=-1, metavar="[KEY]...", type=_Key())
stream_option = click.option("--stream", help="The stream, where the ledger has several.")
json_option = click.option("--json", "as_json", is_flag=True, help="One JSON document, for other programs.")


@contextmanager
def existing_ledger(ack_url: str | None, ack_schema: str | None) -> Iterator[Ledger]:
    """Open a ledger that is there already; what goes wrong with it ends the command with one line.

    Raises:
        click.ClickException: there is none, or it cannot be read or written.
    """
    try:
        ledger = Ledger.open(ack_url or default_ledger_url(), ack_schema)
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    try:
        if {table.name for table in ledger.tables.of_records} & set(ledger.missing_tables()):
            where = ledger_url(ledger)
            raise click.ClickException(
                f"there is no ledger at {where}; the first run of the tap or the target makes it"
            )
        ledger.check_version()
        yield ledger
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except (DBAPIError, OSError) as error:
        cause = str(getattr(error, "orig", error)).strip().splitlines()
        raise click.ClickException(
            f"the ledger cannot be read at {ledger_url(ledger)}: {cause[0] if cause else type(error).__name__}"
        ) from error
    finally:
        ledger.close()


def ledger_url(ledger: Ledger) -> str:
    """The ledger's URL, without its password."""
    return ledger.engine.url.render_as_string(hide_password=True)


def streams_of(ledger: Ledger) -> list[str]:
    """Name the streams that ever had a run."""
    run = ledger.tables.run
    with ledger.connect() as connection:
        return list(connection.execute(sa.select(run.c.stream).distinct().order_by(run.c.stream)).scalars())


def the_stream(ledger: Ledger, named: str | None) -> str:
    """The stream that is meant: the one that was named, or the only one.

    Raises:
        click.ClickException: there is no such stream, or several and none was named.
    """
    streams = streams_of(ledger)
    known = displayed(", ".join(streams)) or "none yet"
    if named is not None and named not in streams:
        raise click.ClickException(f"the ledger has no stream {named!r}; it has {known}")
    if named is None and len(streams) != 1:
        raise click.ClickException(f"name the stream by --stream; the ledger has {known}")
    return named or streams[0]
