"""What a stream is bound to: org, module, key field, table, key columns. A run that differs writes nothing.

An ack says that a record of this module, in this org, holds this order of this table, by the key that these columns
make. Under another set-up it says nothing: orders would be called synced that are not there, or be written beside their
own records. What else is remembered (filter, columns, mapping) never stops a run: it is said once that it differs.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import cache
from typing import Any

import sqlalchemy as sa

from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.run_facts import is_remembered
from sync_ledger.tables import LedgerTables

KEY_COLUMNS_LENGTH = 255
"""Characters of the names of a key's columns that the ledger holds."""

SAMPLE_KEYS = 10
"""Keys named where two streams have the same ones."""


class SetUpChangedError(LedgerError):
    """The run stops before its first write, since a person should look; `lines` say why, one for each difference."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("; ".join(lines))
        self.lines = list(lines)


@dataclass(frozen=True, slots=True)
class Binding:
    """A stream and what it is bound to; None is not known, and compared with nothing."""

    stream: str
    module: str
    key_field: str
    org: str | None = None
    source_table: str | None = None
    key_columns: str | None = None
    """What the orders' keys are made of. Of other columns, each order would be another one."""
    shares_module: bool = False
    of_early_version: bool = False
    filter_mark: str | None = None
    columns_mark: str | None = None
    mapping_mark: str | None = None
    bookmark: str | None = None

    def differences(self, bound: Binding) -> list[str]:
        """What a run with this set-up must not do to a stream that is bound so: a line each, with the way out."""
        stream = f"Stream {self.stream!r}"
        forget = f"`orders-sync forget --stream {self.stream}`, after which every order is sent again"
        rebind = "`orders-sync rebind`"
        lines = []
        if _differ(self.org, bound.org):
            what = f"the ledger's orders are in org {bound.org}, and the token is of {self.org}"
            lines.append(f"{stream}: {what}; if that is meant, {forget}")
        if self.module != bound.module:
            lines.append(
                f"{stream}: the ledger's orders are in module {bound.module}, and `module` is {self.module}; "
                f"if the module was renamed, {rebind}; if it is another one, {forget}"
            )
        if self.key_field != bound.key_field:
            lines.append(
                f"{stream}: the ledger's orders have their keys in {bound.key_field}, and `key_field` is "
                f"{self.key_field}; if that is meant, {forget}"
            )
        if _differ(self.source_table, bound.source_table):
            lines.append(
                f"{stream}: the ledger's orders are from table {bound.source_table}, and these are from "
                f"{self.source_table}; if it was renamed, {rebind}; if these are other orders, give them another "
                "`stream_name`"
            )
        if _differ(self.key_columns, bound.key_columns):
            renamed = f"if it was renamed, {rebind}; " if self.source_table is not None else ""
            lines.append(
                f"{stream}: the keys of the ledger's orders are made of {bound.key_columns}, and these of "
                f"{self.key_columns}, by which each order would be another one; {renamed}if that is meant, {forget}, "
                "beside its record by the former key"
            )
        return lines

    def shares_with(self, other: Binding) -> bool:
        """Whether both say that they share a module."""
        return self.shares_module and other.shares_module

    def meets(self, other: Binding) -> bool:
        """Whether two streams write to one module of one org."""
        return self.stream != other.stream and self.module == other.module and not _differ(self.org, other.org)


def key_columns_of(names: Iterable[str]) -> str:
    """What a binding says of a key that is made of these columns, in their order."""
    return ", ".join(names)[:KEY_COLUMNS_LENGTH]


def _differ(one: str | None, other: str | None) -> bool:
    return one is not None and other is not None and one != other


_FIELDS = tuple(field.name for field in fields(Binding))


def read_bindings(connection: sa.Connection, tables: LedgerTables) -> dict[str, Binding]:
    """Look up what the ledger's streams are bound to, by stream."""
    return {row[0]: Binding(*row) for row in connection.execute(_bindings(tables.stream))}


@cache
def _bindings(stream: sa.Table) -> sa.Select[Any]:
    return sa.select(*(stream.c[name] for name in _FIELDS))


def bindings_of(ledger: Ledger) -> dict[str, Binding]:
    """The same, by a connection of its own."""

    def look_up() -> dict[str, Binding]:
        with ledger.connect() as connection:
            return read_bindings(connection, ledger.tables)

    return ledger.with_retries(look_up)


