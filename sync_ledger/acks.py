"""Acks: what became of each order, written 25,000 in one go by each engine's own upsert."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, dataclass, fields
from datetime import datetime
from functools import cache
from itertools import chain, islice
from typing import Any

import msgspec
import sqlalchemy as sa

from sync_databases import dialects
from sync_databases.chunks import chunks_of, lookup_chunks
from sync_databases.engines import Family, engine_of
from sync_ledger.ack_updates import Likeness, ack_updates
from sync_ledger.tables import CODE_LENGTH, FIELD_LENGTH, MESSAGE_LENGTH, AckStatus
from sync_ledger.tries import tries_of

ROWS_AT_A_TIME = 5_000
"""Rows made ready at a time; more would only take more memory."""

ROWS_PER_STATEMENT_SQLITE = 25
"""Half the time of one row a statement; more save nothing. Their parameters fit old limits (999)."""

ROWS_PER_STATEMENT_MYSQL = 200
"""A tenth of a second for 25,000 round trips less."""

LONG_ROWS_PER_STATEMENT_MYSQL = 40
"""So that even the longest texts fit the smallest packet in use, of 256 KiB."""
SHORT_KEY = 64


@dataclass(frozen=True, slots=True)
class Ack:
    """One row of the ack table. Timestamps are naive UTC by the ledger database's clock."""

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
    failing_since: datetime | None = None
    """When the calls of this version began to fail with answers that blame nobody; the first one stays."""
    job_id: str | None = None
    run_id: str | None = None
    payload_hash: str | None = None
    content: str | None = None
    content_form: str | None = None
    field_marks: str | None = None
    """What is known of fields that may belong to people; None leaves what is there."""
    mapping_number: int | None = None
    """The mapping that the order was written by; None where this is no write of it."""
    folded_key: str | None = None
    """The key as Zoho's unique field may see it, where that differs from the key itself."""
    packed_at: datetime | None = None
    """When the history took this outcome, packed with others; that of an earlier one stays."""


COLUMNS = tuple(field.name for field in fields(Ack))
_DEFAULTS = {field.name: field.default for field in fields(Ack) if field.default is not MISSING}
_KEY = ("stream", "record_key")
_CUT = {"error_code": CODE_LENGTH, "error_field": FIELD_LENGTH, "error_message": MESSAGE_LENGTH}


class Acks:
    """Acks in columns: what they have in common once, and lists of equal length of what differs."""

    def __init__(self, common: Mapping[str, Any], differing: Mapping[str, Sequence[Any]]) -> None:
        """`differing` holds at least `record_key`; columns named in neither take the defaults of `Ack`."""
        self.common = {**_DEFAULTS, **common}
        for name in differing:
            self.common.pop(name, None)
        self.common["status"] = AckStatus(self.common["status"]).value if "status" in self.common else None
        # A name that a user chose is a parameter like those that differ, never part of the statement's text.
        stream = [self.common.pop("stream")] * len(differing["record_key"]) if "stream" in self.common else None
        self.differing = dict(differing) if stream is None else {"stream": stream, **differing}
        if "status" in self.differing:
            del self.common["status"]
        missing = set(COLUMNS) - self.common.keys() - self.differing.keys()
        if missing:
            raise ValueError(f"acks without {', '.join(sorted(missing))}")

    @classmethod
    def of(cls, acks: Sequence[Ack]) -> Acks:
        """Put single acks into columns."""
        differing: dict[str, list[Any]] = {name: [getattr(ack, name) for ack in acks] for name in COLUMNS}
        differing["status"] = [status.value for status in differing["status"]]
        for name, length in _CUT.items():
            differing[name] = [text and text[:length] for text in differing[name]]
        return cls({}, differing)

    def __len__(self) -> int:
        """How many."""
        return len(self.differing["record_key"])

    def likeness(self, *, of_job: bool) -> Likeness:
        """What these acks have in common that makes the upsert shorter."""
        unknown = frozenset(name for name, value in self.common.items() if value is None)
        return Likeness(of_job, unknown, all_synced=self.common.get("status") == AckStatus.SYNCED.value)


def write_acks(connection: sa.Connection, table: sa.Table, acks: Acks, *, of_job: bool = False) -> bool:
    """Insert or replace the acks in one go; keys must differ from each other.

    `attempts` is added to what is there when version and content are the same, and starts afresh for others.
    `of_job`: an ack that is there by now from elsewhere than the same job is left as it is. Returns whether surely all
    were written; `from_elsewhere` finds the others.
    """
    if not len(acks):
        return True
    write = _WRITERS.get(engine_of(connection.dialect).family, _write_anywhere)
    return write(connection, table, acks, acks.likeness(of_job=of_job))


def from_elsewhere(
    connection: sa.Connection, table: sa.Table, stream: str, job_id: str, keys: Iterable[str]
) -> set[str]:
    """Those of `keys` whose ack is not from this job."""
    found: set[str] = set()
    others = sa.or_(table.c.job_id.is_(None), table.c.job_id != job_id)
    query = sa.select(table.c.record_key).where(table.c.stream == stream, others)
    for chunk in lookup_chunks(connection, keys):
        found.update(connection.execute(query.where(table.c.record_key.in_(chunk))).scalars())
    return found


