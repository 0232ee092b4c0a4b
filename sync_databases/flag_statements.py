"""Setting the flag of orders that are in the CRM.

It is set by compare-and-set: only where the order still has the version that was written. Versions are compared as
the texts that the tap sent, rendered by the same code in a session pinned alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec
import sqlalchemy as sa

from sync_databases.chunks import chunks_of
from sync_databases.columns import Column, Kind
from sync_databases.engines import Family
from sync_databases.exact_text import ExactText, exact_key
from sync_databases.flags import FlaggedTable, is_unset, yes
from sync_databases.key_sql import is_one_of, joined_key, version_text
from sync_databases.keys import KEY_LENGTH, split_key
from sync_databases.row_fingerprints import joined, row_fingerprint
from sync_databases.value_sql import Element, ValueSql

LISTED = 500
"""Orders named in one statement where a server takes no arrays."""

LISTED_FROM = 50
"""Fewer are set one by one there."""


ROW_SIGN = "@"
"""Stands before the fingerprint of the columns that were sent."""


def row_version(version: str, fingerprint: str) -> str:
    """What statements made `by_row` compare."""
    return f"{version}{ROW_SIGN}{fingerprint}"


_HEX = re.compile(r"[0-9a-f|]+")
"""Keys that may stand for bytes, as such are written."""


class FlagStatements:
    """The statements that set the flag of one table's orders, and read it."""

    def __init__(
        self, value_sql: ValueSql, table: FlaggedTable, columns: Mapping[str, Column], *, by_row: bool = False
    ) -> None:
        """`columns` describes at least those that `table` names.

        `by_row`: a version stands for the columns that are sent, too; see `row_version`.
        """
        self._value_sql = value_sql
        self._key = [columns[name] for name in table.key]
        self._version = columns[table.version]
        self._flag = columns[table.flag]
        names = dict.fromkeys((*table.key, table.version, table.flag, *table.sent))
        self.table = sa.table(table.table, *map(sa.column, names), schema=table.schema)
        self._elements: list[Element] = [self.table.c[name] for name in table.key]
        dialect = value_sql.dialect
        self._key_text = exact_key(joined_key(value_sql, self._key, self._elements), dialect)
        self._compared = version_text(value_sql, self._version, self.table.c[table.version])
        if by_row:
            sent = [columns[name] for name in table.sent]
            fingerprint = row_fingerprint(value_sql, sent, [self.table.c[name] for name in table.sent])
            if fingerprint is None:
                raise AssertionError("no tap takes fingerprints of rows here")
            self._compared = joined(value_sql, [self._compared, sa.literal_column(f"'{ROW_SIGN}'"), fingerprint])
        self._version_text = exact_key(self._compared, dialect)
        self._unset = is_unset(value_sql, self._flag, self.table.c[table.flag])
        self._listed: sa.Compiled | None = None

    def set(self, connection: sa.Connection, versions: Mapping[str, str]) -> None:
        """Set the flag of each order that still has this version; `versions` by key."""
        parts = {key: split_key(key, len(self._key)) for key in versions}
        ours = {key: version for key, version in versions.items() if parts[key] is not None}
        columns: list[list[str]] = [list(column) for column in zip(*(parts[key] or () for key in ours), strict=True)]
        if ours:
            write = _WRITERS.get(self._value_sql.engine.family, FlagStatements.set_each)
            write(self, connection, ours, columns)

    def state_of(self, key: str) -> sa.Select[Any]:
        """Read an order's version, as it is compared, and 1 where its flag is unset."""
        parts = split_key(key, len(self._key)) or ()
        wanted = is_one_of(self._value_sql, self._key, self._elements, [parts])
        exactly = self._key_text == sa.bindparam(None, key, type_=ExactText(KEY_LENGTH))
        return sa.select(self._compared, sa.case((self._unset, 1), else_=0)).where(wanted, exactly)

    def nothing(self) -> sa.Update:
        """A statement that sets no flag, for which the permission to do so is needed all the same."""
        return self._update().where(sa.literal_column("1") == sa.literal_column("0"))

    def set_each(self, connection: sa.Connection, versions: Mapping[str, str], columns: list[list[str]]) -> None:
        """Set them one by one, by one prepared statement."""
        bound: list[Sequence[Any]] = [
            list(map(bytes.fromhex, texts)) if self._takes_bytes(column) else texts
            for column, texts in zip(self._key, columns, strict=True)
        ]
        names = [f"part_{index}" for index in range(len(columns))]
        rows = [
            dict(zip(("key", "version", *names), row, strict=True))
            for row in zip(versions, versions.values(), *bound, strict=True)
        ]
        result = connection.execute(self.single(), rows)
        if self._value_sql.engine.values_have_types and result.rowcount < len(rows):
            self._set_odd(connection, versions)

    def _set_odd(self, connection: sa.Connection, versions: Mapping[str, str]) -> None:
        """Set those whose keys may be of other classes than their columns say: a BLOB in a column of texts."""
        exact = ExactText(KEY_LENGTH)
        for key, version in versions.items():
            if _HEX.fullmatch(key):
                wanted = is_one_of(self._value_sql, self._key, self._elements, [split_key(key, len(self._key)) or ()])
                exactly = self._key_text == sa.bindparam(None, key, type_=exact)
                same = self._version_text == sa.bindparam(None, version, type_=exact)
                connection.execute(self._update().where(wanted, exactly, same))

    def single(self) -> sa.Update:
        """The statement for one order, whose parameters are key, version and the key's parts."""
        parts = [
            self._value_sql.back(
                column,
                sa.bindparam(f"part_{index}", type_=sa.LargeBinary() if self._takes_bytes(column) else sa.String()),
            )
            for index, column in enumerate(self._key)
        ]
        exact = ExactText(KEY_LENGTH)
        return self._update().where(
            *(element == part for element, part in zip(self._elements, parts, strict=True)),
            self._key_text == sa.bindparam("key", type_=exact),
            self._version_text == sa.bindparam("version", type_=exact),
        )

    def _takes_bytes(self, column: Column) -> bool:
        return column.kind is Kind.BINARY and not self._value_sql.engine.reads_hex

    def set_by_arrays(self, connection: sa.Connection, versions: Mapping[str, str], columns: list[list[str]]) -> None:
        """Send keys and versions as JSON arrays that PostgreSQL unpacks: one statement for all."""
        arrays = [list(versions), list(versions.values()), *columns]
        unpacked = [
            sa.func.json_array_elements_text(
                sa.cast(sa.literal(msgspec.json.encode(array).decode(), sa.Text), sa.JSON), type_=sa.Text
            ).label(f"a{index}")
            for index, array in enumerate(arrays)
        ]
        given = sa.select(*unpacked).subquery("given")
        key, version, *parts = given.c
        connection.execute(
            self._update().where(
                *(
                    element == self._value_sql.back(column, part)
                    for element, column, part in zip(self._elements, self._key, parts, strict=True)
                ),
                self._key_text == key,
                self._version_text == version,
            )
        )

    def set_by_lists(self, connection: sa.Connection, versions: Mapping[str, str], columns: list[list[str]]) -> None:
        """Name many orders in each statement, which is made once: the last one repeats its last order."""
        if len(versions) < LISTED_FROM:
            self.set_each(connection, versions, columns)
            return
        if self._listed is None:
            self._listed = self._list_statement().compile(dialect=connection.dialect)
        for chunk in chunks_of(zip(versions, versions.values(), *columns, strict=True), LISTED):
            rows = [*chunk, *[chunk[-1]] * (LISTED - len(chunk))]
            parameters = {
                f"{name}_{number}": value
                for number, row in enumerate(rows)
                for name, value in zip(self._names(), row, strict=True)
            }
            connection.exec_driver_sql(str(self._listed), {**self._listed.params, **parameters})

    def _names(self) -> list[str]:
        return ["key", "version", *(f"part_{index}" for index in range(len(self._key)))]

    def _list_statement(self) -> sa.Update:
        def given(name: str, number: int) -> Element:
            return sa.bindparam(f"{name}_{number}", type_=sa.String())

        keys = [
            [self._value_sql.back(column, given(f"part_{index}", number)) for index, column in enumerate(self._key)]
            for number in range(LISTED)
        ]
        if len(self._key) == 1:
            among: Element = self._elements[0].in_([parts[0] for parts in keys])
        else:
            among = sa.or_(
                *(sa.and_(*(e == part for e, part in zip(self._elements, parts, strict=True))) for parts in keys)
            )
        pairs = [sa.tuple_(given("key", number), given("version", number)) for number in range(LISTED)]
        exact = sa.tuple_(self._key_text, self._version_text)
        return self._update().where(among, exact.in_(pairs))

    def _update(self) -> sa.Update:
        values: dict[str, Element] = {self._flag.name: yes(self._value_sql, self._flag)}
        if self._value_sql.engine.touches_timestamps:
            values[self._version.name] = self.table.c[self._version.name]  # else ON UPDATE CURRENT_TIMESTAMP sets it
        return sa.update(self.table).values(values).where(self._unset)


_Write = Callable[[FlagStatements, sa.Connection, Mapping[str, str], list[list[str]]], None]

_WRITERS: Mapping[Family, _Write] = {
    Family.POSTGRESQL: FlagStatements.set_by_arrays,
    Family.MYSQL: FlagStatements.set_by_lists,
}
