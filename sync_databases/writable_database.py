"""A database that we write: short transactions, done again where something that passes by itself cut them short."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DBAPIError, IntegrityError, InterfaceError, OperationalError

from sync_databases.connection_pools import OPTIONS, ask_little
from sync_databases.database_errors import DatabaseError, DatabaseUnavailableError
from sync_databases.drivers import create_engine, database_url
from sync_databases.engines import BUSY_SECONDS, engine_of, find_engine, unsupported
from sync_databases.packet_limit import packet_hint
from sync_databases.retrying import RetrySchedule
from sync_databases.session_settings import limit_waiting
from sync_databases.transaction_start import ALONE
from sync_databases.waiting import CLOCK, Clock

COMMAND_LINE = logging.getLogger("orders-sync")
"""The logger of a program that gives none of its own."""

POOL_SECONDS = 300.0
"""How long a thread waits for a connection: more threads wait for Zoho than the pool has connections."""

CONNECTIONS_MOST = 15
"""To one SQLite file at a time, as many as SQLAlchemy's pools have by themselves."""

_T = TypeVar("_T")


def writable_engine(url: str) -> sa.Engine:
    """Make an engine for short transactions that write; it connects on first use.

    Raises:
        DatabaseError: the URL or its driver is of no use.
    """
    parsed = database_url(url)
    facts = find_engine(parsed.get_backend_name())
    if facts is None or facts.is_server:
        engine = create_engine(parsed, pool_timeout=POOL_SECONDS, **OPTIONS)
        if facts is None:
            raise unsupported(parsed.get_backend_name())
        ask_little(engine)
        limit_waiting(engine)
        return engine
    if parsed.database in {None, "", ":memory:"}:
        raise DatabaseError("an SQLite database in memory forgets everything; name a file: sqlite:////path/to/file")
    busy = {"timeout": BUSY_SECONDS, "check_same_thread": False}
    # One connection is kept, since each keeps 2 MB of pages, and making a further one takes no time.
    pool = {"pool_timeout": POOL_SECONDS, "pool_size": 1, "max_overflow": CONNECTIONS_MOST - 1}
    engine = create_engine(parsed, connect_args=busy, **pool)
    event.listen(engine, "connect", _own_transactions)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


class WritableDatabase:
    """A database that this program writes: short transactions, tried again where a failure passes by itself."""

    what = "database"
    """What the database is for, in messages."""

    what_is_lost = ""
    """What becomes of that which could not be written."""

    retries: RetrySchedule
    """When a statement is tried again that a broken connection, a deadlock or another session's lock cut short."""

    def __init__(
        self,
        engine: sa.Engine,
        logger: logging.Logger = COMMAND_LINE,
        clock: Clock = CLOCK,
        *,
        retries_until: threading.Event | None = None,
    ) -> None:
        """Use `engine`, which must have come from `writable_engine` or be set up alike.

        `logger` is the program's, and `clock` what is waited by. `retries_until` where a run is to last: what is cut
        short is then done again until it works, or this is set.
        """
        self.engine = engine
        self.log = logger
        self.clock = clock
        self._writer = engine.execution_options(ledger_write=True)
        self._alone = engine.execution_options(ledger_write=True, **{ALONE: True})
        self._given_up = False
        self._retries_until = retries_until
        # A thread that waits for an SQLite file's lock asks for it again and again, which costs more than the write.
        self._turn: AbstractContextManager[object] = (
            nullcontext() if engine_of(engine.dialect).is_server else threading.Lock()
        )

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes; on SQLite it takes the write lock at once, so it cannot deadlock."""
        with self._turn, self._writer.begin() as connection:
            yield connection

    @contextmanager
    def begin_alone(self) -> Iterator[sa.Connection]:
        """Open a transaction for one statement, which costs a round trip where the server can do so."""
        with self._turn, self._alone.begin() as connection:
            yield connection

    def transact(self, write: Callable[[sa.Connection], _T]) -> _T:
        """Run `write` in a transaction, with retries; it must bear being done twice.

        Raises:
            DatabaseUnavailableError: the database does not answer, time and again.
        """

        def once() -> _T:
            with self.begin() as connection:
                return write(connection)

        return self.with_retries(once)

    def with_retries(self, action: Callable[[], _T]) -> _T:
        """Do again what a broken connection, a deadlock or another session's lock cut short.

        An action that ends with a commit must bear being done twice: its answer may be lost, and not its effect.
        What follows a failure, such as noting the end of a run, is tried once: it has been waited for already.
        A plain loop: the wrappers of a retry library form cycles that keep a whole job's rows alive.

        Raises:
            DatabaseUnavailableError: the database does not answer, time and again.
        """
        began = self.clock.seconds()
        for failures in itertools.count(1):
            try:
                result = action()
            except IntegrityError:
                raise
            except DBAPIError as error:
                passing = isinstance(error, (OperationalError, InterfaceError))
                over = self._given_up or self.retries.is_over(failures, self.clock.seconds() - began)
                if self._retries_until is not None:
                    over = self._retries_until.is_set()
                if over or not passing:
                    self._given_up = True
                    raise DatabaseUnavailableError(
                        f"the {self.what} cannot be written or read: {cause_of(error)}; {self.what_is_lost}"
                        f"{packet_hint(self.engine) if error.connection_invalidated else ''}"
                    ) from error
                self.log.warning("The %s does not answer (%s), trying again", self.what, cause_of(error))
            else:
                self._given_up = False
                return result
            self.clock.wait(self.retries.pause_after(failures), self._retries_until)
        raise AssertionError("the loop returns or raises")

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """Open a connection that only reads."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


def cause_of(error: Exception) -> str:
    """The first line of what a driver says; the rest may hold parameters."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _own_transactions(dbapi_connection: Any, _record: object) -> None:
    """Keep sqlite3 from opening transactions of its own, so that `begin` decides."""
    dbapi_connection.isolation_level = None


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("ledger_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