def has_long_numbers(connection: sa.Connection, table: sa.Table, stream: str) -> bool:
    """Whether a key may be a number with zeros behind its point: a look at the index."""
    long = table.c.record_key.like("%.%0%")
    query = sa.select(sa.literal(1)).where(table.c.stream == stream, long).limit(1)
    return connection.execute(query).first() is not None


def synced_at(
    connection: sa.Connection,
    table: sa.Table,
    stream: str,
    versions: Mapping[str, str],
    contents: Mapping[str, str],
    form: str | None,
) -> set[str]:
    """Find which orders are confirmed to be in the CRM at just these versions, given by key.

    Those that have `contents` must have just these in this form, or have needed none.
    """
    found: set[str] = set()
    query = sa.select(table.c.record_key, table.c.version, table.c.content, table.c.content_form).where(
        table.c.stream == stream, table.c.status == AckStatus.SYNCED.value
    )
    for chunk in lookup_chunks(connection, versions):
        for key, version, acked, acked_form in connection.execute(query.where(table.c.record_key.in_(chunk))):
            known = key not in contents or (acked is None and acked_form is not None)
            if versions[key] == version and (known or (contents[key], form) == (acked, acked_form)):
                found.add(key)
    return found


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
    for chunk in lookup_chunks(connection, keys):
        count += connection.execute(due.where(table.c.record_key.in_(chunk))).rowcount
    return count


def count_by_status(connection: sa.Connection, table: sa.Table, stream: str) -> dict[str, int]:
    """Count the stream's acks by status."""
    query = sa.select(table.c.status, sa.func.count()).where(table.c.stream == stream).group_by(table.c.status)
    return {row[0]: row[1] for row in connection.execute(query)}


def _write_sqlite(connection: sa.Connection, table: sa.Table, acks: Acks, alike: Likeness) -> bool:
    upsert = _sqlite_upsert(table, connection.dialect, alike)
    return _execute_rows(connection, upsert, table, acks, alike, "?", ROWS_PER_STATEMENT_SQLITE) == len(acks)


@cache
def _sqlite_upsert(table: sa.Table, dialect: sa.Dialect, alike: Likeness) -> str:
    statement = dialects.sqlite.insert(table).values(_places(alike))
    excluded = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=list(_KEY),
        set_=dict(ack_updates(table, COLUMNS, lambda name: excluded[name], alike)),
        where=table.c.job_id == excluded.job_id if alike.of_job else None,
    )
    return str(statement.inline().compile(dialect=dialect))


def _write_mysql(connection: sa.Connection, table: sa.Table, acks: Acks, alike: Likeness) -> bool:
    upsert = _mysql_upsert(table, connection.dialect, alike)
    # A row that is replaced counts twice, one that is left as it is once.
    short = "error_message" not in acks.differing and max(map(len, acks.differing["record_key"])) <= SHORT_KEY
    rows = ROWS_PER_STATEMENT_MYSQL if short else LONG_ROWS_PER_STATEMENT_MYSQL
    return _execute_rows(connection, upsert, table, acks, alike, "%s", rows) == 2 * len(acks)


@cache
def _mysql_upsert(table: sa.Table, dialect: sa.Dialect, alike: Likeness) -> str:
    # VALUES(col), since MariaDB knows no other name for the row that was to be inserted.
    updates = ack_updates(table, COLUMNS, lambda name: sa.func.VALUES(table.c[name]), alike)
    if alike.of_job:  # there is no WHERE here, and no assignment changes the job of a row that it is about
        ours = table.c.job_id == sa.func.VALUES(table.c.job_id)
        updates = [(name, sa.case((ours, value), else_=table.c[name])) for name, value in updates]
    statement = dialects.mysql.insert(table).values(_places(alike)).on_duplicate_key_update(updates)
    return str(statement.inline().compile(dialect=dialect))


_PLACE = "row_goes_here"


def _places(alike: Likeness) -> dict[str, sa.ColumnElement[Any]]:
    """What stands for a row: its columns without those that are NULL in all, which cost a step a row where named."""
    return {name: sa.literal_column(_PLACE) for name in COLUMNS if name not in alike.unknown}


