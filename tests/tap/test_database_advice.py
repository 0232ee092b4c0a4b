"""What is advised behind a database's complaint has to do with its cause."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError, OperationalError, ProgrammingError

from tap_legacy_orders.connections import ORDERS_CHECK, reading
from tap_legacy_orders.tap_errors import TapSyncError

LOST = OperationalError("SELECT 1", {}, sqlite3.OperationalError("gone"), connection_invalidated=True)


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (
            OperationalError("SELECT 1", {}, sqlite3.OperationalError("database is locked")),
            "the database's own log",
        ),
        (OperationalError("SELECT 1", {}, sqlite3.OperationalError("disk I/O error")), "the database's own log"),
        (LOST, "the connection was lost; run again"),
        (OperationalError("SELECT x", {}, sqlite3.OperationalError("no such column: x")), ORDERS_CHECK),
        (ProgrammingError("SELECT x", {}, sqlite3.ProgrammingError("permission denied")), ORDERS_CHECK),
    ],
)
def test_settings_are_to_be_checked_only_where_they_can_be_the_cause(error: DBAPIError, advice: str) -> None:
    engine = sa.create_engine("sqlite://")
    with pytest.raises(TapSyncError) as raised, reading(engine):
        raise error
    assert advice in str(raised.value)
    assert ("`filter`" in str(raised.value)) == (advice == ORDERS_CHECK)
    engine.dispose()
