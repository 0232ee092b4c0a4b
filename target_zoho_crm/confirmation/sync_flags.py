"""Flags in the orders' table (`unsynced_by: sync_flag`): set when the acks are written, by the version written.

What a run dies over between ack and flag is streamed again by the tap; its ack tells that nothing is to be sent.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from itertools import islice

import sqlalchemy as sa
from singer_sdk import typing as th
from sqlalchemy.exc import DBAPIError, NoSuchTableError

from sync_databases.database_errors import DatabaseError
from sync_databases.flag_statements import FlagStatements, row_version
from sync_databases.flags import FlaggedTable
from sync_databases.page_order import settled
from sync_databases.reflection import columns_of
from sync_databases.row_fingerprints import takes_fingerprints, teach_fingerprints
from sync_databases.session_settings import pin_for_writing
from sync_databases.value_sql import value_sql_for
from sync_databases.writable_database import WritableDatabase, writable_engine
from sync_ledger.retry_schedules import ORDERS_DATABASE_STATEMENTS
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import ConfigurationError, configuration_error
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.setting_schema import Setting

LOOKED_AT = 20
"""Orders among which one is sought that nobody has changed yet, to see whether its flag stays."""

PROPERTIES = (
    Setting(
        "sync_flag_column",
        th.StringType,
        in_payload=False,
        description="The flag column that is set once an order is in the CRM, where the tap goes by one "
        "(docs/database.md#the-sync-flag).",
    ),
    Setting(
        "orders_url",
        th.StringType,
        in_payload=False,
        secret=True,
        description="SQLAlchemy URL of the orders' database, where flags are set; the ledger's database if absent.",
    ),
)


logger = logging.getLogger("target-zoho-crm")


class OrdersDatabase(WritableDatabase):
    """The orders' database, where one column is written."""

    what = "orders' database"
    retries = ORDERS_DATABASE_STATEMENTS
    what_is_lost = "what was written to the CRM is in the ledger, and the next run sets its flags"


