"""Every order of the table as a run would send it, by key: for comparisons that no ack may shorten."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from sync_databases.column_texts import split_as_key
from sync_databases.columns import Column
from sync_databases.engines import engine_of
from sync_databases.keys import split_key
from sync_databases.value_sql import value_sql_for
from sync_ledger.ledger import Ledger
from sync_ledger.stream_contract import CONTENT_PROPERTY, DELETED_AT_PROPERTY, KEY_PROPERTY, VERSION_PROPERTY
from tap_legacy_orders.connections import asked_by_key, fetch_rows, reading
from tap_legacy_orders.contents import form_of, in_byte_order
from tap_legacy_orders.json_values import converter
from tap_legacy_orders.order_lines import OrderLines
from tap_legacy_orders.orders_source import OrdersSource
from tap_legacy_orders.positions import Position
from tap_legacy_orders.ranges import Range
from tap_legacy_orders.record_encoding import RECORD_ENCODER, LineEncoder, as_is, as_json, content_of, value_text
from tap_legacy_orders.row_layout import Row
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_queries import UnsyncedQueries, usable_keys
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

KEYS_PER_QUERY = 500


@dataclass(frozen=True, slots=True)
class ReadOrders:
    """Some orders: their keys, versions, and the JSON of the record that a run would send of each."""

    keys: Sequence[str]
    versions: Sequence[str]
    lines: Sequence[bytes]


class EveryOrderQueries(UnsyncedQueries):
    """Statements that ask for orders whatever the ledger or a flag says of them."""

    def page(self, after: Position | None, limit: int) -> sa.Select[Any]:
        """Read orders by key, past `after`."""
        conditions = [self._is_ours()] if after is None else [self._is_ours(), self._beyond_key(after.key)]
        return self.selected().select_from(self.orders).where(*conditions).order_by(*self._key_order()).limit(limit)

    def equal_keys(self, at: Position) -> sa.Select[Any]:
        """Read the orders whose keys compare as equal to that of a page's last one."""
        conditions = [element == place.value for element, place in zip(self._key, at.key, strict=True)]
        return self.selected().select_from(self.orders).where(self._is_ours(), *conditions)

    def found_by(self, keys: Sequence[tuple[str, ...]], chosen: Range) -> sa.Select[Any]:
        """Read the keys of those orders among these that a run with this range comes upon."""
        conditions = [self.is_one_of(keys), self._is_ours(), *self._unflagged()]
        query = sa.select(self.key_text).select_from(self.orders).where(*conditions)
        if chosen.lower is None:
            return query
        within = [self._undated(), self._position >= self._place(chosen.lower)]
        return query.where(sa.or_(*within))


