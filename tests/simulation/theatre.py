"""What all histories of a real process share: folder, empty databases, the emulator."""

from __future__ import annotations

import gc
import logging
import os
import random
import shutil
import sqlite3
import tempfile
import uuid
from pathlib import Path

import sqlalchemy as sa
from simulation import simulated_databases, stand_ins
from simulation.legacy import INDEX, TABLE
from simulation.network import Zoho
from simulation.pair import Source
from simulation.scheduler import Scheduler
from simulation.set_ups import TABLES
from simulation.simulated_databases import plain
from simulation.stand_ins import STAGE

from sync_databases.engines import SQLITE
from sync_ledger.tables import ledger_tables
from sync_ledger.versions import LEDGER_VERSION

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - files that nobody else knows of


class Theatre:
    """What all histories of a real process share: folder, empty databases, the emulator."""

    def __init__(self) -> None:
        logging.disable(logging.CRITICAL)
        parent = SHARED_MEMORY if SHARED_MEMORY.is_dir() else None
        self.folder = Path(tempfile.mkdtemp(prefix="simulation-", dir=parent))
        tempfile.tempdir = str(self.folder)
        os.environ["XDG_CACHE_HOME"] = str(self.folder / "cache")
        STAGE.begin(Scheduler(random.Random(0)), 0, lambda _pid: False)
        stand_ins.install()
        simulated_databases.install()
        self.zoho = Zoho(self.folder)
        self.orders, self.ledger = self.folder / "orders.sqlite", self.folder / "ledger.sqlite"
        self._databases = [self._made(path) for path in (self.orders, self.ledger)]
        for statement in TABLES:
            self._databases[0].execute(statement)
        self.source = Source(f"sqlite:///{self.orders}")
        gc.freeze()  # all of this lasts
        gc.set_threshold(50_000, 20, 50)  # histories make millions of objects that no collection is needed for

    @staticmethod
    def _made(path: Path) -> sqlite3.Connection:
        connection = plain(path)
        connection.execute(TABLE)
        connection.execute(INDEX)
        engine = sa.create_engine(f"sqlite:///{path}")
        ledger_tables(SQLITE).metadata.create_all(engine)
        engine.dispose()
        connection.execute(
            "CREATE TABLE sim_acks (moment INTEGER, record_key TEXT, version TEXT, status TEXT, zoho_id TEXT, "
            "attempts INTEGER, failing_since TEXT, acked_at TEXT)"
        )
        for what in ("INSERT", "UPDATE"):
            connection.execute(
                f"CREATE TRIGGER sim_{what} AFTER {what} ON zoho_sync_ack BEGIN "
                "INSERT INTO sim_acks VALUES (sim_tick(), new.record_key, new.version, new.status, new.zoho_id, "
                "new.attempts, new.failing_since, new.acked_at); END"
            )
        return connection

    def connections(self, *, beside: bool) -> tuple[sqlite3.Connection, sqlite3.Connection]:
        """To the orders' database, and to the ledger's."""
        return self._databases[0], self._databases[0 if beside else 1]

    def empty_databases(self, *, new_ledger: bool) -> None:
        """Empty the orders' and the ledger's database; whoever comes first brings a `new_ledger` up to date."""
        for connection in self._databases:
            names = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
            connection.execute("BEGIN")
            for (name,) in names:
                connection.execute(f"DELETE FROM {name}")
            if not new_ledger:
                connection.execute("INSERT INTO zoho_sync_version VALUES (?)", (LEDGER_VERSION,))
                connection.execute("INSERT INTO zoho_sync_ledger VALUES (1, ?)", (uuid.uuid4().hex,))
            connection.execute("COMMIT")
        shutil.rmtree(self.folder / "cache", ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        self.zoho.emulator.close()
        shutil.rmtree(self.folder, ignore_errors=True)
