"""The emulator's memory: one SQLite file with records, unique keys, jobs, files, tokens and credits.

One connection writes, under one lock; every thread reads through its own connection. The journal is a write-ahead
log and is not synced to disk: the file survives the end of the process, a power cut is not an emulator's concern.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FIRST_ID = 4_876_876_000_000_100_001  # 19 digits, like Zoho's, so that no float holds one

TABLES = """
CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS modules (api_name TEXT PRIMARY KEY, position INTEGER, doc BLOB);
CREATE TABLE IF NOT EXISTS fields (
  module TEXT, api_name TEXT, position INTEGER, doc BLOB, PRIMARY KEY (module, api_name));
CREATE TABLE IF NOT EXISTS records (
  id INTEGER PRIMARY KEY, module INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  owner INTEGER NOT NULL, creator INTEGER NOT NULL, modifier INTEGER NOT NULL, doc TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS records_by_time ON records (module, modified);
CREATE TABLE IF NOT EXISTS unique_keys (
  field INTEGER NOT NULL, key TEXT NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (field, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS children (
  parent INTEGER NOT NULL, module INTEGER NOT NULL, record INTEGER NOT NULL, PRIMARY KEY (parent, module, record)
  ) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS deleted (
  record INTEGER PRIMARY KEY, module INTEGER NOT NULL, at INTEGER NOT NULL, name, creator INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS tags (
  module INTEGER NOT NULL, name TEXT NOT NULL, id INTEGER NOT NULL, PRIMARY KEY (module, name)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS counts (module INTEGER PRIMARY KEY, records INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS grants (
  refresh_token TEXT PRIMARY KEY, client_id TEXT, client_secret TEXT, scopes TEXT, expires INTEGER, revoked INTEGER);
CREATE TABLE IF NOT EXISTS codes (
  code TEXT PRIMARY KEY, client_id TEXT, client_secret TEXT, scopes TEXT, expires INTEGER, used INTEGER);
CREATE TABLE IF NOT EXISTS tokens (
  token TEXT PRIMARY KEY, refresh_token TEXT, issued INTEGER, expires INTEGER, revoked INTEGER);
CREATE TABLE IF NOT EXISTS files (id INTEGER PRIMARY KEY, name TEXT, uploaded INTEGER, body BLOB);
CREATE TABLE IF NOT EXISTS jobs (
  id INTEGER PRIMARY KEY, created INTEGER, starts INTEGER, due INTEGER, status TEXT, request BLOB, outcome BLOB,
  result BLOB, callback TEXT);
CREATE INDEX IF NOT EXISTS jobs_by_status ON jobs (status, due);
CREATE TABLE IF NOT EXISTS credits (
  minute INTEGER, kind TEXT, amount INTEGER, PRIMARY KEY (minute, kind)) WITHOUT ROWID;
"""
NAMES = (
    "meta",
    "modules",
    "fields",
    "records",
    "unique_keys",
    "children",
    "deleted",
    "tags",
    "counts",
    "grants",
    "codes",
    "tokens",
    "files",
    "jobs",
    "credits",
)


class Store:
    """The SQLite file behind one emulator."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._local = threading.local()
        self._readers: list[sqlite3.Connection] = []
        self.before_commit: list[Callable[[sqlite3.Connection], None]] = []
        self._writer = self._connect()
        self._writer.execute("PRAGMA journal_mode = WAL")
        self._writer.executescript(TABLES)
        self._next_id = self._saved_id = int(self.meta("next_id", FIRST_ID))
        self._id_lock = threading.Lock()

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self.path, check_same_thread=False, isolation_level=None, timeout=30)
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("PRAGMA cache_size = -16000")
        connection.execute("PRAGMA temp_store = MEMORY")
        return connection

    @contextmanager
    def write(self) -> Iterator[sqlite3.Connection]:
        """One transaction: committed at the end of the block, undone if the block raises."""
        with self._lock:
            self._writer.execute("BEGIN IMMEDIATE")
            try:
                yield self._writer
                for hook in self.before_commit:
                    hook(self._writer)
                if self._next_id > self._saved_id:
                    self._saved_id = self._next_id
                    self.set_meta(self._writer, "next_id", self._saved_id)
            except BaseException:
                self._writer.execute("ROLLBACK")
                raise
            self._writer.execute("COMMIT")

    def read(self) -> sqlite3.Connection:
        """The calling thread's own connection, for reading only."""
        connection: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if connection is None:
            connection = self._connect()
            connection.execute("PRAGMA query_only = ON")
            self._local.connection = connection
            self._readers.append(connection)
        return connection

    def take_ids(self, count: int) -> range:
        """`count` new ids, never given before in this file; saved with the next transaction."""
        with self._id_lock:
            start = self._next_id
            self._next_id += count
        return range(start, start + count)

    def new_id(self) -> int:
        """One new id."""
        return self.take_ids(1).start

    def meta(self, name: str, default: Any = None) -> Any:
        """A single saved value, or `default`."""
        row = self._writer.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return default if row is None else row[0]

    @staticmethod
    def set_meta(connection: sqlite3.Connection, name: str, value: Any) -> None:
        """Save a single value within a transaction."""
        connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def clear(self) -> None:
        """Forget everything; ids start anew."""
        with self._lock:
            with self.write() as connection:
                for name in NAMES:
                    connection.execute(f"DELETE FROM {name}")  # noqa: S608 - our own table names
                made = connection.execute("SELECT name FROM sqlite_master WHERE name LIKE 'lookup%'").fetchall()
                for (name,) in made:
                    connection.execute(f"DROP INDEX {name}")
                self._next_id = self._saved_id = FIRST_ID
            self._writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        """Close every connection; the file is complete afterwards."""
        with self._lock:
            for reader in self._readers:
                reader.close()
            self._writer.close()
