"""The orders of one stream and the acks of the ledger, read by statements of their own; no transaction stays open."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_databases.column_texts import can_hold, split_as_key
from sync_databases.columns import Column
from sync_databases.database_clock import database_now
from sync_databases.flag_statements import ROW_SIGN
from sync_databases.keys import split_key
from sync_databases.value_sql import value_sql_for
from sync_ledger.absent_ledger import AbsentLedger
from sync_ledger.acks import count_by_status
from sync_ledger.content_forms import ContentForm, read_forms
from sync_ledger.deleted_records import keys_of_deleted
from sync_ledger.ledger import Ledger
from sync_ledger.run_facts import is_remembered, was_of_all
from sync_ledger.tables import AckStatus
from sync_ledger.undoing import has_held, held_among
from tap_legacy_orders.actions import AckState, Action, action_for
from tap_legacy_orders.connections import LEDGER_CHECK, asked_by_key, fetch_rows, find_acks_by_index, reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.pages import Page, ReadingSettings
from tap_legacy_orders.plain_texts import PlainQueries, may_be_plain
from tap_legacy_orders.positions import Position
from tap_legacy_orders.ranges import Clock, Newest, Range, choose_range
from tap_legacy_orders.rendering import Rendering
from tap_legacy_orders.row_layout import Row, RowLayout
from tap_legacy_orders.unsynced_queries import UnsyncedQueries, ack_states, due_keys, usable_keys


class OrdersSource:
    """What a reading needs of the databases. It remembers nothing of the orders that it gave."""

    def __init__(
        self,
        *,
        engine: sa.Engine,
        table: OrdersTable,
        columns: Sequence[Column],
        ledger: Ledger,
        stream: str,
        settings: ReadingSettings,
        logger: logging.Logger,
        rendering: Rendering | None = None,
    ) -> None:
        """Read `columns` for records; with a `rendering`, as it says, for as long as the database can."""
        self.engine = engine
        self.table = table
        self.ledger = ledger
        self.stream = stream
        self.settings = settings
        self.log = logger
        self.database = value_sql_for(engine.dialect)
        self._columns = tuple(columns)
        self._ack = ledger.tables.ack
        self._rendering = rendering
        self._plain = rendering is None and may_be_plain(table, self.database, self._columns)
        self._queries = self._make_queries()

    def _make_queries(self) -> UnsyncedQueries:
        values = None if self._rendering is None else self._rendering.select
        ack = self._ack if self.joins_acks else None
        if self._plain:
            return PlainQueries(self.table, self.database, self.stream, self._columns, ack)
        return UnsyncedQueries(self.table, self.database, self.stream, self._columns, ack, values)

    @property
    def joins_acks(self) -> bool:
        """Whether a statement on the orders knows their acks, too."""
        return self.settings.ledger_beside_orders and not self.has_no_acks

    @property
    def has_no_acks(self) -> bool:
        """Whether there is no ledger yet, and so no ack to look up."""
        return isinstance(self.ledger, AbsentLedger)

    def look_for_ledger(self) -> None:
        """Go on by the ledger where there was none, once the target has made it."""
        absent = self.ledger
        if not isinstance(absent, AbsentLedger) or absent.place.lacks_file():
            return
        with reading(absent.place.engine, "ledger", LEDGER_CHECK) as connection:
            is_made = absent.is_made(connection)
        if is_made:
            self.log.info("The target has made the ledger")
            if self.settings.ledger_beside_orders:
                find_acks_by_index(self.engine, absent.place)
            self.ledger, self._ack = absent.place, absent.place.tables.ack
            self._queries = self._make_queries()

    def forget_connections(self) -> None:
        """Close connections that may be broken."""
        self.engine.dispose()
        self.ledger.place.engine.dispose()

    @property
    def queries(self) -> UnsyncedQueries:
        """The statements as they are made up now."""
        return self._queries

    @property
    def layout(self) -> RowLayout:
        """Where the rows of these statements hold key, version and replication key."""
        return self._queries.layout

    # The orders' database

    def ask(self, query: sa.Select[Any]) -> list[Row]:
        """Run one statement."""
        with reading(self.engine) as connection:
            return fetch_rows(connection, query)

    def fetch(self, query: Callable[[UnsyncedQueries], sa.Select[Any]]) -> list[Row]:
        """Read orders by one statement; in the way that fits all, from one on that the shorter way does not fit."""
        with reading(self.engine) as connection:
            rows = fetch_rows(connection, query(self._queries))
            shorter = self._queries if isinstance(self._queries, PlainQueries) else self._rendering
            if shorter is not None and not shorter.is_complete(rows):
                self._rendering, self._plain = None, False
                self._queries = self._make_queries()
                rows = fetch_rows(connection, query(self._queries))
        return rows

    def now(self) -> datetime:
        """The orders' database's clock: naive UTC."""
        with reading(self.engine) as connection:
            return database_now(connection)

    def newest(self, until: str | None) -> str | None:
        """The text of the largest replication key up to `until`."""
        rows = self.ask(self._queries.newest(until))
        return rows[0][0] if rows else None

    def any_undated(self) -> bool:
        """Ask before reading by key: with nothing to find, a page would go through all of the table."""
        may_be = self.table.replication.nullable or self.database.engine.values_have_types
        return may_be and bool(self.ask(self._queries.any_undated()))

    def count_up_to(self, most: int) -> int:
        """Count the orders; more than `most` are not counted."""
        some = sa.select(sa.literal_column("1").label("one")).select_from(self._queries.orders).limit(most).subquery()
        count: int = self.ask(sa.select(sa.func.count()).select_from(some))[0][0]
        return count

    def count_keyless(self) -> int:
        """Count the orders that no key identifies."""
        if not any(column.nullable for column in self.table.key):
            return 0
        count: int = self.ask(self._queries.count_keyless())[0][0]
        return count

    def count_late(self, chosen: Range) -> tuple[int, int, int]:
        """Count the orders that changed too recently, of these those ahead of the clock, and those far ahead of it."""
        if chosen.too_recent_after is None or chosen.ahead is None or chosen.future is None:
            return 0, 0, 0
        counts = self.ask(self._queries.count_late(chosen.too_recent_after, chosen.ahead, chosen.future))[0]
        late, ahead, future = (int(count or 0) for count in counts)
        return late, ahead, future

    def by_key(self, wanted: Sequence[str], chosen: Range) -> list[Row]:
        """Read the orders of these keys, as far as they are there and not too recent."""
        split = [parts for parts in map(self._split, wanted) if parts is not None]
        if not split:
            return []
        rows, _ = asked_by_key(
            split,
            lambda some: self.fetch(lambda queries: queries.by_key(some, chosen.too_recent_after, chosen.future)),
        )
        # Engines that fold case find 'a1' for 'A1'; the ledger does not.
        exact = set(wanted)
        return [row for row in rows if self.layout.key(row) in exact]

    def absent_among(self, keys: Collection[str]) -> list[str]:
        """Those of these keys, of this partition, that no order has which passes the filter."""
        ours = sorted(filter(self.table.partition.holds, keys))
        split = [parts for parts in map(self._split, ours) if parts is not None]
        rows, _ = asked_by_key(split, lambda some: self.ask(self._queries.keys_among(some))) if split else ([], [])
        present = {row[0] for row in rows}
        return [key for key in ours if key not in present]

    # The ledger

    def ledger_now(self) -> datetime:
        """The ledger's clock: naive UTC."""
        with self._reading_ledger() as connection:
            return self.ledger.now(connection)

    def due(self, cutoff: datetime, after: str | None, limit: int) -> Mapping[str, datetime]:
        """The keys of retries that came due up to `cutoff`, and when each did, in the order of their keys."""
        with self._reading_ledger() as connection:
            rows = connection.execute(due_keys(self._ack, self.stream, cutoff, after, limit))
            return {key: since for key, since in rows}  # noqa: C416 - rows are no pairs to mypy

    def count_synced(self) -> int:
        """How many orders of the stream are in the CRM."""
        with self._reading_ledger() as connection:
            return count_by_status(connection, self._ack, self.stream).get(AckStatus.SYNCED.value, 0)

    def synced_among(self, keys: Sequence[str]) -> list[str]:
        """Which of these are."""
        ack, found = self._ack, list[str]()
        query = sa.select(ack.c.record_key).where(ack.c.stream == self.stream, ack.c.status == AckStatus.SYNCED.value)
        with self._reading_ledger() as connection:
            for chunk in lookup_chunks(connection, keys):
                found += connection.execute(query.where(ack.c.record_key.in_(chunk))).scalars()
        return found

    def held_among(self, keys: Sequence[str]) -> set[str]:
        """Which of these were undone, and are held since."""
        with self._reading_ledger() as connection:
            if not has_held(connection, self.ledger.tables, self.stream):
                return set()
            return held_among(connection, self._ack, self.stream, keys)

    def deleted_in_crm(self, after: str | None, limit: int) -> list[str]:
        """The keys of orders whose records were deleted."""
        with self._reading_ledger() as connection:
            return keys_of_deleted(connection, self._ack, self.stream, after, limit)

    def look_up(
        self, rows: Sequence[Row], cutoff: datetime, *, in_window: bool = False
    ) -> tuple[list[int], list[AckState | None]]:
        """Decide what to do with each order by a ledger in another database; gives their acks too."""
        if self.has_no_acks:
            return [int(Action.SEND)] * len(rows), [None] * len(rows)
        key, version = self.layout.key, self.layout.version
        keys = list(map(key, rows))
        if not usable_keys(keys):
            keys = [each for each in keys if usable_keys((each,))]
        states: dict[str, AckState] = {}
        with self._reading_ledger() as connection:
            for chunk in lookup_chunks(connection, keys):
                found = connection.execute(ack_states(self._ack, self.stream, chunk))
                states.update((each, AckState(*state)) for each, *state in found)
        acks, by_flag = [states.get(key(row)) for row in rows], self.table.flag is not None
        alone = self.table.by_content
        actions = [
            int(action_for(ack, version(row), cutoff, by_flag=by_flag, by_content=in_window, alone=alone))
            for row, ack in zip(rows, acks, strict=True)
        ]
        return actions, acks

    def last_began(self) -> tuple[datetime | None, datetime | None]:
        """When the last run began that left nothing unsynced, and when the first one of all; by the ledger's clock."""
        run = self.ledger.tables.run
        complete = sa.and_(
            run.c.how_ended == "finished", run.c.unsynced_count == sa.literal_column("0"), was_of_all(run)
        )
        ended = sa.func.max(sa.case((complete, run.c.started_at)))
        ours = sa.and_(
            run.c.stream == self.stream, run.c.partition_name == self.table.partition.name, is_remembered(run)
        )
        with self._reading_ledger() as connection:
            last, first = connection.execute(sa.select(ended, sa.func.min(run.c.started_at)).where(ours)).one()
            return last, first

    def content_form(self, name: str) -> ContentForm | None:
        """A form of contents that the ledger knows."""
        with self._reading_ledger() as connection:
            return read_forms(connection, self.ledger.tables, [name]).get(name)

    def _reading_ledger(self) -> AbstractContextManager[sa.Connection]:
        return reading(self.ledger.engine, "ledger", LEDGER_CHECK)

    # Ranges, rows and keys

    def choose_range(
        self,
        newest: Newest,
        bookmark: str | None,
        now: datetime,
        lookback: timedelta,
        began: datetime | None = None,
    ) -> Range:
        """Choose what to read, from `lookback` before the bookmark on; `newest` finds where it ends.

        `began`: when the last run began that came to its end.

        Raises:
            TapConfigError: the bookmark is none for the replication key.
        """
        settings = self.settings
        if self.table.by_content:
            return Range(None, newest(None))  # all of it is the window, in which contents are compared
        chosen = choose_range(
            self.table.replication,
            self.database,
            newest,
            bookmark,
            Clock(now, settings.zone, lookback, settings.min_age, settings.lookback_count, began),
            own_version=not self.table.version_is_replication,
            must_sort=self.table.must_sort,
        )
        # Where a flag says what is unsynced, an order of any age may be.
        return chosen if self.table.flag is None else chosen.from_the_start()

    def beyond(self, key: str) -> Range | None:
        """From a key on, where contents are compared; None where the column holds no such key any more."""
        if not can_hold(self.table.replication, self.database.engine, key):
            return None
        return Range(key, self.newest(None))

    def page(self, rows: Sequence[Row], bookmark: str | None, marks: Mapping[str, str] | None = None) -> Page:
        """Turn rows into a page; with `marks` by key, records carry their contents."""
        layout = self.layout
        if marks is not None and layout.fingerprint_at is not None:
            marks = {
                layout.key(row): f"{marks.get(layout.key(row), '')}{ROW_SIGN}{layout.fingerprint(row)}" for row in rows
            }
        return Page(layout.columns(rows), len(rows), bookmark, layout.values, self._rendering, marks)

    def position(self, row: Row, *, in_range: bool = True) -> Position:
        """Where a page ends whose last row this is; not `in_range` where pages go by key alone."""
        return self._queries.position(row, self._key_parts(row), in_range=in_range)

    def _key_parts(self, row: Row) -> tuple[str, ...]:
        parts = split_key(self.layout.key(row), len(self.table.key))
        if parts is None:
            raise AssertionError("the database joined a key otherwise than keys.py splits it")
        return parts

    def _split(self, key: str) -> tuple[str, ...] | None:
        """Split a ledger's key into its columns' texts; None when it cannot be a key of this table."""
        return split_as_key(self.table.key, self.database.engine, key)
