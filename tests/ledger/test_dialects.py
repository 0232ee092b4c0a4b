"""A process imports the dialects of the databases that it meets: all of them together take a tenth of its start."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync_databases import dialects
from sync_ledger.ledger import Ledger

PROJECT = Path(__file__).resolve().parents[2]
ALL = {"mssql", "mysql", "oracle", "postgresql", "sqlite"}
MEET = """
import sys
import tap_legacy_orders.tap, target_zoho_crm.target
from tap_legacy_orders.tap import TapLegacyOrders

tap = TapLegacyOrders(config={"sqlalchemy_url": sys.argv[1], "orders_table": "orders"})
assert [stream.name for stream in tap.streams.values()] == ["orders"]
assert tap.ledger.tables.ack.name == "zoho_sync_ack"
print(*(name.split(".")[2] for name in sys.modules if name.startswith("sqlalchemy.dialects.")))
"""


def test_a_process_imports_the_dialect_of_its_database_alone(engine_url: str) -> None:
    engine = sa.create_engine(engine_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE orders (id INTEGER PRIMARY KEY, updated_at TIMESTAMP)")
    engine.dispose()
    ledger = Ledger.open(engine_url)
    ledger.ensure_tables()  # where there is none, an empty one of SQLite stands in for it
    ledger.close()
    found = subprocess.run(
        [sys.executable, "-c", MEET, engine_url], cwd=PROJECT, check=True, stdout=subprocess.PIPE, text=True
    )
    assert ALL.intersection(found.stdout.split()) == {engine.dialect.name}


def test_there_are_no_other_dialects() -> None:
    assert dialects.sqlite.dialect.name == "sqlite"
    with pytest.raises(AttributeError, match="no dialect is called 'db2'"):
        getattr(dialects, "db2")  # noqa: B009 - mypy knows that it is not there
