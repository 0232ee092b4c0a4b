"""Whether the ledger's user may do what tap and target do with it: it is tried, and nothing is left behind."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync_ledger.ledger import Ledger
from sync_processes.process_identity import process_space

PROBE = "zoho_sync_probe"
"""A table that is made and dropped again, where the ledger's own are not there yet."""


def try_permissions(ledger: Ledger) -> list[str]:
    """Try to write, change and delete, in the ledger's tables or in one made for it.

    Returns the names of the ledger's tables that are not there yet.

    Raises:
        LedgerError: the database is out of reach, or its user lacks a permission.
    """
    made_by_us = ledger.lacks_file()
    try:
        missing = ledger.missing_tables()
        if missing:
            _try_own_table(ledger)
        else:
            _try_run_table(ledger)
    except (DBAPIError, OSError) as error:
        raise ledger.unusable(error) from error
    finally:
        if made_by_us:
            ledger.close()
            Path(str(ledger.engine.url.database)).unlink(missing_ok=True)
    return missing


@contextmanager
def _undone(ledger: Ledger) -> Iterator[sa.Connection]:
    """Open a transaction that writes, and take back what it wrote."""
    with ledger.begin() as connection:
        yield connection
        transaction = connection.get_transaction()
        if transaction is not None:
            transaction.rollback()


def _try_run_table(ledger: Ledger) -> None:
    run, name = ledger.tables.run, f"probe-{uuid.uuid4().hex}"[:32]
    own = run.c.run_id == name
    with _undone(ledger) as connection:
        now = ledger.now(connection)
        row = {"run_id": name, "stream": PROBE, "partition_name": "1/1", "lock_name": name, "host": "", "pid": 0}
        times = {"process_space": process_space()[:100], "started_at": now, "heartbeat_at": now}
        connection.execute(sa.insert(run).values(**row, **times))
        connection.execute(sa.update(run).where(own).values(heartbeat_at=now))
        connection.execute(sa.delete(run).where(own))


def _try_own_table(ledger: Ledger) -> None:
    probe = sa.Table(PROBE, sa.MetaData(schema=ledger.tables.metadata.schema), sa.Column("id", sa.Integer))
    try:
        with _undone(ledger) as connection:
            probe.create(connection)
            connection.execute(sa.insert(probe).values(id=1))
    finally:
        with ledger.begin() as connection:  # MySQL and Oracle commit a CREATE at once
            probe.drop(connection, checkfirst=True)
