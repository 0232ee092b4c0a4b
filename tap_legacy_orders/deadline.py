"""Until when a reading may last that somebody waits for; a run has no such limit."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event

from sync_ledger.transactions import set_locally
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError, where

_TIME_LIMITS = {
    "mysql": "SET SESSION max_execution_time = {milliseconds}",
    "mariadb": "SET SESSION max_statement_time = {seconds}",
}
"""What makes a server end a statement that takes too long; SQLite is told by a handler, others only between pages.

PostgreSQL is told with each transaction.
"""

_LOOK_EVERY = 100_000
"""SQLite's steps between two looks at the clock, a few milliseconds."""


class Deadline:
    """Until when a reading may last: the server ends a statement that takes longer, and `check` what goes on."""

    def __init__(self, engine: sa.Engine, seconds: float) -> None:
        """Begin now. Counts for connections that `engine` has yet to make; on PostgreSQL for transactions to come."""
        self._engine = engine
        self._seconds = seconds
        self._ends = time.monotonic() + seconds
        if engine.dialect.name == "postgresql":
            set_locally(engine, f"statement_timeout = {round(seconds * 1000)}")
        else:
            event.listen(engine, "connect", self._limit)

    @contextmanager
    def observed(self) -> Iterator[None]:
        """Say of an error that came of the time limit that it did.

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
        """Go no further where time is up.

        Raises:
            TapSyncError: it is.
        """
        if self._passed:
            raise self._too_slow()

    @property
    def _passed(self) -> bool:
        return time.monotonic() >= self._ends

    def _too_slow(self) -> TapSyncError:
        return TapSyncError(f"the database with the orders, {where(self._engine.url)}, took over {self._seconds:g} s")

    def _limit(self, dbapi_connection: Any, _record: object) -> None:
        backend = self._engine.dialect.name
        if backend == "sqlite":
            dbapi_connection.set_progress_handler(lambda: self._passed, _LOOK_EVERY)
            dbapi_connection.execute(f"PRAGMA busy_timeout = {round(self._seconds * 1000) + 100}")
            return
        if backend == "mysql" and "MariaDB" in dbapi_connection.get_server_info():
            backend = "mariadb"
        if backend in _TIME_LIMITS:
            limit = _TIME_LIMITS[backend].format(seconds=self._seconds, milliseconds=round(self._seconds * 1000))
            with dbapi_connection.cursor() as cursor:
                cursor.execute(limit)
            dbapi_connection.commit()
