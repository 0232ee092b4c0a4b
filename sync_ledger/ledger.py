"""One ledger: an engine, its tables, and the transactions on them."""

from __future__ import annotations

import itertools
import logging
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import (
    DBAPIError,
    IntegrityError,
    InterfaceError,
    NoSuchModuleError,
    OperationalError,
    SQLAlchemyError,
)

from sync_ledger.tables import LedgerTables, ledger_tables
from sync_ledger.transactions import begin_for_poolers, options_for_poolers, set_locally
from sync_ledger.versions import LEDGER_VERSION, OtherVersionError, bring_up_to_date, version_of

logger = logging.getLogger(__name__)

BUSY_SECONDS = 60.0
"""How long SQLite waits for another writer (the legacy application, the tap) before it gives up."""

POOL_SECONDS = 300.0
"""How long a thread waits for a connection: more threads wait for Zoho than the pool has connections."""

CONNECTIONS_MOST = 15
"""To one SQLite file at a time, as many as SQLAlchemy's pools have by themselves."""

LOCK_SECONDS = 30
"""Servers wait no longer for another session's lock; MySQL and MariaDB would wait a day for a locked table."""

IDLE_SECONDS = 45
"""PostgreSQL ends a silent owner's transaction before its run counts as dead."""

CREATE_ATTEMPTS = 5
"""Tap and target start together and may both create the tables; the loser looks again."""

ATTEMPTS = 5
PATIENCE_SECONDS = 60.0
"""What a broken connection, a deadlock or another session's lock cuts short is done as often as this, but not begun
again after so long: each try may have waited for a lock already."""

LONGEST_PAUSE_SECONDS = 30

DRIVERS = {
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mariadb+pymysql",
    "mssql": "mssql+pymssql",
    "oracle": "oracle+oracledb",
}
"""The driver that the matching extra installs, for a URL that names none."""

EXTRAS = {
    "postgresql": "postgres",
    "mysql": "mysql",
    "mariadb": "mysql",
    "mssql": "mssql",
    "oracle": "oracle",
}
"""Engine to the extra that installs its driver."""


_T = TypeVar("_T")


class LedgerError(Exception):
    """The ledger cannot be used; the message says what is wrong and what to do."""


class LedgerUnavailableError(LedgerError):
    """The ledger could be used before, and does not answer any more, or refuses what it took."""


def database_url(text: str) -> sa.URL:
    """Read a database URL and name the driver that we install where it names none.

    Raises:
        LedgerError: the text is no URL.
    """
    try:
        if not text.isprintable():
            raise ValueError("a character that no URL has")  # noqa: TRY301 - told as the others
        url = sa.make_url(text)
    except (SQLAlchemyError, ValueError) as error:
        raise LedgerError(
            "the database URL cannot be read; expected e.g. postgresql://user:password@host:5432/database"
        ) from error
    return url.set(drivername=DRIVERS.get(url.drivername, url.drivername))


def create_engine(url: sa.URL, **options: Any) -> sa.Engine:
    """Make an engine, or say which extra is missing.

    Raises:
        LedgerError: unknown engine, or its driver is not installed.
    """
    try:
        engine = sa.create_engine(url, **options_for_poolers(url, options))
    except NoSuchModuleError as error:
        raise LedgerError(f"no database engine is called {url.drivername!r}") from error
    except ModuleNotFoundError as error:
        extra = EXTRAS.get(url.get_backend_name(), "")
        raise LedgerError(
            f"the driver for {url.get_backend_name()} is not installed; run: pip install 'orders-sync[{extra}]'"
        ) from error
    begin_for_poolers(engine)
    return engine


def writable_engine(url: str) -> sa.Engine:
    """Make an engine for short transactions that write; it connects on first use.

    Raises:
        LedgerError: the URL or its driver is of no use.
    """
    parsed = database_url(url)
    if parsed.get_backend_name() == "sqlite":
        if parsed.database in {None, "", ":memory:"}:
            raise LedgerError("an SQLite database in memory forgets everything; name a file: sqlite:////path/to/file")
        busy = {"timeout": BUSY_SECONDS, "check_same_thread": False}
        # One connection is kept, since each keeps 2 MB of pages, and making a further one takes no time.
        pool = {"pool_timeout": POOL_SECONDS, "pool_size": 1, "max_overflow": CONNECTIONS_MOST - 1}
        engine = create_engine(parsed, connect_args=busy, **pool)
        event.listen(engine, "connect", _own_transactions)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    engine = create_engine(parsed, pool_pre_ping=True, pool_timeout=POOL_SECONDS)
    _limit_waiting(engine)
    return engine


