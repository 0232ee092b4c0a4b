"""Connecting to the orders' database: read only, with the session settings that its texts depend on."""

from __future__ import annotations

import logging
import re
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from sync_databases.damaged_texts import is_of_damaged_text, read_any_bytes
from sync_databases.database_errors import DatabaseError, DatabaseUnavailableError
from sync_databases.engines import engine_of
from sync_databases.readable_engine import readable_engine
from sync_databases.row_fingerprints import teach_fingerprints
from sync_databases.session_settings import keep_to_indexes
from sync_databases.url_options import tls_hint
from sync_ledger.absent_ledger import AbsentLedger
from sync_ledger.leases import LeaseHeldError
from sync_ledger.ledger import Ledger
from sync_ledger.lock_waiting import wait_for_lock
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.recovery import release_uncreated
from sync_ledger.statistics import few_are_estimated, refresh_statistics
from tap_legacy_orders.tap_errors import TapConfigError, TapLockedError, TapSyncError, cause_of, where

_REFUSED = re.compile(r"no such|syntax|unrecognized token|denied|unknown column|readonly", re.IGNORECASE)
"""SQLite and MySQL say so of statements that they refuse, by the kind of error that a broken connection has too."""
ORDERS_CHECK = "`sqlalchemy_url`, the user's rights, and `filter` if one is set"
LEDGER_CHECK = "`ack_url`, `ack_schema` and the user's rights"

_Key = TypeVar("_Key")
_Row = TypeVar("_Row")


def open_engine(text: str, *, ping: bool = True) -> sa.Engine:
    """Make the engine for the orders' database; it connects on first use.

    With `ping` a connection is tried before each use, at the price of another statement.

    Raises:
        TapConfigError: the URL, its engine, its driver or its SQLite file is of no use.
    """
    try:
        engine = readable_engine(text, ping=ping)
    except DatabaseError as error:
        raise TapConfigError(f"sqlalchemy_url: {error}") from error
    teach_fingerprints(engine)
    return engine


@contextmanager
def reading(engine: sa.Engine, what: str = "orders", check: str = ORDERS_CHECK) -> Iterator[sa.Connection]:
    """Open a connection for one short query; on PostgreSQL for one transaction, which ends here.

    Raises:
        TapSyncError: the database is out of reach, or refused the query; it names `what` it is for and what to `check`.
    """
    connected = False
    try:
        with engine.connect() as connection:
            connected = True
            yield connection
            if engine_of(engine.dialect).sets_per_transaction:
                connection.commit()  # by itself it would be rolled back, which DBAs count as trouble
    except DatabaseError as error:
        raise TapSyncError(f"the database with the {what}, {where(engine.url)}, cannot be used: {error}") from error
    except _errors(engine) as error:
        cause = cause_of(error, engine.url)
        url = "`ack_url`" if what == "ledger" else "`sqlalchemy_url`"
        says = "says" if connected else "cannot be used"
        hint = _hint(error, cause, check) if connected else f"check {url}{tls_hint(engine.url, cause)}"
        raise TapSyncError(f"the database with the {what}, {where(engine.url)}, {says}: {cause}; {hint}") from error


def _hint(error: BaseException, cause: str, check: str) -> str:
    """What to do: settings and rights are checked where the statement was refused, not where the database gave way."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return "the connection was lost; run again once the database answers"
    refused = isinstance(error, (sa.exc.ProgrammingError, sa.exc.DataError)) or not isinstance(error, DBAPIError)
    if refused or _REFUSED.search(cause):
        return f"check {check}"
    return "nothing of the settings is known to be wrong; see the database's own log, and run again"


def _errors(engine: sa.Engine) -> tuple[type[Exception], ...]:
    """What a query can raise; the driver's own errors too, since rows are taken from it directly."""
    return (SQLAlchemyError, OSError, UnicodeError, engine.dialect.loaded_dbapi.Error)


def fetch_rows(connection: sa.Connection, statement: sa.Select[Any]) -> list[tuple[Any, ...]]:
    """Run a query and take its rows from the driver itself, without a Row object each."""
    try:
        return _rows_of(connection, statement)
    except sa.exc.DataError as error:
        if not is_of_damaged_text(connection, error):
            raise
        read_any_bytes(connection)
        return _rows_of(connection, statement)
    except (sqlite3.OperationalError, sa.exc.OperationalError) as error:
        # Before Python 3.11 the first row is read, and refused, when the statement is executed.
        if "decode to UTF-8" not in str(error):
            raise
    return _fetch_damaged_text(connection, statement)