def _execute_rows(
    connection: sa.Connection,
    upsert: str,
    table: sa.Table,
    acks: Acks,
    alike: Likeness,
    parameter: str,
    rows: int,
) -> int:
    """Run the `upsert` of `_places` for all rows, `rows` of them a statement, by the driver itself; gives its count.

    What differs are parameters of each row; what is common stands in the text. So a statement is prepared once for many
    rows, and SQLAlchemy's own parameter handling, which costs as much again, is left out.
    """
    dialect = connection.dialect
    places = _places(alike)
    head, found, tail = upsert.partition(f"({', '.join([_PLACE] * len(places))})")
    if not found:
        raise AssertionError("SQLAlchemy writes INSERT statements otherwise than expected")
    compiler = dialect.statement_compiler(dialect, None)
    cells = []
    written = [column for column in table.columns if column.name in places]
    for column in written:
        if column.name in acks.differing:
            cells.append(parameter)
        else:
            cells.append(compiler.render_literal_value(acks.common[column.name], column.type))
    row = f"({', '.join(cells)})"
    columns = [_driver_values(column, acks, dialect) for column in written if column.name in acks.differing]
    values = chain.from_iterable(zip(*columns, strict=True))
    full, rest = divmod(len(acks), rows)
    size = rows * len(columns)
    text = f"{head}{', '.join([row] * rows)}{tail}"
    count = 0
    for few in chunks_of(range(full), max(1, ROWS_AT_A_TIME // rows)):
        count += connection.exec_driver_sql(text, [tuple(islice(values, size)) for _ in few]).rowcount
    if rest:
        count += connection.exec_driver_sql(f"{head}{', '.join([row] * rest)}{tail}", tuple(values)).rowcount
    return count


def _driver_values(column: sa.Column[Any], acks: Acks, dialect: sa.Dialect) -> Sequence[Any]:
    """What the driver takes: on the engines that come here only timestamps differ from what Python holds."""
    values = acks.differing[column.name]
    processor = column.type.dialect_impl(dialect).bind_processor(dialect) if _is_timestamp(column) else None
    if processor is None:
        return values
    processed = {value: processor(value) for value in set(values)}
    return [processed[value] for value in values]


def _is_timestamp(column: sa.Column[Any]) -> bool:
    return isinstance(column.type, sa.DateTime)


def _write_postgresql(connection: sa.Connection, table: sa.Table, acks: Acks, alike: Likeness) -> bool:
    """Send each column as one JSON array that the server unpacks: measured faster than arrays or many rows."""
    upsert = _postgresql_upsert(table, connection.dialect, frozenset(acks.differing), alike)
    arrays = {name: msgspec.json.encode(values).decode() for name, values in acks.differing.items()}
    return connection.exec_driver_sql(upsert, {**acks.common, **arrays}).rowcount == len(acks)


@cache
def _postgresql_upsert(table: sa.Table, dialect: sa.Dialect, differing: frozenset[str], alike: Likeness) -> str:
    columns: list[sa.ColumnElement[Any]] = []
    for name in COLUMNS:
        kind = table.c[name].type
        value: sa.ColumnElement[Any] = sa.bindparam(name, type_=sa.Text if name in differing else kind)
        if name in differing:
            value = sa.func.json_array_elements_text(sa.cast(value, dialects.postgresql.JSON))
        columns.append(sa.cast(value, kind.dialect_impl(dialect)).label(name))
    statement = dialects.postgresql.insert(table).from_select(list(COLUMNS), sa.select(*columns))
    excluded = statement.excluded
    statement = statement.on_conflict_do_update(
        index_elements=list(_KEY),
        set_=dict(ack_updates(table, COLUMNS, lambda name: excluded[name], alike)),
        where=table.c.job_id == excluded.job_id if alike.of_job else None,
    )
    return str(statement.compile(dialect=dialect))


def _write_anywhere(connection: sa.Connection, table: sa.Table, acks: Acks, alike: Likeness) -> bool:
    """Update what is there, insert the rest: for engines without an upsert of their own here."""
    names = tuple(acks.differing)
    rows = [acks.common | dict(zip(names, row, strict=True)) for row in zip(*acks.differing.values(), strict=True)]
    by_stream: dict[str, dict[str, dict[str, Any]]] = {}
    for row in rows:
        by_stream.setdefault(row["stream"], {})[row["record_key"]] = row
    for stream, by_key in by_stream.items():
        present = tries_of(connection, table, stream, by_key)
        updates = [{f"new_{name}": value for name, value in by_key[key].items()} for key in by_key if key in present]
        if updates:
            connection.execute(_plain_update(table, alike), updates)
        inserts = [row for key, row in by_key.items() if key not in present]
        if inserts:
            connection.execute(sa.insert(table), inserts)
    return not alike.of_job


def _plain_update(table: sa.Table, alike: Likeness) -> sa.Update:
    def new(name: str) -> sa.ColumnElement[Any]:
        return sa.bindparam(f"new_{name}", type_=table.c[name].type)

    ours = [table.c.job_id == new("job_id")] if alike.of_job else []
    return (
        sa.update(table)
        .where(table.c.stream == new("stream"), table.c.record_key == new("record_key"), *ours)
        .values(dict(ack_updates(table, COLUMNS, new, alike)))
    )


_WRITERS: dict[Family, Callable[[sa.Connection, sa.Table, Acks, Likeness], bool]] = {
    Family.SQLITE: _write_sqlite,
    Family.POSTGRESQL: _write_postgresql,
    Family.MYSQL: _write_mysql,
}
