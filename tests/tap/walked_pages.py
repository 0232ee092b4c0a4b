"""Tables of one odd column each, and walks through their pages: whether each order is read once, and none is left."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa
from page_types import PageType
from small_shop import LONG_AGO

from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus
from tap_legacy_orders.followed_orders import FollowedOrders
from tap_legacy_orders.reading_scope import ReadingScope, choose_scope
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

SECOND = "'2024-03-01 10:00:00'"
EMPTY = {"''", "x''", r"'\x'"}
"""What makes no key by itself."""

ODD_SESSIONS = {
    "mysql": {
        "init_command": "SET SESSION sql_mode = 'TRADITIONAL,PAD_CHAR_TO_FULL_LENGTH,ORACLE,ANSI',"
        " time_zone = '+05:30', max_sort_length = 64"
    },
    "postgresql": {
        "options": "-c DateStyle=German,DMY -c TimeZone=Asia/Kolkata -c IntervalStyle=iso_8601"
        " -c extra_float_digits=-10 -c bytea_output=escape -c array_nulls=off"
    },
}

MOST_PAGES = 400
"""More than any of these tables has: a walk that goes on does not end."""


class Tables:
    """One database of one engine."""

    def __init__(self, url: str) -> None:
        self.odd_url = sa.make_url(url).update_query_dict(ODD_SESSIONS.get(sa.make_url(url).get_backend_name(), {}))
        """Leads to sessions whose settings are those of nobody's server: what texts depend on is pinned."""
        self.engine = sa.create_engine(url, poolclass=sa.pool.StaticPool)
        self.dialect = self.engine.dialect.name
        self.ledger = Ledger.open(url)
        self.ledger.ensure_tables()
        self._count = 0
        self._prepared: set[str] = set()
        if self.dialect == "mysql":
            # Dates that are none stand in a table since a time when its server took them.
            self.sql("SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO'")

    @classmethod
    @contextmanager
    def opened(cls, url: str) -> Iterator[Tables]:
        tables = cls(url)
        try:
            yield tables
        finally:
            tables.engine.dispose()
            tables.ledger.close()

    def sql(self, *statements: str) -> None:
        with self.engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement, execution_options={"no_parameters": True})

    def prepare(self, kind: PageType) -> None:
        """Make what a type needs, once."""
        if kind.name not in self._prepared:
            self._prepared.add(kind.name)
            self.sql(*kind.setup)

    def made(self, columns: str, rows: Iterable[str]) -> str:
        """Make a table; rows are SQL."""
        self._count += 1
        name = f"orders_{self._count}"
        values = ", ".join(f"({row})" for row in rows)
        self.sql(f"CREATE TABLE {name} ({columns})", f"INSERT INTO {name} VALUES {values}")
        return name

    @property
    def moment_type(self) -> str:
        return {"mysql": "DATETIME(6)", "postgresql": "TIMESTAMP"}.get(self.dialect, "DATETIME")

    def count(self, table: str) -> int:
        with self.engine.connect() as connection:
            return int(connection.exec_driver_sql(f"SELECT COUNT(*) FROM {table}").scalar_one())


class Walk:
    """The pages of one table, as the tap reads them."""

    def __init__(self, tables: Tables, table: str, **config: Any) -> None:
        self.tables = tables
        self.table = table
        settings = {
            "sqlalchemy_url": tables.odd_url.render_as_string(hide_password=False),
            "ack_url": tables.odd_url.render_as_string(hide_password=False),
            "orders_table": table,
            "stream_name": table,
            "settle_seconds": 0,
            "columns": ["n"],
            **config,
        }
        self.tap = TapLegacyOrders(config=settings)
        stream = self.tap.streams[table]
        self.source = self.tap.orders_source(table, stream._columns, None)  # noqa: SLF001 - without output
        self.contents = stream._contents(self.source)  # noqa: SLF001
        self.versions: dict[str, str] = {}
        self.pages_read = 0

    def keys(self, size: int, scope: ReadingScope | None = None) -> list[str]:
        """The keys that one run reads."""
        return [key for keys, _ in self.pages(size, scope) for key in keys]

    def pages(self, size: int, scope: ReadingScope | None = None) -> list[tuple[list[str], str | None]]:
        """Keys and bookmark of each page of one run."""
        self.source.settings = replace(self.source.settings, page_size=size)
        found = []
        for page in UnsyncedOrders(self.source, contents=self.contents).pages_of(scope or self.whole):
            keys, versions = (list(page.columns[page.key_at + place]) for place in (0, 1))
            self.versions.update(zip(keys, versions, strict=True))
            found.append((keys, page.bookmark))
            assert len(found) < MOST_PAGES, f"no end of pages of {size}"
        self.pages_read += len(found)
        return found

    @cached_property
    def whole(self) -> ReadingScope:
        """What a run without STATE reads."""
        return self.since(None)

    def since(self, bookmark: str | None) -> ReadingScope:
        """What a run reads that begins where another one came to."""
        return choose_scope(self.source, bookmark)

    def follow(self) -> FollowedOrders:
        """The same orders, followed."""
        return FollowedOrders(self.source, self.contents)

    def ack(self, keys: Iterable[str], status: AckStatus) -> None:
        """Write what the target would."""
        ack = self.tables.ledger.tables.ack
        common = {
            "stream": self.table,
            "status": status.value,
            "next_attempt_at": LONG_AGO if status is AckStatus.REJECTED else None,
            "attempts": 1,
            "content_form": "none",
            "acked_at": LONG_AGO,
        }
        rows = [common | {"record_key": key, "version": self.versions[key]} for key in set(keys)]
        with self.tables.ledger.begin() as connection:
            connection.execute(sa.delete(ack).where(ack.c.stream == self.table))
            if rows:
                connection.execute(sa.insert(ack), rows)

    @classmethod
    @contextmanager
    def opened(cls, tables: Tables, table: str, **config: Any) -> Iterator[Walk]:
        walk = cls(tables, table, **config)
        try:
            yield walk
        finally:
            walk.tap.engine.dispose()
            walk.source.ledger.close()


def differs(found: Iterable[str], expected: Iterable[str]) -> str | None:
    """What was lost and what was read twice; None where nothing was."""
    have, want = Counter(found), Counter(expected)
    lost, more = want - have, have - want
    return f"lost {dict(lost)}, too often {dict(more)}" if lost or more else None


def key_table(tables: Tables, kind: PageType, key: Sequence[str]) -> str:
    """A table with the column `k` as key, or as a part of a composite one, beside the number `n`."""
    if len(key) == 1:
        rows = [f"{value}, {n}, {SECOND}" for n, value in enumerate(each for each in kind.values if each not in EMPTY)]
    else:
        rows = [f"{value}, {n}, {SECOND}" for value in kind.values for n in (2, 10)]
    columns = f"k {kind.declared}, n INTEGER, at {tables.moment_type}"
    if not (kind.ties or kind.refused):
        unique = (
            "UNIQUE" if tables.dialect == "sqlite" else "PRIMARY KEY"
        )  # whose only integer key holds integers alone
        columns += f", {unique} ({', '.join('k' + kind.key_length if name == 'k' else name for name in key)})"
    return tables.made(columns, rows)


def position_table(tables: Tables, kind: PageType) -> str:
    """A table with the column as replication key: each value three times, and none."""
    values = [value for value in kind.values for _ in range(3)] + ["NULL"] * 2
    rows = [f"{n}, {value}" for n, value in enumerate(values)]
    null = " NULL" if tables.dialect == "mysql" else ""
    return tables.made(f"n INTEGER PRIMARY KEY, at {kind.declared}{null}", rows)
