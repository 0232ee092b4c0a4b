"""Real databases for tests: one of each engine that this machine has, fresh, and dropped or emptied afterwards.

A missing MariaDB skips the test; a server that answers on its port but refuses us is a failure, no skip.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import sqlalchemy as sa
from kept_databases import empty_postgresql_database

from scripts import servers

ENGINES = ("sqlite", "postgresql", "mariadb")
UTF16 = "sqlite in UTF-16"
"""A database whose maker chose how it keeps its texts."""


@contextmanager
def mariadb_database() -> Iterator[str]:
    if not servers.answers(servers.MARIADB_PORT):
        pytest.skip("no MariaDB or MySQL server answers on 127.0.0.1:3306")
    with servers.mariadb_database() as url:
        yield url


@contextmanager
def fresh_database(engine: str, directory: Path) -> Iterator[str]:
    """Give the URL of a new, empty database of `engine`."""
    if engine == "postgresql":
        with empty_postgresql_database() as url:
            yield url
    elif engine == "mariadb":
        with mariadb_database() as url:
            yield url
    else:
        path = directory / f"{uuid.uuid4().hex}.sqlite"
        with sa.create_engine(f"sqlite:///{path}", poolclass=sa.NullPool).connect() as connection:
            if engine == UTF16:
                connection.exec_driver_sql("PRAGMA encoding = 'UTF-16'")
                connection.exec_driver_sql("CREATE TABLE first (id INTEGER)")  # writes the file, and so its encoding
                connection.exec_driver_sql("DROP TABLE first")
                connection.commit()
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
    with empty_postgresql_database() as url:
        yield url


@pytest.fixture
def mariadb_url() -> Iterator[str]:
    with mariadb_database() as url:
        yield url