class SyncFlags:
    """The flags of one stream's orders. Safe for threads."""

    def __init__(
        self,
        database: OrdersDatabase,
        statements: FlagStatements,
        by_row: FlagStatements | None,
        table: FlaggedTable,
    ) -> None:
        """Use `SyncFlags.open`. `by_row` compares the columns that were sent, too; None where no tap asks for that."""
        self._database = database
        self._statements = statements
        self._by_row = by_row
        self._table = table
        self._stays = False

    @classmethod
    def open(
        cls,
        url: str,
        column: str | None,
        stream: str,
        table: FlaggedTable,
        *,
        retries_until: threading.Event | None = None,
    ) -> SyncFlags:
        """Get ready to set the flag of `table`, as the tap announced it, if the setting names its `column`.

        `retries_until`: as of `WritableDatabase`.

        Raises:
            ConfigurationError: they do not, or the table cannot be written.
        """
        if table.flag != column:
            here = "is not set" if column is None else f"is {column!r}"
            raise _differs(
                stream, f"the tap goes by the flag column {table.flag!r}, and `sync_flag_column` here {here}."
            )
        try:
            engine = writable_engine(url)
            teach_fingerprints(engine)
        except DatabaseError as error:
            raise configuration_error(OwnCode.SYNC_FLAG_NOT_WRITABLE, f"orders_url: {error}.") from error
        try:
            database = OrdersDatabase(engine, logger, retries_until=retries_until)
            return cls(database, *_statements(engine, table), table)
        except (DBAPIError, NoSuchTableError, KeyError, ConfigurationError, OSError) as error:
            engine.dispose()
            if isinstance(error, ConfigurationError):
                raise
            raise configuration_error(
                OwnCode.SYNC_FLAG_NOT_WRITABLE, f"Column {table.flag} of {table.table}: {_cause(error)}."
            ) from error

    def set(self, outcomes: Sequence[Outcome], rows: Mapping[str, str | None]) -> None:
        """Set the flags of orders that are in the CRM and have not changed since.

        `rows`, by key, are of orders that may change without another version: fingerprints of the columns that were
        sent. Where there is none, a later run sets the flag.

        Raises:
            ConfigurationError: a trigger undoes it.
            DatabaseUnavailableError: the orders' database does not answer, time and again.
        """
        versions = {outcome.key: outcome.version for outcome in outcomes if outcome.key not in rows}
        given = {outcome.key: (outcome.version, rows.get(outcome.key)) for outcome in outcomes if outcome.key in rows}
        by_row = {key: (version, row) for key, (version, row) in given.items() if row is not None}
        if versions or by_row:
            self._database.transact(lambda connection: self._set(connection, versions, by_row))

    def rehearse(self, versions: Mapping[str, str]) -> None:
        """Set the flags of these orders as `set` does, and take it back; versions by key.

        Raises:
            ConfigurationError: as `set`.
        """
        with self._database.begin() as connection:
            self._set(connection, versions, {})
            transaction = connection.get_transaction()
            if transaction is not None:
                transaction.rollback()

    def _set(
        self, connection: sa.Connection, versions: Mapping[str, str], by_row: Mapping[str, tuple[str, str]]
    ) -> None:
        self._set_by(self._statements, connection, versions)
        if self._by_row is not None and by_row:
            rows = {key: row_version(version, row) for key, (version, row) in by_row.items()}
            self._set_by(self._by_row, connection, rows)

    def _set_by(self, statements: FlagStatements, connection: sa.Connection, versions: Mapping[str, str]) -> None:
        witness = None if self._stays else _witness(statements, connection, versions)
        statements.set(connection, versions)
        if witness is not None:
            if _state(statements, connection, witness) != (versions[witness], False):
                raise configuration_error(
                    OwnCode.SYNC_FLAG_UNDONE,
                    f"Setting {self._table.flag} of order {witness!r} in {self._table.table} changes its version, or "
                    "does not last.",
                )
            self._stays = True

    def close(self) -> None:
        """Give back all connections."""
        self._database.close()


def _witness(statements: FlagStatements, connection: sa.Connection, versions: Mapping[str, str]) -> str | None:
    """An order whose flag is about to be set, locked."""
    for key in islice(versions, LOOKED_AT):
        if _state(statements, connection, key) == (versions[key], True):
            return key
    return None


def _state(statements: FlagStatements, connection: sa.Connection, key: str) -> tuple[str, bool] | None:
    row = connection.execute(statements.state_of(key).with_for_update()).first()
    return None if row is None else (str(row[0]), bool(row[1]))


def unflagged(versions: Mapping[str, str]) -> list[Outcome]:
    """Outcomes of orders that were in the CRM already, and only their flag was unset; versions by key."""
    return [Outcome(key, version, Status.UNCHANGED, action=Status.UNCHANGED.value) for key, version in versions.items()]


def _statements(engine: sa.Engine, table: FlaggedTable) -> tuple[FlagStatements, FlagStatements | None]:
    pin_for_writing(engine)
    with engine.connect() as connection:
        columns = columns_of(sa.inspect(connection), table.table, table.schema)
        key = settled(connection, table.table, table.schema, [columns[name] for name in table.key])
    value_sql, columns = value_sql_for(engine.dialect), {**columns, **{column.name: column for column in key}}
    statements = FlagStatements(value_sql, table, columns)
    by_row = None
    if table.sent and takes_fingerprints(value_sql):
        by_row = FlagStatements(value_sql, table, columns, by_row=True)
    with engine.begin() as connection:
        connection.execute(statements.nothing())
    return statements, by_row


def _differs(stream: str, what: str) -> ConfigurationError:
    return configuration_error(OwnCode.SYNC_FLAG_DIFFERS, f"Stream {stream!r}: {what}")


def _cause(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"the table has no column {error}"
    if isinstance(error, NoSuchTableError):
        return "there is no such table in the orders' database"
    lines = str(getattr(error, "orig", None) or error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
