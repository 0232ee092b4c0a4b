"""What commands on the ledger share: how they find it, name its streams, and print JSON."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import click
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from orders_sync.config_sources.configs import ConfigFiles
from orders_sync.config_sources.ledger_place import ledger_place
from orders_sync.config_sources.plugin_options import tap_config_option, target_config_option
from sync_databases.database_errors import DatabaseError
from sync_databases.displayed_text import displayed
from sync_ledger.ledger import Ledger
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.settings import default_ledger_url

_Command = TypeVar("_Command", bound=Callable[..., Any])


def ledger_options(command: _Command) -> _Command:
    """Add the options for the ledger's place: `ack_url` and `ack_schema`, found by the settings if not given."""
    return _ledger_options(command, ())


def ledger_and_config_options(command: _Command) -> _Command:
    """The same for a command that needs the plugins' settings too: `tap_config` and `target_config` stay."""
    return _ledger_options(command, ("tap_config", "target_config"))


def ledger_and_target_options(command: _Command) -> _Command:
    """The same for a command that needs the target's settings too: `target_config` stays."""
    return _ledger_options(command, ("target_config",))


def _ledger_options(command: _Command, kept: Sequence[str]) -> _Command:
    @functools.wraps(command)
    def with_place(**options: Any) -> Any:
        files = {name: options.pop(name) for name in ("tap_config", "target_config")}
        if options["ack_url"] is None:
            try:
                place = ledger_place(ConfigFiles(files["tap_config"], files["target_config"]))
            except ConfigurationError as error:
                raise click.ClickException(str(error)) from error
            options |= {"ack_url": place.url, "ack_schema": options["ack_schema"] or place.schema}
        return command(**options, **{name: files[name] for name in kept})

    schema = click.option("--ack-schema", help="Schema of the ledger's tables.")
    url = click.option("--ack-url", help="The ledger's database; else that of the plugins' settings.")
    return url(schema(tap_config_option(target_config_option(with_place))))  # type: ignore[return-value]


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
                f"there is no ledger at {where}; the first run of the target makes it, and so does `orders-sync init`"
            )
        ledger.check_version()
        yield ledger
    except DatabaseError as error:
        raise click.ClickException(str(error)) from error
    except BrokenPipeError:
        raise  # whoever reads the output has enough, such as `head`; click ends the command
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


def run_named(ledger: Ledger, text: str, stream: str | None = None) -> sa.Row[Any]:
    """The run whose id begins so, of one stream or of all.

    Raises:
        click.ClickException: there is none, or more than one.
    """
    if not text:
        raise click.UsageError("a run's id is needed, or how it begins")
    table = ledger.tables.run
    query = sa.select(table).where(table.c.run_id.startswith(text, autoescape=True))
    if stream is not None:
        query = query.where(table.c.stream == stream)
    with ledger.connect() as connection:
        found = connection.execute(query.limit(2)).all()
    if len(found) != 1:
        why = "several runs have ids that begin so" if found else "no run has this id"
        raise click.ClickException(f"run {text}: {why}; `orders-sync status --json` lists the last ones")
    return found[0]
