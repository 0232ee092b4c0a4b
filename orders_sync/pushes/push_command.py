"""The command `push`: orders from files, in one go, with a result for each record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from singer_sdk.exceptions import ConfigValidationError

from orders_sync.config_sources.configs import ConfigFiles, Named, open_target
from orders_sync.config_sources.ledgers import json_option
from orders_sync.config_sources.plugin_options import target_config_option
from orders_sync.output import say
from orders_sync.pushes.push_background import begin_in_background
from orders_sync.pushes.push_callback import callback_secret, post_outcome
from orders_sync.pushes.push_files import FileProblem, Format, Located, ReadingOptions, read_file
from orders_sync.pushes.pushing import Push, Pushed, push_records
from orders_sync.reporting.results import counted, print_results
from sync_databases.database_errors import DatabaseError
from sync_processes.exit_codes import ExitCode
from target_zoho_crm.api.errors import ConfigurationError, ZohoError


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--key", multiple=True, help="Column of the key; several times for a key of several columns.")
@click.option("--stream", help="The stream to write under, where it is not the one that has the module.")
@click.option("--format", "form", type=click.Choice([each.value for each in Format]), help="If its name does not say.")
@click.option("--delimiter", help="Of CSV; else the one of , ; tab | that the first line has most of.")
@click.option("--encoding", help="Of CSV; else UTF-8, or what a byte order mark says.")
@click.option(
    "--decimal-comma",
    multiple=True,
    metavar="COLUMN",
    help="Column of CSV or a sheet whose numbers are written 1.234,50; several times for several.",
)
@click.option("--sheet", help="Of an xlsx file that has several.")
@click.option("--wait", is_flag=True, help="Print what became of each record.")
@click.option("--csv", "as_csv", is_flag=True, help="Print that as comma-separated values, in the files' order.")
@click.option("--background", is_flag=True, help="Print the transaction's id at once, and go on without a terminal.")
@click.option("--callback", "url", metavar="URL", help="Post the outcome there, signed by ORDERS_SYNC_PUSH_SECRET.")
@click.option("--again", is_flag=True, help="Send also what an earlier push of the same records has written.")
@click.option("--transaction", hidden=True, help="The id that `--background` has printed.")
@target_config_option
@json_option
def push(
    files: Sequence[Path],
    key: Sequence[str],
    stream: str | None,
    form: str | None,
    delimiter: str | None,
    encoding: str | None,
    decimal_comma: Sequence[str],
    sheet: str | None,
    url: str | None,
    transaction: str | None,
    target_config: Named,
    *,
    wait: bool,
    as_csv: bool,
    background: bool,
    again: bool,
    as_json: bool,
) -> None:
    """Write orders from files (CSV, JSON array, JSON lines, xlsx) into the CRM, by the target's own settings.

    Ends 0 if all records are in the CRM, else 1 or what the run ended with.
    """
    if as_csv and as_json:
        raise click.UsageError("--json or --csv, not both")
    if background and (wait or as_csv or as_json):
        raise click.UsageError("--background prints an id alone; `orders-sync results ID` has the rest")
    secret = callback_secret() if url is not None else ""
    options = ReadingOptions(
        None if form is None else Format(form), delimiter, encoding, sheet, frozenset(decimal_comma)
    )
    try:
        target = open_target(ConfigFiles(None, target_config))
        asked = Push(lambda: _records(files, options), key or _key_of(files, options, target.config), stream, again)
        if background:
            begin_in_background(asked, target.config)
            return
        pushed = push_records(asked, target.config, transaction)
    except FileProblem as error:
        raise click.ClickException(str(error)) from None
    except ConfigValidationError as error:
        raise click.ClickException("; ".join(error.errors)) from None
    except (DatabaseError, ZohoError) as error:
        say(f"Error: {error}", err=True)
        raise SystemExit(ExitCode.SET_UP if isinstance(error, ConfigurationError) else ExitCode.FAILED) from None
    for problem in pushed.problems:
        say(problem, err=True, colour="red")
    delivered = url is None or post_outcome(url, secret, pushed)
    _print(pushed, wait=wait or as_json or as_csv, as_json=as_json, as_csv=as_csv)
    raise SystemExit(pushed.exit_code or (ExitCode.OK if delivered else ExitCode.FAILED))


def _records(files: Sequence[Path], options: ReadingOptions) -> Iterator[Located]:
    for path in files:
        for where, record in read_file(path, options):
            yield Located(f"{path}, {where}", record)


def _key_of(files: Sequence[Path], options: ReadingOptions, config: Mapping[str, Any]) -> Sequence[str]:
    """The column that is called as the module's key field is.

    Raises:
        FileProblem: there is none.
    """
    field = str(config["key_field"])
    first = next(_records(files, options), None)
    names = list(first.record) if first is not None else []
    found = [name for name in names if _plain(name) == _plain(field)]
    if len(found) != 1:
        raise FileProblem(f"{files[0]}: name the key's column by --key; its columns are {', '.join(names) or 'none'}")
    return found


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace("-", "").replace(" ", "")


def _print(pushed: Pushed, *, wait: bool, as_json: bool, as_csv: bool) -> None:
    if wait:
        head = {"transaction": pushed.transaction, "stream": pushed.stream, "run": pushed.run}
        print_results(head, pushed.results, as_json=as_json, as_csv=as_csv)
    if not (as_json or as_csv):
        say(f"{pushed.transaction}: {counted(pushed.results)}")
