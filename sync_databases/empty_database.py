"""A database in memory whose tables are there and empty: whatever is written to it is forgotten."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.pool import QueuePool
from sqlalchemy.schema import CreateTable

from sync_databases.drivers import create_engine


def memory_engine(named: sa.URL) -> sa.Engine:
    """Make an engine of which each connection is a database of its own. Messages call it `named`."""
    options = {"check_same_thread": False}
    engine = create_engine(sa.make_url("sqlite://"), poolclass=QueuePool, connect_args=options)
    engine.url = named
    return engine


def give_empty_tables(engine: sa.Engine, metadata: sa.MetaData) -> None:
    """Let each connection begin with these tables."""
    statements = [str(CreateTable(table).compile(dialect=engine.dialect)) for table in metadata.sorted_tables]

    def make(connection: Any, _record: object) -> None:
        for statement in statements:
            connection.execute(statement)

    event.listen(engine, "connect", make)
