"""One run's reading: due retries, orders outside the range, then the range, page by page.

Each page is a short query of its own; no transaction stays open while the page is written out. A server reads the
next page meanwhile.

Why the bookmark never passes an order that was left out: a page's one statement returns both the orders to send and
those left out (changed while an earlier version is in flight), so both come from one snapshot. Every order between
two positions is then sent, or left out and clamps the bookmark, or its ack says it is settled at this very version.
What happens between two pages does not matter: the target of this run acknowledges versions that this run sent, and
an order changed after that has a replication key past the range's end, where the next run reads it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from operator import methodcaller
from typing import Any

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_databases.clock import database_now
from sync_databases.columns import Column
from sync_databases.engines import engine_of
from sync_databases.keys import KEY_LENGTH, split_key
from sync_databases.value_sql import value_sql_for
from sync_ledger.deleted_records import keys_of_deleted
from sync_ledger.ledger import Ledger
from tap_legacy_orders.connections import LEDGER_CHECK, fetch_rows, reading
from tap_legacy_orders.deleted_orders import DeletedOrders
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.pages import Page, ReadingSettings, Row
from tap_legacy_orders.ranges import Clock, Range, choose_range, fits
from tap_legacy_orders.read_ahead import reading_ahead
from tap_legacy_orders.rendering import Rendering
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.unsynced_queries import (
    AckState,
    Position,
    UnsyncedQueries,
    Verdict,
    ack_states,
    due_keys,
    usable_keys,
    verdict,
)

KEYS_PER_QUERY = 500
"""Due retries fetched at once: composite keys make long conditions, and some engines take 1,000 values only."""


class UnsyncedOrders:
    """The unsynced orders of one stream."""

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
        self._engine = engine
        self._table = table
        self._columns = tuple(columns)
        self._ledger = ledger
        self._stream = stream
        self._settings = settings
        self._log = logger
        self._database = value_sql_for(engine.dialect)
        self._joined = settings.ledger_beside_orders
        self._ack = ledger.tables.ack
        self._rendering = rendering
        self._queries = self._make_queries()
        self._keyless = 0
        self._doubles_told = False
        self._came_back: set[str] = set()

    def _make_queries(self) -> UnsyncedQueries:
        values = None if self._rendering is None else self._rendering.select
        ack = self._ack if self._joined else None
        return UnsyncedQueries(self._table, self._database, self._stream, self._columns, ack, values)

    def _fetch(self, query: Callable[[UnsyncedQueries], sa.Select[Any]]) -> list[Row]:
        """Read orders by one statement; as values from then on, if the database could not write one of them as JSON."""
        with reading(self._engine) as connection:
            rows = fetch_rows(connection, query(self._queries))
            if self._rendering is not None and not self._rendering.is_whole(rows):
                self._rendering = None
                self._queries = self._make_queries()
                rows = fetch_rows(connection, query(self._queries))
        return rows

    def deleted_orders(self) -> DeletedOrders:
        """Get ready to look for orders that are gone."""
        return DeletedOrders(self._engine, self._table, self._ledger, self._stream, self._log)

    def pages(self, bookmark: str | None) -> Iterator[Page]:
        """Read everything that is unsynced; `bookmark` is where an earlier run came to."""
        with self._reading_ledger() as connection:
            cutoff = self._ledger.now(connection)
        chosen, ahead = self._choose_range(bookmark)
        self._keyless = self._count_keyless()
        yield from self._due_pages(cutoff, chosen)
        if self._settings.find_deleted:
            yield from self._come_back_pages(chosen)
        if self._any_undated():
            yield from self._outside_pages(cutoff, None)
        if ahead:
            yield from self._outside_pages(cutoff, chosen.future)
        if chosen.upper is not None:
            yield from self._range_pages(cutoff, chosen, chosen.upper)
        if self._keyless:
            self._log.warning(
                "%d orders have no usable key in %s (empty, or longer than the ledger holds) and cannot be synced",
                self._keyless,
                ", ".join(column.name for column in self._table.key),
            )

    def _reading_ledger(self) -> AbstractContextManager[sa.Connection]:
        return reading(self._ledger.engine, "ledger", LEDGER_CHECK)

    def _any_undated(self) -> bool:
        """Ask before reading by key: with nothing to find, a page would go through the whole table."""
        if not self._table.replication.nullable:
            return False
        with reading(self._engine) as connection:
            return bool(fetch_rows(connection, self._queries.any_undated()))

    def _choose_range(self, bookmark: str | None) -> tuple[Range, int]:
        """Choose the range; tell also how many orders are dated so far ahead that they are read outside it."""
        with reading(self._engine) as connection:
            now = database_now(connection)

        def newest(until: str | None) -> tuple[str | None, str]:
            with reading(self._engine) as connection:
                text, storage = fetch_rows(connection, self._queries.newest(until))[0]
            return text, storage

        settings = self._settings
        chosen = choose_range(
            self._table.replication,
            self._database,
            newest,
            bookmark,
            Clock(now, settings.zone, settings.lookback, settings.settle),
            own_version=not self._table.version_is_replication,
        )
        chosen = self._without_start(chosen)
        return chosen, self._log_range(chosen, bookmark)

    def _without_start(self, chosen: Range) -> Range:
        """Where a flag tells what is unsynced, an order of any age may be."""
        return chosen if self._table.flag is None else replace(chosen, lower=None)

    def _log_range(self, chosen: Range, bookmark: str | None) -> int:
        self._log.info(
            "Reading %s by %s from %s to %s (bookmark %s)",
            self._table.name,
            self._table.replication.name,
            chosen.lower or "the start",
            chosen.upper or "nowhere: no order is of age",
            bookmark or "none",
        )
        if chosen.clock_went_back:
            self._log.warning(
                "The bookmark is ahead of the database's clock, which was set back: every order is looked at again"
            )
        if chosen.held_after is None or chosen.ahead is None or chosen.future is None:
            return 0
        query = self._queries.count_late(chosen.held_after, chosen.ahead, chosen.future)
        with reading(self._engine) as connection:
            late, ahead, future = (int(count or 0) for count in fetch_rows(connection, query)[0])
        if late - future:
            self._log.info("%d orders changed after %s wait for a later run", late - future, chosen.held_after)
        if ahead - future:
            self._log.warning(
                "%d orders are dated after %s, ahead of the database's clock, and wait until then: "
                "is `timezone` the one that the application writes in?",
                ahead - future,
                chosen.ahead,
            )
        if future:
            self._log.warning(
                "%d orders are dated after %s, more than a day ahead of the database's clock: "
                "they are sent, but the bookmark does not follow them",
                future,
                chosen.future,
            )
        return future

    def _count_keyless(self) -> int:
        if not any(column.nullable for column in self._table.key):
            return 0
        with reading(self._engine) as connection:
            count: int = fetch_rows(connection, self._queries.count_keyless())[0][0]
        return count

    # The three parts of a run

    def _due_pages(self, cutoff: datetime, chosen: Range) -> Iterator[Page]:
        after = None
        size = self._settings.page_size
        while True:
            with self._reading_ledger() as connection:
                query = due_keys(self._ack, self._stream, cutoff, after, size)
                due = {key: moment for key, moment in connection.execute(query)}  # noqa: C416 - rows are no pairs to mypy
            keys = list(due)
            for start in range(0, len(keys), KEYS_PER_QUERY):
                rows = self._fresh_due(self._by_key(keys[start : start + KEYS_PER_QUERY], chosen), due)
                if rows:
                    yield self._page(rows, None)
            if len(keys) < size:
                return
            after = keys[-1]

    def _fresh_due(self, rows: list[Row], due: Mapping[str, datetime]) -> list[Row]:  # noqa: ARG002
        """Leave out retries that are on their way already: in a single run none is. `due` tells when each came due."""
        return rows

    def _come_back_pages(self, chosen: Range) -> Iterator[Page]:
        after = None
        while True:
            with self._reading_ledger() as connection:
                keys = keys_of_deleted(connection, self._ack, self._stream, after, KEYS_PER_QUERY)
            rows = self._by_key(keys, chosen)
            if rows:
                self._came_back.update(map(self._key, rows))
                yield self._page(rows, None)
            if len(keys) < KEYS_PER_QUERY:
                return
            after = keys[-1]

    def _by_key(self, wanted: list[str], chosen: Range) -> list[Row]:
        """Read the orders of these keys, as far as they are there and of age."""
        split = [parts for parts in map(self._split, wanted) if parts is not None]
        if not split:
            return []
        rows = self._fetch(lambda queries: queries.by_key(split, chosen.held_after, chosen.future))
        # Engines that fold case find 'a1' for 'A1'; the ledger does not.
        exact = set(wanted)
        return [row for row in rows if self._key(row) in exact]

    def _outside_pages(self, cutoff: datetime, future: str | None) -> Iterator[Page]:
        after = None
        size = self._settings.page_size
        while True:
            rows = self._fetch(methodcaller("outside_page", future, after, size, cutoff))
            if not rows:
                return
            send, _ = self._judge(rows, cutoff)
            if send:
                yield self._page(send, None)
            if len(rows) < size:
                return
            after = Position(None, self._key_parts(rows[-1]))

    def _range_pages(self, cutoff: datetime, chosen: Range, upper: str) -> Iterator[Page]:
        clamp = None
        size = self._settings.page_size
        with reading_ahead(self._fetch, by_server=engine_of(self._engine.dialect).is_server) as ask:
            coming = ask(methodcaller("range_page", chosen.lower, upper, None, size, cutoff))
            while True:
                rows = coming()
                send, left_out = self._judge(rows, cutoff)
                if left_out and clamp is None:
                    clamp = self._replication(left_out[0])  # pages are in order: the first is the smallest
                if len(rows) < size:
                    # Everything up to the range's end was sent, is settled, or clamps the bookmark.
                    yield self._page(send, clamp or upper)
                    return
                after = Position(self._replication(rows[-1]), self._key_parts(rows[-1]))
                page = self._page(send, clamp or after.replication)
                # Not before: a page that the database could not write as JSON changes how rows are made up.
                coming = ask(methodcaller("range_page", chosen.lower, upper, after, size, cutoff))
                yield page

    # Rows

    def _judge(self, rows: list[Row], cutoff: datetime) -> tuple[list[Row], list[Row]]:
        """Split a page into the orders to send and those left out; orders without a usable key are counted."""
        if self._came_back:
            rows = [row for row in rows if self._key(row) not in self._came_back]
        if not rows:
            return [], []
        if self._joined:
            verdicts: list[int] = [row[-1] for row in rows]
        else:
            verdicts = self._look_up(rows, cutoff)
        at = self._queries.width
        self._must_fit_the_ledger([row[at + 1] for row in rows])
        keys = [row[at] for row in rows]
        self._warn_of_doubles(keys)
        if not any(verdicts) and usable_keys(keys):
            return rows, []
        send, left_out = [], []
        for row, found in zip(rows, verdicts, strict=True):
            if not usable_keys((row[at],)):
                self._keyless += 1
            elif found == Verdict.LEFT_OUT:
                left_out.append(row)
            elif found == Verdict.SEND:
                send.append(row)
        return send, left_out

    def _must_fit_the_ledger(self, versions: list[str]) -> None:
        if max(map(len, versions)) > KEY_LENGTH:
            raise TapConfigError(
                f"version_column: {self._table.version.name!r} holds texts longer than {KEY_LENGTH} "
                "characters, which the ledger cannot compare; name a column like a counter or a moment of change"
            )

    def _warn_of_doubles(self, keys: list[str]) -> None:
        """Two rows of one key would replace each other in the CRM for ever."""
        if self._doubles_told or len(set(keys)) == len(keys):
            return
        self._doubles_told = True
        seen: set[str] = set()
        double = next(key for key in keys if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        self._log.warning(
            "`key_column` does not identify an order: %r stands for more than one row of %s, and these rows will "
            "replace each other in every run",
            double,
            self._table.name,
        )

    def _look_up(self, rows: list[Row], cutoff: datetime) -> list[int]:
        """Judge against a ledger in another database."""
        keys = [key for row in rows if usable_keys((key := self._key(row),))]
        states: dict[str, AckState] = {}
        with self._reading_ledger() as connection:
            for chunk in lookup_chunks(connection, keys):
                found = connection.execute(ack_states(self._ack, self._stream, chunk))
                states.update((key, AckState(*state)) for key, *state in found)
        by_flag = self._table.flag is not None
        return [verdict(states.get(self._key(row)), self._version(row), cutoff, by_flag=by_flag) for row in rows]

    def _page(self, rows: list[Row], bookmark: str | None) -> Page:
        key_at = self._queries.width
        width = key_at + 2
        columns = list(zip(*rows, strict=True))[:width] if rows else [()] * width
        return Page(columns, len(rows), bookmark, key_at, self._rendering)

    def _key(self, row: Row) -> str:
        key: str = row[self._queries.width]
        return key

    def _version(self, row: Row) -> str:
        version: str = row[self._queries.width + 1]
        return version

    def _replication(self, row: Row) -> str:
        position: str = row[self._queries.width + (1 if self._table.version_is_replication else 2)]
        return position

    def _key_parts(self, row: Row) -> tuple[str, ...]:
        parts = split_key(self._key(row), len(self._table.key))
        if parts is None:
            raise AssertionError("the database joined a key otherwise than keys.py takes it apart")
        return parts

    def _split(self, key: str) -> tuple[str, ...] | None:
        """Take a ledger's key apart; None when it cannot be a key of this table."""
        parts = split_key(key, len(self._table.key))
        if parts is None or not all(map(fits, self._table.key, parts)):
            return None
        return parts