def _rows_of(connection: sa.Connection, statement: sa.Select[Any]) -> list[tuple[Any, ...]]:
    result = connection.execute(statement)
    with result:
        # Without a cursor the statement gave no rows to fetch.
        return list(result.cursor.fetchall()) if result.cursor is not None else []


def asked_by_key(keys: Sequence[_Key], ask: Callable[[Sequence[_Key]], list[_Row]]) -> tuple[list[_Row], list[_Key]]:
    """Ask for rows by key; also gives the keys that the database refuses as no value of the column's type.

    The ledger may hold some of before the column's type was changed, or one of its labels was taken out.
    """
    try:
        return ask(keys), []
    except TapSyncError as error:
        if not isinstance(error.__cause__, sa.exc.DataError):
            raise
        if len(keys) == 1:
            return [], list(keys)
    half = len(keys) // 2
    (rows, refused), (more_rows, more_refused) = (asked_by_key(some, ask) for some in (keys[:half], keys[half:]))
    return [*rows, *more_rows], [*refused, *more_refused]


def _fetch_damaged_text(connection: sa.Connection, statement: sa.Select[Any]) -> list[tuple[Any, ...]]:
    r"""Run an SQLite query again, writing bytes that are no UTF-8 as \xNN, so that different texts stay different."""
    logging.getLogger("tap-legacy-orders").warning(
        "The orders' database holds text that is no UTF-8: the bytes in question are sent as \\xNN"
    )
    raw: Any = connection.connection.dbapi_connection
    raw.text_factory = lambda text: text.decode("utf-8", "backslashreplace")
    try:
        result = connection.execute(statement)
        rows: list[tuple[Any, ...]] = list(result.cursor.fetchall()) if result.cursor else []
        result.close()
    finally:
        raw.text_factory = str
    return rows


def open_ledger(
    url: str,
    schema: str | None,
    stream: str,
    logger: logging.Logger,
    *,
    partition: Partition = WHOLE,
    lock_wait: float = 0,
) -> Ledger:
    """Open the ledger at `url`, and make due again the orders of jobs that dead runs never created.

    Tables of an earlier version are brought up to date; where nobody has made any, the ledger is an empty one. With
    `lock_wait` a live run is waited for, for so many seconds at most.

    Raises:
        TapLockedError: it lives still.
        TapConfigError: the URL is of no use, or the tables cannot be made.
        TapSyncError: the ledger does not answer any more.
    """
    try:
        ledger = Ledger.open(url, schema, logger)
        if ledger.version() is None:
            logger.info(
                "No ledger is at %s yet: no order has an ack, and the target makes the tables", where(ledger.engine.url)
            )
            return AbsentLedger(ledger)
        ledger.ensure_tables()
        _ = ledger.ledger_id  # asked for here, where what the database says is put into words
        refresh_statistics(ledger)
        if lock_wait:
            wait_for_lock(ledger, stream, partition, lock_wait)
        released = release_uncreated(ledger, stream, watched_for=partition)
    except LeaseHeldError as error:
        raise TapLockedError(str(error)) from error
    except DatabaseUnavailableError as error:
        raise TapSyncError(str(error)) from error
    except DatabaseError as error:
        raise TapConfigError(f"ack_url: {error}") from error
    except SQLAlchemyError as error:
        at = ledger.engine.url
        raise TapSyncError(f"the ledger at {where(at)} says: {cause_of(error, at)}; check {LEDGER_CHECK}") from error
    if released:
        logger.info("%d orders of bulk jobs that were never created are due again", released)
    return ledger


def find_acks_by_index(engine: sa.Engine, ledger: Ledger) -> None:
    """Make a database that holds orders and ledger join them by the acks' index, however many are written meanwhile.

    Raises:
        TapSyncError: the ledger does not answer any more.
    """
    with reading(ledger.engine, "ledger", LEDGER_CHECK) as connection:
        few = few_are_estimated(connection, ledger)
    if few:
        keep_to_indexes(engine)
