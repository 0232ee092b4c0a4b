"""What a run has sent and not settled: each write is noted right before it goes, and settled with the acks it leads to.

A thread sends, follows up and confirms one batch after another. So what it has sent since its last transaction is what
this one settles, and neither a call nor an ack needs a statement of its own for it.
"""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime

import sqlalchemy as sa

from sync_ledger.job_journal import Manifest
from sync_ledger.tables import LedgerTables
from sync_ledger.writes_under_way import WriteKind, leave, settle

Note = Callable[["SentWrite", bool], None]
"""Notes a write under the lease; True where it may be noted already. Raises where the lease is lost."""


class SentWrite:
    """One call, whatever attempts it takes; several, where they bring the same orders one after the other."""

    def __init__(self, kind: WriteKind, versions: Mapping[str, str] | Manifest, job_id: str | None, note: Note) -> None:
        self.write_id = uuid.uuid4().hex
        self.kind = kind
        self.job_id = job_id
        self.is_lost = False
        """Whether nobody knows what became of an attempt."""
        self._versions = versions
        self._note = note
        self._noted = False

    @property
    def manifest(self) -> Manifest:
        """The versions that go out, by key."""
        return self._versions if isinstance(self._versions, Manifest) else Manifest.of(self._versions)

    def check(self) -> None:
        """Note the write, which goes as soon as this returns, and check the lease.

        Raises:
            LeaseLostError: another run has taken over; nothing may be sent.
        """
        self._note(self, self._noted)
        self._noted = True

    def over(self, *, known: bool) -> None:
        """Take note that an attempt is over, and whether it is known what became of it."""
        self.is_lost |= self._noted and not known


class SentWrites:
    """The writes of one run that were sent and are not settled. Safe for threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._all: dict[str, SentWrite] = {}
        self._thread = threading.local()

    def add(self, write: SentWrite) -> None:
        """Keep a write of this thread."""
        self._thread.writes = [*self.of_this_thread(), write]
        with self._lock:
            self._all[write.write_id] = write

    def of_this_thread(self) -> list[SentWrite]:
        """What this thread has sent and not settled."""
        writes: list[SentWrite] = getattr(self._thread, "writes", [])
        return writes

    def of_all(self) -> list[SentWrite]:
        """What all threads have sent and not settled."""
        with self._lock:
            return list(self._all.values())

    def remove_of_this_thread(self) -> None:
        """Forget this thread's: the ledger has them settled, or left in doubt."""
        with self._lock:
            for write in self.of_this_thread():
                del self._all[write.write_id]
        self._thread.writes = []


def settle_sent(connection: sa.Connection, tables: LedgerTables, writes: list[SentWrite], now: datetime) -> None:
    """Settle those of these writes that are over; leave in doubt those of which nobody knows what became."""
    settle(connection, tables, [write.write_id for write in writes if not write.is_lost])
    leave(connection, tables, [write.write_id for write in writes if write.is_lost], now)
