"""A user of a PostgreSQL database who may read, and nothing else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import sqlalchemy as sa


@contextmanager
def reader_of(url: str) -> Iterator[str]:
    """A user of the database who may connect and read, and nothing else."""
    owner = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    name = f"reader_{os.urandom(6).hex()}"
    with owner.connect() as connection:
        connection.exec_driver_sql(f"CREATE ROLE {name} LOGIN PASSWORD 'read-only'")
        connection.exec_driver_sql("REVOKE CREATE ON SCHEMA public FROM PUBLIC")
    yield sa.make_url(url).set(username=name, password="read-only").render_as_string(hide_password=False)
    with owner.connect() as connection:
        connection.exec_driver_sql(f"DROP OWNED BY {name}")
        connection.exec_driver_sql(f"DROP ROLE {name}")
    owner.dispose()
