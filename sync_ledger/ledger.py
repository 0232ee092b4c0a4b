"""One ledger: an engine, its tables, and the transactions on them."""

from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync_databases.database_clock import database_now
from sync_databases.database_errors import DatabaseError
from sync_databases.engines import engine_of
from sync_databases.waiting import CLOCK, Clock
from sync_databases.writable_database import COMMAND_LINE, WritableDatabase, cause_of, writable_engine
from sync_ledger.identity import identity_of
from sync_ledger.index_building import build_beside
from sync_ledger.retry_schedules import CREATING_TABLES, LEDGER_STATEMENTS
from sync_ledger.tables import LedgerTables, ledger_tables
from sync_ledger.versions import LEDGER_VERSION, OtherVersionError, bring_up_to_date, version_of

_T = TypeVar("_T")


class LedgerError(DatabaseError):
    """The ledger cannot be used; the message says what is wrong and what to do."""


class Ledger(WritableDatabase):
    """The ack, job and run tables in one database."""

    what = "ledger"
    what_is_lost = "what was sent and not confirmed is sent again by the next run"
    retries = LEDGER_STATEMENTS

    def __init__(
        self,
        engine: sa.Engine,
        schema: str | None = None,
        logger: logging.Logger = COMMAND_LINE,
        clock: Clock = CLOCK,
        *,
        retries_until: threading.Event | None = None,
    ) -> None:
        """Use `engine` as a writable database does."""
        super().__init__(engine, logger, clock, retries_until=retries_until)
        self.tables: LedgerTables = ledger_tables(engine_of(engine.dialect), schema)

    @classmethod
    def open(
        cls,
        url: str,
        schema: str | None = None,
        logger: logging.Logger = COMMAND_LINE,
        clock: Clock = CLOCK,
        *,
        retries_until: threading.Event | None = None,
    ) -> Ledger:
        """Open the ledger at `url`; connects on first use. What is logged goes to `logger`, the program's own.

        Raises:
            DatabaseError: the URL or its driver is of no use.
        """
        return cls(writable_engine(url), schema, logger, clock, retries_until=retries_until)

    @property
    def place(self) -> Ledger:
        """Where the ledger lies: itself, unless it stands in for one that nobody has made yet."""
        return self

    def now(self, connection: sa.Connection) -> datetime:
        """The time by the ledger database's clock: naive UTC."""
        return database_now(connection)

    def ensure_tables(self) -> None:
        """Create the tables, or bring those of an earlier version up to date; safe when tap and target do so together.

        Raises:
            LedgerError: the database is out of reach or may not be written, or a later version made the ledger.
        """
        for line in self._tried(self._bring_up_to_date):
            self.log.warning("%s", line)

    def _bring_up_to_date(self) -> Sequence[str]:
        if self._look_up_version() == LEDGER_VERSION:
            return ()
        build_beside(self.engine, self.tables)
        return bring_up_to_date(self.begin, self.tables)

    def version(self) -> int | None:
        """The version of the ledger's tables, None where nobody has made them. Makes no SQLite file in order to ask it.

        Raises:
            LedgerError: the database is out of reach, or a later version made the ledger.
        """
        can_be_made = self.lacks_file() and Path(str(self.engine.url.database)).absolute().parent.is_dir()
        return None if can_be_made else self._tried(self._look_up_version)

    def upgrade(self) -> tuple[int, int] | None:
        """From which version to which one an earlier program's ledger is to be brought; None where nothing is to do.

        Raises:
            LedgerError: the database is out of reach, or a later version made the ledger.
        """
        version = self.version()
        return None if version in {None, LEDGER_VERSION} else (int(version or 0), LEDGER_VERSION)

    def _look_up_version(self) -> int | None:
        with self.engine.connect() as connection:
            return version_of(connection, self.tables)

    def _tried(self, action: Callable[[], _T]) -> _T:
        for failures in itertools.count(1):
            try:
                return action()
            except OtherVersionError as error:
                raise self._of_other_version(error) from error
            except (DBAPIError, OSError) as error:
                if CREATING_TABLES.is_over(failures):
                    raise self.unusable(error) from error
                self.clock.wait(CREATING_TABLES.pause_after(failures))
        raise AssertionError("the loop returns or raises")

    @cached_property
    def ledger_id(self) -> str:
        """The ledger's id, made with its tables; asked for once."""

        def look_up() -> str:
            with self.connect() as connection:
                return identity_of(connection, self.tables)

        return self.with_retries(look_up)

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
        """Name the tables of the ledger that are not there; does not make an SQLite file in order to ask it."""
        present: set[str] = set()
        if not self.lacks_file():
            with self.engine.connect() as connection:
                present = set(sa.inspect(connection).get_table_names(schema=self.tables.metadata.schema))
        return [table.name for table in self.tables.metadata.sorted_tables if table.name not in present]

    def lacks_file(self) -> bool:
        """Whether the ledger is an SQLite file that is not there; connecting would make an empty one."""
        file = None if engine_of(self.engine.dialect).is_server else self.engine.url.database
        return bool(file) and not Path(str(file)).exists()

    @property
    def _where(self) -> str:
        return self.engine.url.render_as_string(hide_password=True)

    def unusable(self, error: Exception) -> LedgerError:
        """What a database's error means for the ledger."""
        return LedgerError(
            f"the ledger tables (zoho_sync_*) cannot be created or read at {self._where}: "
            f"{cause_of(error)}; "
            "check `ack_url` and `ack_schema`, and that its user may create and write tables there"
        )