class WritableDatabase:
    """A database that this program writes: short transactions, and patience with what passes by itself."""

    what = "ledger"
    """What the database is for, in messages."""

    what_is_lost = "what was sent and not confirmed is sent again by the next run"

    def __init__(self, engine: sa.Engine) -> None:
        """Use `engine`, which must have come from `writable_engine` or be set up alike."""
        self.engine = engine
        self._writer = engine.execution_options(ledger_write=True)
        self._given_up = False
        self.retries_until: threading.Event | None = None
        """Set where a run is to last: what is cut short is then done again until it works, or this event is set."""

    @contextmanager
    def begin(self) -> Iterator[sa.Connection]:
        """Open a transaction that writes; on SQLite it takes the write lock at once, so it cannot deadlock."""
        with self._writer.begin() as connection:
            yield connection

    def transact(self, write: Callable[[sa.Connection], _T]) -> _T:
        """Run `write` in a transaction, patiently; it must bear being done twice.

        Raises:
            LedgerUnavailableError: the ledger does not answer, time and again.
        """

        def once() -> _T:
            with self.begin() as connection:
                return write(connection)

        return self.patiently(once)

    def patiently(self, action: Callable[[], _T]) -> _T:
        """Do again what a broken connection, a deadlock or another session's lock cut short.

        An action that ends with a commit must bear being done twice: its answer may be lost, and not its effect.
        What follows a failure, such as noting the end of a run, is tried once: it has been waited for already.
        A plain loop: the wrappers of a retry library form cycles that keep a whole job's rows alive.

        Raises:
            LedgerUnavailableError: the ledger does not answer, time and again.
        """
        began = time.monotonic()
        for attempt in itertools.count(1):
            try:
                result = action()
            except IntegrityError:
                raise
            except DBAPIError as error:
                passing = isinstance(error, (OperationalError, InterfaceError))
                over = self._given_up or attempt >= ATTEMPTS or time.monotonic() - began >= PATIENCE_SECONDS
                if self.retries_until is not None:
                    over = self.retries_until.is_set()
                if over or not passing:
                    self._given_up = True
                    raise LedgerUnavailableError(
                        f"the {self.what} cannot be written or read: {_cause(error)}; {self.what_is_lost}"
                    ) from error
                logger.warning("The %s does not answer (%s), trying again", self.what, _cause(error))
            else:
                self._given_up = False
                return result
            pause = random.uniform(0.5, 1) * min(attempt, LONGEST_PAUSE_SECONDS)  # noqa: S311 - no secret
            (self.retries_until or threading.Event()).wait(pause)
        raise AssertionError("the loop returns or raises")

    @contextmanager
    def connect(self) -> Iterator[sa.Connection]:
        """Open a connection that only reads."""
        with self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Give back all connections."""
        self.engine.dispose()


class Ledger(WritableDatabase):
    """The ack, job and run tables in one database."""

    def __init__(self, engine: sa.Engine, schema: str | None = None) -> None:
        """Use `engine` as a writable database does."""
        super().__init__(engine)
        self.tables: LedgerTables = ledger_tables(engine.dialect.name, schema)

    @classmethod
    def open(cls, url: str, schema: str | None = None) -> Ledger:
        """Open the ledger at `url`; connects on first use.

        Raises:
            LedgerError: the URL or its driver is of no use.
        """
        return cls(writable_engine(url), schema)

    def now(self, connection: sa.Connection) -> datetime:
        """Tell the time by the ledger database's clock: naive UTC."""
        text = {
            "sqlite": "SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
            "postgresql": "SELECT clock_timestamp() AT TIME ZONE 'UTC'",
            "mssql": "SELECT sysutcdatetime()",
            "oracle": "SELECT sys_extract_utc(systimestamp) FROM dual",
        }.get(connection.dialect.name, "SELECT utc_timestamp(6)")
        value = connection.exec_driver_sql(text).scalar_one()
        return value if isinstance(value, datetime) else datetime.fromisoformat(value)

    def ensure_tables(self) -> None:
        """Create the tables, or bring those of an earlier version up to date; safe when tap and target do so together.

        Raises:
            LedgerError: the database is out of reach or may not be written, or a later version made the ledger.
        """
        for attempt in range(1, CREATE_ATTEMPTS + 1):
            try:
                with self.engine.connect() as connection:
                    if version_of(connection, self.tables) == LEDGER_VERSION:
                        return
                with self.begin() as connection:
                    bring_up_to_date(connection, self.tables)
            except OtherVersionError as error:
                raise self._of_other_version(error) from error
            except (DBAPIError, OSError) as error:
                if attempt == CREATE_ATTEMPTS:
                    raise self.unusable(error) from error
                time.sleep(0.1 * attempt)
            else:
                return

    def check_version(self) -> None:
        """Make sure that this program can read the ledger as it is; changes nothing.

        Raises:
            LedgerError: it is of another version.
        """
        try:
            with self.engine.connect() as connection:
                version = version_of(connection, self.tables)
        except OtherVersionError as error:
            raise self._of_other_version(error) from error
        if version is not None and version < LEDGER_VERSION:
            raise LedgerError(
                f"the ledger at {self._where} is of an earlier version; the next run of the tap or the target brings "
                "it up to date, and so does `orders-sync init`"
            )

    def _of_other_version(self, error: OtherVersionError) -> LedgerError:
        return LedgerError(f"the ledger at {self._where} cannot be used: {error}")

    def missing_tables(self) -> list[str]:
        """Name the tables of the ledger that are not there; does not make an SQLite file in order to look into it."""
        present: set[str] = set()
        if not self.lacks_file():
            with self.engine.connect() as connection:
                present = set(sa.inspect(connection).get_table_names(schema=self.tables.metadata.schema))
        return [table.name for table in self.tables.metadata.sorted_tables if table.name not in present]

    def lacks_file(self) -> bool:
        """Tell whether the ledger is an SQLite file that is not there; connecting would make an empty one."""
        file = self.engine.url.database if self.engine.dialect.name == "sqlite" else None
        return bool(file) and not Path(str(file)).exists()

    @property
    def _where(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)

    def unusable(self, error: Exception) -> LedgerError:
        """Say what a database's complaint means for the ledger."""
        return LedgerError(
            f"the ledger tables (zoho_sync_*) cannot be created or read at {self._where}: "
            f"{_cause(error)}; "
            "check `ack_url` and `ack_schema`, and that its user may create and write tables there"
        )


