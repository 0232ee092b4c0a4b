"""Acks: what became of each order, written 25,000 in one go by each engine's own upsert."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import islice
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects import mysql, postgresql, sqlite

from sync_ledger.tables import CODE_LENGTH, FIELD_LENGTH, MESSAGE_LENGTH, AckStatus

KEYS_PER_LOOKUP = 5_000
"""Keys in one IN list: below the bind limits of PostgreSQL (65,535) and SQLite (32,766)."""

KEYS_PER_LOOKUP_ELSEWHERE = 900
"""Oracle takes 1,000 values in a list, SQL Server 2,100 parameters in a statement."""


@dataclass(frozen=True, slots=True)
class Ack:
    """One row of the ack table. Moments are naive UTC by the ledger database's clock."""

    stream: str
    record_key: str
    version: str
    status: AckStatus
    acked_at: datetime
    zoho_id: str | None = None
    action: str | None = None
    channel: str | None = None
    family: str | None = None
    error_code: str | None = None
    error_field: str | None = None
    error_message: str | None = None
    attempts: int = 1
    """Tries to add to those that the ledger already counts for this version."""
    next_attempt_at: datetime | None = None
    job_id: str | None = None
    run_id: str | None = None
    payload_hash: str | None = None
    folded_key: str | None = None
    """The key as Zoho's unique field may see it, where that differs from the key itself."""


COLUMNS = tuple(field.name for field in fields(Ack))
_KEY = ("stream", "record_key")
_KEPT_WHEN_UNKNOWN = ("zoho_id", "action", "payload_hash")
"""A refusal knows no CRM id; the id that an earlier version got stays."""


def write_acks(connection: sa.Connection, table: sa.Table, acks: Sequence[Ack]) -> None:
    """Insert or replace the acks in one go; keys must differ from each other.

    `attempts` is added to what is there when the version is the same, and starts afresh for another version.
    """
    if not acks:
        return
    writer = _WRITERS.get(connection.dialect.name, _write_anywhere)
    writer(connection, table, [_bounded(ack) if ack.error_code or ack.error_message else ack for ack in acks])


def _bounded(ack: Ack) -> Ack:
    """Cut what a server said to what the ledger keeps of it."""
    return replace(
        ack,
        error_code=ack.error_code and ack.error_code[:CODE_LENGTH],
        error_field=ack.error_field and ack.error_field[:FIELD_LENGTH],
        error_message=ack.error_message and ack.error_message[:MESSAGE_LENGTH],
    )


def attempts_of(
    connection: sa.Connection, table: sa.Table, stream: str, keys: Iterable[str]
) -> dict[str, tuple[str, int]]:
    """Look up version and attempts of those keys that have an ack."""
    found: dict[str, tuple[str, int]] = {}
    for chunk in chunks_of(keys, lookup_size(connection.dialect.name)):
        query = sa.select(table.c.record_key, table.c.version, table.c.attempts).where(
            table.c.stream == stream, table.c.record_key.in_(chunk)
        )
        found.update((key, (version, attempts)) for key, version, attempts in connection.execute(query))
    return found


def folded_twins(connection: sa.Connection, table: sa.Table, stream: str, folded: Mapping[str, str]) -> dict[str, str]:
    """Find other orders in the CRM, or on their way, whose key coincides once folded.

    `folded` maps keys to their folded form. Returns key -> the other order's key.
    """
    by_fold: dict[str, list[str]] = {}
    for key, fold in folded.items():
        by_fold.setdefault(fold, []).append(key)
    owned = sa.or_(table.c.zoho_id.is_not(None), table.c.status == AckStatus.SUBMITTED.value)
    size = lookup_size(connection.dialect.name)
    twins: dict[str, str] = {}

    def note(fold: str, other: str) -> None:
        twins.update((key, other) for key in by_fold[fold] if key != other)

    has_folded = sa.select(sa.exists().where(table.c.stream == stream, table.c.folded_key.is_not(None)))
    if connection.execute(has_folded).scalar():
        query = sa.select(table.c.folded_key, table.c.record_key).where(table.c.stream == stream, owned)
        for chunk in chunks_of(by_fold, size):
            for fold, other in connection.execute(query.where(table.c.folded_key.in_(chunk))):
                note(fold, other)
    # A key that is its own folded form is found by the primary key.
    changed = [fold for fold, keys in by_fold.items() if any(key != fold for key in keys)]
    query = sa.select(table.c.record_key).where(table.c.stream == stream, owned)
    for chunk in chunks_of(changed, size):
        for other in connection.execute(query.where(table.c.record_key.in_(chunk))).scalars():
            note(other, other)
    return twins


def make_due(
    connection: sa.Connection,
    table: sa.Table,
    *,
    stream: str,
    keys: Iterable[str],
    job_id: str,
    now: datetime,
    code: str,
) -> int:
    """Give back the `submitted` orders of one job: they are due again at once. Returns how many."""
    due = (
        sa.update(table)
        .where(table.c.stream == stream, table.c.job_id == job_id, table.c.status == AckStatus.SUBMITTED.value)
        .values(
            status=AckStatus.REJECTED.value,
            family="transient",
            error_code=code,
            error_field=None,
            error_message=None,
            next_attempt_at=now,
            acked_at=now,
        )
    )
    count = 0
    for chunk in chunks_of(keys, lookup_size(connection.dialect.name)):
        count += connection.execute(due.where(table.c.record_key.in_(chunk))).rowcount
    return count


