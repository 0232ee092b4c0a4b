"""The time limit of a reading that somebody waits for; a run has none."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync_databases.engines import engine_of, server_behind
from sync_databases.transaction_start import set_locally
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError, where

_CHECK_EVERY = 100_000
"""SQLite's steps between two checks of the clock, a few milliseconds."""


class Deadline:
    """The time limit of a reading: the server ends a statement that takes longer, `check` what goes on after it."""

    def __init__(self, engine: sa.Engine, seconds: float) -> None:
        """Begin now. Counts for connections that `engine` has yet to make; on PostgreSQL for transactions to come."""
        self._engine = engine
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        facts = engine_of(engine.dialect)
        if facts.sets_per_transaction and facts.statement_time_limit is not None:
            set_locally(engine, self._filled(facts.statement_time_limit))
        else:
            event.listen(engine, "connect", self._limit)

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Turn an error that the time limit caused into one that names it.

        Raises:
            TapConfigError, TapSyncError: any error of the reading.
        """
        try:
            yield
        except (TapConfigError, TapSyncError) as error:
            if self._passed:
                raise self._too_slow() from error
            raise

    def check(self) -> None:
        """End the reading where time is up.

        Raises:
            TapSyncError: time is up.
        """
        if self._passed:
            raise self._too_slow()

    @property
    def _passed(self) -> bool:
        return time.monotonic() >= self._ends

    def _too_slow(self) -> TapSyncError:
        return TapSyncError(f"the database with the orders, {where(self._engine.url)}, took over {self._seconds:g} s")

    def _filled(self, limit: str) -> str:
        return limit.format(seconds=self._seconds, milliseconds=round(self._seconds * 1000))

    def _limit(self, dbapi_connection: Any, _record: object) -> None:
        engine = engine_of(self._engine.dialect)
        if not engine.is_server:  # SQLite has no setting, but asks a handler now and then
            dbapi_connection.set_progress_handler(lambda: self._passed, _CHECK_EVERY)
            dbapi_connection.execute(f"PRAGMA busy_timeout = {round(self._seconds * 1000) + 100}")
            return
        limit = server_behind(engine, dbapi_connection).statement_time_limit
        if limit is not None:  # elsewhere the limit counts between pages only
            with dbapi_connection.cursor() as cursor:
                cursor.execute(self._filled(limit))
            dbapi_connection.commit()