def _cause(error: Exception) -> str:
    """The first line of what a driver says; the rest may hold parameters."""
    cause = getattr(error, "orig", None) or error
    lines = str(cause).strip().splitlines()
    return lines[0] if lines else type(cause).__name__


def _limit_waiting(engine: sa.Engine) -> None:
    """Keep a session that locks a table, or a run that was frozen in a transaction, from blocking others for ever."""
    if engine.dialect.name == "postgresql":
        idle = f"idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"
        set_locally(engine, f"lock_timeout = '{LOCK_SECONDS}s'", idle)
    elif engine.dialect.name in {"mysql", "mariadb"}:
        event.listen(engine, "connect", _limit_waiting_of_session)


def _limit_waiting_of_session(dbapi_connection: Any, _record: object) -> None:
    with dbapi_connection.cursor() as cursor:
        cursor.execute(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}, innodb_lock_wait_timeout = {LOCK_SECONDS}")
    dbapi_connection.commit()


def _own_transactions(dbapi_connection: Any, _record: object) -> None:
    """Keep sqlite3 from opening transactions of its own, so that `begin` decides."""
    dbapi_connection.isolation_level = None


def _begin_sqlite(connection: sa.Connection) -> None:
    immediate = connection.get_execution_options().get("ledger_write", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