class EveryOrder:
    """Reads the orders of one tap, and their lines apart. A run that begins, or an ack, changes nothing of it."""

    def __init__(self, tap: TapLegacyOrders, ledger: Ledger) -> None:
        """Read as the settings of the tap say; `ledger` is asked for nothing but the range of the next run."""
        self._tap = tap
        table = tap.orders_table
        self._source: OrdersSource = tap.orders_source(tap.stream_name, (), None, ledger=ledger)
        self._database = value_sql_for(tap.engine.dialect)
        self.table = table
        columns = in_byte_order(table.columns)
        self._queries = self._queries_of(columns)
        names = [*(column.name for column in columns), KEY_PROPERTY, VERSION_PROPERTY]
        converters = [converter(column, tap.zone, tap.logger.warning) for column in columns]
        self._encoder = LineEncoder(names, [*converters, as_is, as_is])
        self.unusable_keys = 0
        """Orders met so far whose key is empty, or longer than the ledger holds."""

    @cached_property
    def properties(self) -> dict[str, dict[str, Any]]:
        """The JSON schema of the properties that the lines have."""
        entry = self._tap.catalog_dict["streams"][0]
        lines = self._tap.lines_table
        left_out = {CONTENT_PROPERTY, DELETED_AT_PROPERTY, lines and lines.property}
        return {name: each for name, each in entry["schema"]["properties"].items() if name not in left_out}

    @cached_property
    def line_properties(self) -> dict[str, dict[str, Any]]:
        """The JSON schema of the property that has an order's lines; empty where the tap reads none."""
        lines = self._tap.lines_table
        return {} if lines is None else {lines.property: lines.json_schema()}

    @cached_property
    def line_names(self) -> Sequence[str]:
        """The columns of a line that name it or its order."""
        return () if self._order_lines is None else self._order_lines.names

    @property
    def key_properties(self) -> Sequence[str]:
        """The names of the columns of the key."""
        names: Sequence[str] = self._tap.catalog_dict["streams"][0]["key_properties"]
        return names

    def pages(self, size: int) -> Iterator[ReadOrders]:
        """Read all orders, each page by a short query.

        Raises:
            TapSyncError: the database does not answer.
        """
        for rows in self._pages(self._queries, size):
            yield self._read(rows)

    def keys(self, size: int) -> Iterator[list[str]]:
        """Read the keys of all orders, and nothing else.

        Raises:
            TapSyncError: the database does not answer.
        """
        queries = self._queries_of(self.table.key)
        for rows in self._pages(queries, size):
            yield [key for key in map(queries.layout.key, rows) if usable_keys((key,))]

    def unsynced_keys(self) -> Iterator[list[str]]:
        """Find the orders that a run without a bookmark would send, by their acks' versions; contents are not compared.

        Raises:
            TapSyncError: a database does not answer.
        """
        for page in UnsyncedOrders(self._source).pages(None):
            if page.count:
                yield list(page.columns[page.key_at])

    def _queries_of(self, columns: Sequence[Column]) -> EveryOrderQueries:
        table = replace(self.table, flag=None)
        return EveryOrderQueries(table, self._database, self._tap.stream_name, columns, None)

    def _pages(self, queries: EveryOrderQueries, size: int) -> Iterator[list[Row]]:
        after: Position | None = None
        more = True
        while more:
            rows = self._ask(queries.page(after, size))
            more = len(rows) >= size
            if more:
                after = _position(queries, rows[-1])
                if self.table.has_ties:
                    known = {queries.layout.key(row) for row in rows}
                    ties = self._ask(queries.equal_keys(after))
                    rows += [row for row in ties if queries.layout.key(row) not in known]
            if rows:
                yield rows

    def by_key(self, keys: Sequence[str]) -> ReadOrders:
        """Read the orders of these keys, as far as they are there.

        Raises:
            TapSyncError: the database does not answer.
        """
        rows = self._asked(keys, lambda some: self._queries.by_key(some, None, None))
        exact = set(keys)  # engines that fold case find 'a1' for 'A1'; the ledger does not
        return self._read([row for row in rows if self._queries.layout.key(row) in exact])

    def contents(self, read: ReadOrders, lines: Mapping[str, bytes]) -> dict[str, tuple[str, str | None, str]]:
        """Version, content and its form of each order by key; no content where orders have a flag.

        `lines` are those of the orders, as `lines_of` gives them.
        """
        table = self._tap.lines_table
        form = form_of(in_byte_order(self.table.columns), table, self._tap.zone).id
        records = read.lines
        if table is not None:
            name = as_json(table.property).encode()
            of_orders = map(lines.__getitem__, read.keys)
            records = [b"%s,%s:%s}" % (each[:-1], name, own) for each, own in zip(read.lines, of_orders, strict=True)]
        contents = [content_of(record) if self.table.flag is None else None for record in records]
        facts = zip(read.versions, contents, [form] * len(contents), strict=True)
        return dict(zip(read.keys, facts, strict=True))

    def lines_of(self, keys: Sequence[str]) -> dict[str, bytes]:
        """The lines of each of these orders, as JSON, as a run would send them; empty where the tap reads none.

        Raises:
            TapSyncError: the database does not answer.
        """
        if self._order_lines is None:
            return {}
        found = self._order_lines.of(keys)
        return {key: value_text(RECORD_ENCODER, found.get(key, ())).encode() for key in keys}

    def count_lines(self) -> int:
        """How many lines there are, of whatever order.

        Raises:
            TapSyncError: the database does not answer.
        """
        table = self._tap.lines_table
        if table is None:
            return 0
        ((count,),) = self._ask(sa.select(sa.func.count()).select_from(sa.table(table.name, schema=table.schema)))
        return int(count)

    @cached_property
    def _order_lines(self) -> OrderLines | None:
        tap = self._tap
        if tap.lines_table is None:
            return None
        return OrderLines(tap.engine, self.table, tap.lines_table, zone=tap.zone, warn=tap.logger.warning)

    def without_filter(self, keys: Sequence[str]) -> set[str]:
        """Those of these keys that are in the table, whatever `filter` says."""
        table = replace(self.table, flag=None, filter=None)
        queries = EveryOrderQueries(table, self._database, self._tap.stream_name, (), None)
        return {row[0] for row in self._asked(keys, queries.keys_among)} & set(keys)

    def found_by_next_run(self, keys: Sequence[str], bookmark: str | None) -> set[str]:
        """Those of these keys that a run with this bookmark comes upon, whatever their acks say.

        Raises:
            TapConfigError: the bookmark is none for the replication key.
            TapSyncError: the database does not answer.
        """
        source = self._source
        chosen = source.choose_range(source.newest, bookmark, source.now(), source.settings.lookback)
        queries = EveryOrderQueries(self.table, self._database, self._tap.stream_name, (), None)
        return {row[0] for row in self._asked(keys, lambda some: queries.found_by(some, chosen))} & set(keys)

    def _asked(self, keys: Sequence[str], query: Callable[[Sequence[tuple[str, ...]]], sa.Select[Any]]) -> list[Row]:
        engine = engine_of(self._tap.engine.dialect)
        split = [parts for key in keys if (parts := split_as_key(self.table.key, engine, key)) is not None]
        rows: list[Row] = []
        for start in range(0, len(split), KEYS_PER_QUERY):
            found, _ = asked_by_key(split[start : start + KEYS_PER_QUERY], lambda some: self._ask(query(some)))
            rows += found
        return rows

    def _ask(self, query: sa.Select[Any]) -> list[Row]:
        with reading(self._tap.engine) as connection:
            return fetch_rows(connection, query)

    def _read(self, rows: Sequence[Row]) -> ReadOrders:
        layout = self._queries.layout
        usable = [row for row in rows if usable_keys((layout.key(row),))]
        self.unusable_keys += len(rows) - len(usable)
        if not usable:
            return ReadOrders((), (), ())
        columns = layout.columns(usable)
        return ReadOrders(list(columns[-2]), list(columns[-1]), self._encoder.lines(columns))


def _position(queries: EveryOrderQueries, row: Row) -> Position:
    key = queries.layout.key(row)
    parts = split_key(key, len(queries.table.key))
    if parts is None:
        raise AssertionError("the database joined a key otherwise than keys.py splits it")
    return queries.position(row, parts, in_range=False)