def objections(
    connection: sa.Connection, tables: LedgerTables, wanted: Binding, bindings: Mapping[str, Binding]
) -> list[str]:
    """Why a run with this set-up may not write: differences from what the stream is bound to, and other streams."""
    bound = bindings.get(wanted.stream)
    lines = [] if bound is None else wanted.differences(bound)
    early = bound.of_early_version if bound is not None else made_by_early_version(connection, tables, wanted.stream)
    for other in bindings.values():
        if not wanted.meets(other) or wanted.shares_with(other):
            continue
        if not (early and other.of_early_version):
            lines.append(
                f"Stream {wanted.stream!r}: module {wanted.module} has the orders of stream {other.stream!r}; if these "
                f"are the same orders under a new name, `orders-sync rebind --from {other.stream}`; if they are others "
                "in one module, set `shares_module` for both streams"
            )
        elif bound is None:
            lines += _overlap(connection, tables, wanted, other)
    return lines


def made_by_early_version(connection: sa.Connection, tables: LedgerTables, stream: str) -> bool:
    """Whether version 0.1 ran this stream: its runs have no count of settlements."""
    run = tables.run
    query = (
        sa.select(run.c.run_id).where(run.c.stream == stream, run.c.settlements.is_(None), is_remembered(run)).limit(1)
    )
    return connection.execute(query).first() is not None


def _overlap(connection: sa.Connection, tables: LedgerTables, wanted: Binding, other: Binding) -> list[str]:
    """What is wrong with two streams that version 0.1 let share a module: keys that both have."""
    mine, theirs = tables.ack.alias("mine"), tables.ack.alias("theirs")
    both = (
        sa.select(mine.c.record_key)
        .join(theirs, sa.and_(theirs.c.stream == other.stream, theirs.c.record_key == mine.c.record_key))
        .where(mine.c.stream == wanted.stream, mine.c.zoho_id.is_not(None), theirs.c.zoho_id.is_not(None))
        .limit(SAMPLE_KEYS)
    )
    keys = connection.execute(both).scalars().all()
    if not keys:
        return []
    names = ", ".join(map(repr, sorted(keys))) + (" and perhaps more" if len(keys) == SAMPLE_KEYS else "")
    line = (
        f"Streams {wanted.stream!r} and {other.stream!r} share module {wanted.module}, and both have orders with these "
        f"keys: {names}; one record cannot be two orders: give one stream a module of its own and `orders-sync forget "
        f"--stream {wanted.stream}`, or filter those orders out of one and set `shares_module` for both"
    )
    return [line]


def bind(lease: Lease, wanted: Binding) -> Binding | None:
    """Bind the stream of a run, before its first write. Returns what it was bound to, if it was.

    Raises:
        SetUpChangedError: the set-up is another one than the ledger's, or another stream's module.
    """
    ledger = lease.ledger
    bound = ledger.with_retries(lambda: _look(ledger, wanted))
    if bound is not None and not _changes(wanted, bound):
        return bound

    def once() -> Binding | None:
        with lease.transaction() as connection:
            # Of two new streams of one module the second one sees the first.
            connection.execute(sa.update(ledger.tables.identity).values(only_row=1))
            found = _unopposed(connection, ledger, wanted)
            _write(connection, ledger, wanted, found)
            return found

    return ledger.with_retries(once)


def _look(ledger: Ledger, wanted: Binding) -> Binding | None:
    with ledger.connect() as connection:
        return _unopposed(connection, ledger, wanted)


def _unopposed(connection: sa.Connection, ledger: Ledger, wanted: Binding) -> Binding | None:
    bindings = read_bindings(connection, ledger.tables)
    lines = objections(connection, ledger.tables, wanted, bindings)
    if lines:
        raise SetUpChangedError(lines)
    return bindings.get(wanted.stream)


def _changes(wanted: Binding, bound: Binding) -> dict[str, Any]:
    """What a run knows otherwise, or anew; what it does not know stays."""
    fixed = {"of_early_version", "bookmark"}
    known = {name: getattr(wanted, name) for name in _FIELDS if name not in fixed}
    return {name: value for name, value in known.items() if value is not None and value != getattr(bound, name)}


def _write(connection: sa.Connection, ledger: Ledger, wanted: Binding, bound: Binding | None) -> None:
    table = ledger.tables.stream
    if bound is None:
        early = made_by_early_version(connection, ledger.tables, wanted.stream)
        new = replace(wanted, of_early_version=early)
        facts = {name: getattr(new, name) for name in _FIELDS} | {"bound_at": ledger.now(connection)}
        connection.execute(sa.insert(table), facts)
        return
    changes = _changes(wanted, bound)
    if changes:
        connection.execute(sa.update(table).where(table.c.stream == wanted.stream).values(changes))
