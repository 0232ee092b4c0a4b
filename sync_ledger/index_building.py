"""Indexes that an older ledger lacks, built beside its use where the engine can: a million acks take seconds."""

from __future__ import annotations

import threading
from typing import Any

import sqlalchemy as sa
from sqlalchemy.schema import CreateIndex

from sync_databases.engines import engine_of
from sync_ledger.retry_schedules import INDEX_BESIDE_SECONDS
from sync_ledger.tables import LedgerTables


def build_beside(engine: sa.Engine, tables: LedgerTables) -> None:
    """Build the ack table's lacking indexes without a lock on it, on PostgreSQL; elsewhere the upgrade builds them.

    One that others' old transactions hold up for too long is left to the upgrade as well.
    """
    if not engine_of(engine.dialect).builds_indexes_beside:
        return
    there = sa.inspect(engine)
    if not there.has_table(tables.ack.name, schema=tables.ack.schema):
        return
    known = {index["name"] for index in there.get_indexes(tables.ack.name, schema=tables.ack.schema)}
    columns = {column["name"] for column in there.get_columns(tables.ack.name, schema=tables.ack.schema)}
    for index in sorted(tables.ack.indexes, key=lambda index: str(index.name)):
        if index.name not in known and {column.name for column in index.columns} <= columns:
            _build(engine, index)


def _build(engine: sa.Engine, index: sa.Index) -> None:
    """Build one outside of any transaction; what is left of one that was cut short is dropped."""
    statement = str(CreateIndex(index, if_not_exists=True).compile(dialect=engine.dialect))
    statement = statement.replace("CREATE INDEX", "CREATE INDEX CONCURRENTLY", 1)
    preparer = engine.dialect.identifier_preparer
    schema = index.table.schema if index.table is not None else None
    name = preparer.quote(str(index.name))
    name = f"{preparer.quote_schema(schema)}.{name}" if schema else name
    connection = engine.raw_connection()  # whose driver begins no transaction by itself
    driver: Any = connection.driver_connection
    alarm = threading.Timer(INDEX_BESIDE_SECONDS, driver.cancel)
    try:
        alarm.start()
        driver.execute(statement)
    except engine.dialect.loaded_dbapi.Error:
        driver.execute(f"DROP INDEX IF EXISTS {name}")
    finally:
        alarm.cancel()
        connection.close()
