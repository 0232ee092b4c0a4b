"""The simulated side of SQLite: its clock, the points where a process may die, and faults of the ledger's database."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from datetime import datetime, timezone
from functools import cache, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from simulation.stand_ins import STAGE

import sync_databases.readable_engine
import sync_databases.writable_database
import sync_ledger.ledger

Points = Callable[[str, str], None]
"""Given what happens, and in which database: its path."""
FASTER = ("PRAGMA synchronous = OFF", "PRAGMA journal_mode = MEMORY", "PRAGMA temp_store = MEMORY")


class Hooks:
    """What the simulation wants to know of statements."""

    before: Points
    """Called outside of transactions, before a statement of the product: others may run, the process may die."""
    before_commit: Points
    """Called within a transaction that wrote: the process may die, but nobody else may run."""
    after_commit: Points
    tick: Callable[[], int]


HOOKS = Hooks()


def _strftime(path: str, form: str, *arguments: Any) -> str:
    """A database's clock; the product asks it for nothing else."""
    if arguments != ("now",) or form != "%Y-%m-%d %H:%M:%f":
        raise ValueError("unexpected use of strftime")
    moment = datetime.fromtimestamp(STAGE.database_time(path), timezone.utc)
    return moment.strftime("%Y-%m-%d %H:%M:%S.") + f"{moment.microsecond // 1000:03d}"


class SimCursor(sqlite3.Cursor):
    """A cursor whose statements are points of the history."""

    connection: SimConnection

    def execute(self, sql: str, *parameters: Any) -> sqlite3.Cursor:
        """Run a statement."""
        if not self.connection.in_transaction and not sql.startswith("PRAGMA"):
            HOOKS.before("write" if sql == "BEGIN IMMEDIATE" else "read", self.connection.path)
        return super().execute(sql, *parameters)


class SimConnection(sqlite3.Connection):
    """A connection by the simulated clock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.path = str(args[0])
        for statement in FASTER:
            super().execute(statement)
        self.create_function("strftime", -1, partial(_strftime, self.path))
        self.create_function("sim_tick", 0, lambda: HOOKS.tick())  # noqa: PLW0108 - the hook changes

    def cursor(self, *_: Any) -> SimCursor:  # type: ignore[override]
        """Make a cursor."""
        return super().cursor(SimCursor)

    def commit(self) -> None:
        """Commit."""
        if not self.in_transaction:
            return
        HOOKS.before_commit("commit", self.path)
        super().commit()
        HOOKS.after_commit("committed", self.path)


def _simulated(create: Callable[..., sa.Engine]) -> Callable[..., sa.Engine]:
    """Make engines whose connections are simulated ones."""

    def create_engine(url: sa.URL, **options: Any) -> sa.Engine:
        arguments = {**options["connect_args"], "factory": SimConnection, "timeout": 0.0}
        return create(url, **{**options, "connect_args": arguments})

    return create_engine


def install() -> None:
    """Let SQLAlchemy open such connections.

    One engine a database for the life of this (real) process: compiled statements are the engine's, and an open
    connection knows what SQLite has prepared.
    """
    engines: dict[str, sa.Engine] = {}
    create = _simulated(sync_databases.writable_database.create_engine)

    def engine_of(url: sa.URL, **options: Any) -> sa.Engine:
        engine = engines.get(str(url))
        if engine is None:
            engine = engines[str(url)] = create(url, **{**options, "pool_size": 0, "max_overflow": -1})
            engine.dispose = lambda close=True: None  # type: ignore[method-assign] # noqa: ARG005 - as the real one
        return engine

    sync_databases.writable_database.create_engine = engine_of
    sync_databases.readable_engine.create_engine = _simulated(sync_databases.readable_engine.create_engine)
    # One description of the tables: compiled statements are found again by it.
    sync_ledger.ledger.ledger_tables = cache(sync_ledger.ledger.ledger_tables)


def plain(path: Path) -> sqlite3.Connection:
    """A connection of the checker's own, outside of the history."""
    connection = sqlite3.connect(path, isolation_level=None)
    for statement in FASTER:
        connection.execute(statement)
    connection.create_function("sim_tick", 0, lambda: HOOKS.tick())  # noqa: PLW0108 - the hook changes
    return connection
