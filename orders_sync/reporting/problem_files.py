"""`problems --export` and `--import`: refused orders as a sheet for the order team, and what they decide, in one go."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import click
import sqlalchemy as sa

from orders_sync.actions.order_commands import left_out_of, push_again
from orders_sync.config_sources.configs import ConfigFiles, Named, open_target
from orders_sync.output import print_json, say
from sync_databases.displayed_text import displayed
from sync_ledger import decisions
from sync_ledger.decisions import Choice
from sync_ledger.ledger import Ledger
from sync_ledger.problems import REFUSED
from sync_ledger.run_facts import comes_by_hand
from sync_processes.exit_codes import ExitCode
from target_zoho_crm.api.codes import Family, Standing, advice, advice_by_hand
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.mapping.picklists import unknown_values
from target_zoho_crm.mapping.value_tables import read_table, write_table

COLUMNS = ("key", "field", "value", "cause", "suggestion", "decision", "becomes")


class Decision(StrEnum):
    """What a line of the sheet asks for."""

    MAP = "map"
    """Write `becomes` in place of this value of this field from now on, in all orders, and retry the order."""
    RETRY = "retry"
    DISMISS = "dismiss"


def export_problems(ledger: Ledger, stream: str, path: Path) -> int:
    """Write a line for each refused order, or one for each value that its picklist lacks. Returns how many.

    Where a value was perhaps meant to be another one, `becomes` proposes it; the decision stays empty.
    """
    ack = ledger.tables.ack
    query = sa.select(ack).where(ack.c.stream == stream, ack.c.status.in_(REFUSED)).order_by(ack.c.record_key)
    count = 0
    try:
        with path.open("w", encoding="utf-8-sig", newline="") as file, ledger.connect() as connection:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            advised = advice_by_hand if comes_by_hand(connection, ledger.tables.run, stream) else advice
            for row in connection.execution_options(yield_per=1_000).execute(query):
                for line in _lines_of(row, advised):
                    writer.writerow([displayed(cell) for cell in line])
                    count += 1
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from error
    return count


def _lines_of(row: Any, advised: Callable[[str | None, Standing, Family | None], str]) -> Iterator[Sequence[str]]:
    cause = f"{row.error_code or ''}{f': {row.error_message}' if row.error_message else ''}"
    unknown = unknown_values(row.error_message)
    for each in unknown:
        meant = each.meant or ""
        yield row.record_key, each.field, each.value, cause, f"map to {meant}" if meant else "map, or retry", "", meant
    if not unknown:
        family = Family(row.family) if row.family else None
        standing = Standing.of(family, parked=row.status == "parked", due=row.next_attempt_at is not None)
        yield row.record_key, row.error_field or "", "", cause, advised(row.error_code, standing, family), "", ""


@dataclass(slots=True)
class _Decided:
    """What a sheet asks for."""

    tables: dict[str, dict[str, str]] = field(default_factory=dict)
    retried: dict[str, None] = field(default_factory=dict)
    dismissed: dict[str, None] = field(default_factory=dict)
    undecided: int = 0


def import_decisions(ledger: Ledger, stream: str, path: Path, target_config: Named, *, as_json: bool) -> None:
    """Do what a sheet asks for: first all tables of values, then the orders. A sheet with a mistake changes nothing.

    Raises:
        click.ClickException: a line of it cannot be meant; or a field has no file for its table.
    """
    decided = _read(path)
    for name, file in _files(decided.tables, stream, target_config).items():
        table: dict[str, str] = {}
        if file.exists():
            table = read_table(name, file)
        try:
            write_table(file, {**table, **decided.tables[name]})
        except OSError as error:
            raise click.ClickException(f"{file}: the table of {name} cannot be written: {error.strerror}") from error
    keys = [*decided.retried, *decided.dismissed]
    left_out = left_out_of(ledger, stream, keys, REFUSED)
    ack = ledger.tables.ack
    with ledger.connect() as connection:
        by_hand = comes_by_hand(connection, ledger.tables.run, stream)

    def act(connection: sa.Connection) -> tuple[int, int]:
        retried = Choice(keys=[key for key in decided.retried if key not in left_out])
        dismissed = Choice(keys=[key for key in decided.dismissed if key not in left_out])
        due = 0 if by_hand else decisions.retry(connection, ack, stream, retried, ledger.now(connection))
        return due, decisions.dismiss(connection, ack, stream, dismissed)

    retried, dismissed = ledger.transact(act)
    mapped = sum(map(len, decided.tables.values()))
    if as_json:
        facts = {"mapped": mapped, "retried": retried, "dismissed": dismissed, "undecided": decided.undecided}
        print_json({"stream": stream, **facts, "left_out": left_out})
    else:
        say(
            f"Stream {stream}: {mapped:,} values are mapped, {retried:,} orders are due, {dismissed:,} are dismissed; "
            f"{decided.undecided:,} lines have no decision."
        )
        if by_hand and decided.retried:
            say(push_again(stream))
        for key, why in left_out.items():
            say(f"{key} is left as it is: {why}", err=True)
    if left_out:
        raise SystemExit(ExitCode.FAILED)


def _read(path: Path) -> _Decided:
    decided = _Decided()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            head = file.readline()
            file.seek(0)
            rows = csv.DictReader(file, delimiter=";" if head.count(";") > head.count(",") else ",", strict=True)
            missing = {"key", "field", "value", "decision", "becomes"} - set(rows.fieldnames or ())
            if missing:
                raise click.ClickException(f"{path}: the first line lacks {', '.join(sorted(missing))}")
            for row in rows:
                _take(decided, row, f"{path}, line {rows.line_num}")
    except OSError as error:
        raise click.ClickException(f"{path}: cannot be read: {error.strerror}") from error
    except (csv.Error, UnicodeDecodeError) as error:
        raise click.ClickException(f"{path}: it is no CSV file in UTF-8: {error}") from error
    return decided


def _take(decided: _Decided, row: Mapping[str, str | None], where: str) -> None:
    text, key = (row["decision"] or "").strip().lower(), row["key"] or ""
    if not text:
        decided.undecided += 1
        return
    with suppress(ValueError):
        decision = Decision(text)
        if decision is Decision.DISMISS:
            decided.dismissed[key] = None
            return
        if decision is Decision.MAP:
            if not (row["field"] and row["value"] and row["becomes"]):
                raise click.ClickException(f"{where}: to map, a line needs field, value and becomes")
            known = decided.tables.setdefault(row["field"], {}).setdefault(row["value"], row["becomes"])
            if known != row["becomes"]:
                raise click.ClickException(f"{where}: {row['value']!r} becomes {known!r} by an earlier line")
        decided.retried[key] = None
        return
    raise click.ClickException(f"{where}: decision {text!r} is none of {', '.join(Decision)}")


def _files(tables: Mapping[str, object], stream: str, target_config: Named) -> dict[str, Path]:
    """The file of each field's table, as the target's settings name it."""
    if not tables:
        return {}
    try:
        config = open_target(ConfigFiles(None, target_config)).config
    except ConfigurationError as error:
        raise click.ClickException(str(error)) from error
    own = (config.get("streams") or {}).get(stream, {})
    fields = own.get("fields") or config.get("fields") or {}
    files = {}
    for name in tables:
        entry = fields.get(name)
        named = entry.get("values") if isinstance(entry, Mapping) else None
        if not isinstance(named, str):
            raise click.ClickException(
                f'to map values of {name}, give its table a file in the settings: "fields": {{"{name}": '
                f'{{"values": "{name.lower()}.csv"}}}}; nothing was changed'
            )
        files[name] = Path(named)
    return files
