"""The ledger's own version: tables that an earlier program made are brought up to date, those of a later one refused.

A change of the tables raises `LEDGER_VERSION`. Columns that may be empty, tables and indexes are added to an older
ledger by themselves, which loses nothing; a change that cannot be made so is a step of its own (`_STEPS`). A step is
safe to repeat, by two programs at a time too, and keeps its transactions short; after a kill the next one begins anew.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateColumn

from sync_ledger.early_versions import remove_test_stream
from sync_ledger.folding_anew import Begin, fold_keys_anew
from sync_ledger.identity import give_identity
from sync_ledger.tables import LedgerTables

LEDGER_VERSION = 19
"""Ledgers made before versions were noted count as 0. Version 2 finds acks by the id of their record, and lacks a job's
column that nobody read; older ledgers keep it. Version 3 has an id, knows what each stream is bound to, folds keys by
more than their upper case, holds the earlier record of an order that was made again, and since when an order fails.
Version 4 holds the writes under way and the contents of orders, and counts heartbeats. Version 5 holds the access token
that workers share. Version 6 knows by which mapping each order was written. Version 7 has the history. Version 8 keeps
receipts of audits and the differences that were accepted. Version 9 knows what each worker may do. Version 10
holds a sample of orders that are compared by content. Version 11 keeps fingerprints of what was written to fields that
may belong to people. Version 12 knows which alerts were told. Version 13
knows of which columns the keys are. Version 14 knows of first contacts, and which kinds of difference are accepted.
Version 15 knows what was undone, and which orders are held since.
Version 16 keeps what records held before a run wrote them.
Version 17 keeps plans, and knows which runs were given some orders only.
Version 18 knows why a run failed.
Version 19 keeps orders that workers leave to each other."""


FOLDED_BY_MORE = 3
"""The version since which keys are folded by more than their upper case."""


class OtherVersionError(Exception):
    """The ledger is of a version that this program cannot use; the text says why, and what to do."""


def version_of(connection: sa.Connection, tables: LedgerTables) -> int | None:
    """The version of the ledger, or None where no ledger is there.

    Raises:
        OtherVersionError: it was made by a later program.
    """
    present = set(sa.inspect(connection).get_table_names(schema=tables.metadata.schema))
    if tables.version.name not in present:
        return 0 if any(table.name in present for table in tables.metadata.sorted_tables) else None
    found = connection.execute(_latest(tables.version)).scalar() or 0
    if found > LEDGER_VERSION:
        raise OtherVersionError(
            f"it has version {found}, and this program knows no later one than {LEDGER_VERSION}; "
            "install the program that made it, or a later one"
        )
    return int(found)


@cache
def _latest(version: sa.Table) -> sa.Select[Any]:
    return sa.select(sa.func.max(version.c.version))


def bring_up_to_date(begin: Begin, tables: LedgerTables) -> list[str]:
    """Make the ledger, or add to an older one what it lacks. Safe to repeat. Returns lines for the log.

    `begin` opens a transaction.

    Raises:
        OtherVersionError: what it lacks cannot be added, or it was made by a later program; nothing is changed then.
    """
    with begin() as connection:
        before = version_of(connection, tables)
    if before == LEDGER_VERSION:
        return []
    lines = [line for step in _STEPS for line in step(begin, tables, before)]
    with begin() as connection:
        connection.execute(sa.delete(tables.version))
        connection.execute(sa.insert(tables.version).values(version=LEDGER_VERSION))
    return lines


def _add_columns_and_tables(begin: Begin, tables: LedgerTables, _before: int | None) -> Sequence[str]:
    with begin() as connection:
        _add_columns(connection, tables)
        tables.metadata.create_all(connection)
    return ()


def _add_indexes(begin: Begin, tables: LedgerTables, before: int | None) -> Sequence[str]:
    """Add one at a time: each locks its table against writing, for a second where it has a million rows."""
    if before is None:
        return ()  # a new ledger's tables came with theirs
    for table in tables.metadata.sorted_tables:
        for index in table.indexes:
            with begin() as connection:
                there = sa.inspect(connection).get_indexes(table.name, schema=table.schema)
                if index.name not in {each["name"] for each in there}:
                    index.create(connection)
    return ()


def _give_identity(begin: Begin, tables: LedgerTables, _before: int | None) -> Sequence[str]:
    with begin() as connection:
        return give_identity(connection, tables)


def _remove_test_stream(begin: Begin, tables: LedgerTables, before: int | None) -> Sequence[str]:
    if before is None:
        return ()
    with begin() as connection:
        return remove_test_stream(connection, tables)


def _fold_keys_anew(begin: Begin, tables: LedgerTables, before: int | None) -> Sequence[str]:
    if before is not None and before < FOLDED_BY_MORE:
        # The first ledgers had no folded keys at all: an absent one says nothing of case there.
        fold_keys_anew(begin, tables.ack, without_case=before == 0)
    return ()


_STEPS: tuple[Callable[[Begin, LedgerTables, int | None], Sequence[str]], ...] = (
    _add_columns_and_tables,
    _add_indexes,
    _give_identity,
    _remove_test_stream,
    _fold_keys_anew,
)
"""What brings a ledger up to date, in this order; each is given the version that was found, None for a new ledger, and
returns what a person should know of it, a line each."""


def _add_columns(connection: sa.Connection, tables: LedgerTables) -> None:
    there = sa.inspect(connection)
    names = set(there.get_table_names(schema=tables.metadata.schema))
    older = [table for table in tables.metadata.sorted_tables if table.name in names]
    lacking: list[sa.Column[object]] = []
    for table in older:
        columns = {column["name"].lower() for column in there.get_columns(table.name, schema=table.schema)}
        lacking += [column for column in table.columns if column.name.lower() not in columns]
    fixed = [f"{column.table.name}.{column.name}" for column in lacking if not column.nullable]
    if fixed:
        raise OtherVersionError(
            f"it was made by an early version and lacks {', '.join(fixed)}, which cannot be added; rename its tables "
            "zoho_sync_*, then run with --full-refresh: each order is sent once more, as an update"
        )
    for column in lacking:
        name = connection.dialect.identifier_preparer.format_table(column.table)
        definition = CreateColumn(column).compile(dialect=connection.dialect)
        connection.exec_driver_sql(f"ALTER TABLE {name} ADD {definition}")