def count_by_status(connection: sa.Connection, table: sa.Table, stream: str) -> dict[str, int]:
    """Count the stream's acks by status."""
    query = sa.select(table.c.status, sa.func.count()).where(table.c.stream == stream).group_by(table.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def lookup_size(dialect_name: str) -> int:
    """How many keys one IN list may hold on this engine."""
    return KEYS_PER_LOOKUP if dialect_name in _WRITERS else KEYS_PER_LOOKUP_ELSEWHERE


def chunks_of(items: Iterable[str], size: int) -> Iterator[list[str]]:
    """Split into lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def _columns(table: sa.Table, acks: Sequence[Ack], dialect: sa.Dialect) -> list[list[Any]]:
    """Turn acks into columns of driver values: one list a column of the table, in the order of `COLUMNS`."""
    columns: list[list[Any]] = []
    for name in COLUMNS:
        values = [getattr(ack, name) for ack in acks]
        if name == "status":
            values = [status.value for status in values]
        processor = table.c[name].type.dialect_impl(dialect).bind_processor(dialect)
        if processor:  # only moments have one, and most acks of a write share them
            processed = {value: processor(value) for value in set(values)}
            values = [processed[value] for value in values]
        columns.append(values)
    return columns


def _updates(table: sa.Table, new: Callable[[str], sa.ColumnElement[Any]]) -> list[tuple[str, sa.ColumnElement[Any]]]:
    """The assignments of the upsert; `attempts` first, since MySQL reads assignments from left to right."""
    attempts = sa.case((table.c.version == new("version"), table.c.attempts + new("attempts")), else_=new("attempts"))
    updates: list[tuple[str, sa.ColumnElement[Any]]] = [("attempts", attempts)]
    for name in COLUMNS:
        if name in _KEPT_WHEN_UNKNOWN:
            updates.append((name, sa.func.coalesce(new(name), table.c[name])))
        elif name not in _KEY and name != "attempts":
            updates.append((name, new(name)))
    return updates


def _write_sqlite(connection: sa.Connection, table: sa.Table, acks: Sequence[Ack]) -> None:
    statement = sqlite.insert(table).values({name: sa.bindparam(name) for name in COLUMNS})
    excluded = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=list(_KEY), set_=dict(_updates(table, lambda name: excluded[name]))
    )
    _execute_rows(connection, statement, table, acks)


def _write_mysql(connection: sa.Connection, table: sa.Table, acks: Sequence[Ack]) -> None:
    statement = mysql.insert(table).values({name: sa.bindparam(name) for name in COLUMNS})
    # VALUES(col), because PyMySQL joins rows into one statement only when nothing but ON DUPLICATE follows the row.
    statement = statement.on_duplicate_key_update(_updates(table, lambda name: sa.func.VALUES(table.c[name])))
    _execute_rows(connection, statement, table, acks)


def _execute_rows(connection: sa.Connection, statement: sa.Insert, table: sa.Table, acks: Sequence[Ack]) -> None:
    """Run the statement for all rows by the driver itself: SQLAlchemy's own parameter handling costs as much again."""
    compiled = statement.compile(dialect=connection.dialect)
    columns = dict(zip(COLUMNS, _columns(table, acks, connection.dialect), strict=True))
    if compiled.positiontup is not None:
        rows: list[Any] = list(zip(*(columns[name] for name in compiled.positiontup), strict=True))
    else:
        rows = [dict(zip(COLUMNS, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    connection.exec_driver_sql(str(compiled), rows)


def _write_postgresql(connection: sa.Connection, table: sa.Table, acks: Sequence[Ack]) -> None:
    """Send one JSON document and let the server take it apart: measured faster than arrays or many rows."""
    document = msgspec.json.encode(acks).decode()
    columns = [sa.column(name, table.c[name].type.dialect_impl(connection.dialect)) for name in COLUMNS]
    new = sa.func.json_to_recordset(sa.cast(sa.literal(document, sa.Text), postgresql.JSON)).table_valued(*columns)
    new = new.render_derived(name="new_acks", with_types=True)
    statement = postgresql.insert(table).from_select(list(COLUMNS), sa.select(*(new.c[name] for name in COLUMNS)))
    excluded = statement.excluded
    connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(_KEY), set_=dict(_updates(table, lambda name: excluded[name]))
        )
    )


def _write_anywhere(connection: sa.Connection, table: sa.Table, acks: Sequence[Ack]) -> None:
    """Update what is there, insert the rest: for engines without an upsert of their own here."""
    by_stream: dict[str, dict[str, Ack]] = {}
    for ack in acks:
        by_stream.setdefault(ack.stream, {})[ack.record_key] = ack
    for stream, by_key in by_stream.items():
        present = attempts_of(connection, table, stream, by_key)
        updates = [_parameters(ack) for key, ack in by_key.items() if key in present]
        if updates:
            connection.execute(_plain_update(table), [{f"new_{k}": v for k, v in row.items()} for row in updates])
        inserts = [_parameters(ack) for key, ack in by_key.items() if key not in present]
        if inserts:
            connection.execute(sa.insert(table), inserts)


def _plain_update(table: sa.Table) -> sa.Update:
    def new(name: str) -> sa.ColumnElement[Any]:
        return sa.bindparam(f"new_{name}", type_=table.c[name].type)

    return (
        sa.update(table)
        .where(table.c.stream == new("stream"), table.c.record_key == new("record_key"))
        .values(dict(_updates(table, new)))
    )


def _parameters(ack: Ack) -> dict[str, Any]:
    values = {name: getattr(ack, name) for name in COLUMNS}
    values["status"] = ack.status.value
    return values


_WRITERS: dict[str, Callable[[sa.Connection, sa.Table, Sequence[Ack]], None]] = {
    "sqlite": _write_sqlite,
    "postgresql": _write_postgresql,
    "mysql": _write_mysql,
    "mariadb": _write_mysql,
}
