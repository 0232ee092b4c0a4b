"""What the CRM was told of each order, by the emulator's database itself."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

_AFTER = "new.id, json_extract(new.doc, '$.parent_id'), json_extract(new.doc, '$.Notes')"
_BEFORE = "json_extract(old.doc, '$.Notes')"
_LOGGED = {
    "INSERT": f"0, {_AFTER}, NULL",
    "UPDATE": f"0, {_AFTER}, {_BEFORE}",
    "DELETE": f"1, old.id, json_extract(old.doc, '$.parent_id'), '', {_BEFORE}",
}


@dataclass(frozen=True, slots=True)
class Row:
    """What the CRM was told of one order: in a call or a job, and when."""

    moment: int
    pid: int | None
    """Whose call it was; None of a job."""
    record: str
    key: str
    value: str
    before: str | None
    """What its record held until then; None where there was no such record."""


class WriteLog:
    """Notes each value that a record gets, and each deletion."""

    def __init__(self, store: Any) -> None:
        """Let the emulator's database note it."""
        self._store = store
        self.writes: list[Row] = []
        self.deletions: list[Row] = []
        columns = "deleted INTEGER, record TEXT, key TEXT, value TEXT, before TEXT"
        with store.write() as connection:
            connection.execute(f"CREATE TABLE IF NOT EXISTS sim_log ({columns})")
            for event, values in _LOGGED.items():
                logged = f"INSERT INTO sim_log VALUES ({values})"
                connection.execute(
                    f"CREATE TRIGGER IF NOT EXISTS sim_{event} AFTER {event} ON records BEGIN {logged}; END"
                )

    def begin(self, tick: Callable[[], int], *, keep: bool) -> None:
        """Start anew for one history; `keep` remembers each write, which takes memory."""
        self._tick = tick
        self._keep = keep
        self.writes, self.deletions = [], []
        with self._store.write() as connection:
            self.forget(connection)

    def take(self, pid: int | None = None) -> None:
        """What was noted since the last time is of this process's call, or of a job."""
        found = self._store.read().execute("SELECT * FROM sim_log ORDER BY rowid").fetchall()
        if not found:
            return
        moment = self._tick()
        if self._keep:
            for deleted, *values in found:
                (self.deletions if deleted else self.writes).append(Row(moment, pid, *values))
        with self._store.write() as connection:
            self.forget(connection)

    @staticmethod
    def forget(connection: Any) -> None:
        """What was noted since is not ours."""
        connection.execute("DELETE FROM sim_log")
