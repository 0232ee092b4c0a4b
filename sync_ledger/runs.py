"""Runs, and the lock that lets one run live for each stream and partition.

A run says every few seconds that it lives. One whose heartbeat is older than a minute by the ledger database's clock
is dead; on the same machine a run is dead as soon as its process is gone. A run that was only asleep finds its lock
gone before its next send or ledger write, and stops there.
"""

from __future__ import annotations

import logging
import os
import socket
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.partitions import WHOLE, Partition

HEARTBEAT_SECONDS = 10.0
READ_SINCE = "x-sync-read-since"
"""Where the schema of a SCHEMA message tells when the tap began to read, for `RunLock.refuse_outdated`."""

PARTITION = "x-sync-partition"
"""Where it names the partition that the tap reads, if that is not the whole stream, for `RunLock.acquire`."""

DEAD_AFTER = timedelta(seconds=60)
GUARD_SECONDS = 15.0
"""A send needs a heartbeat no older than this; well under a minute, so that nobody can have taken over meanwhile."""

ACQUIRE_ATTEMPTS = 3

FOLLOWING = "following"
"""What stands in place of how a run ended while it lasts, and is not to end: its heartbeat tells that all goes on."""

logger = logging.getLogger(__name__)


class LockHeldError(LedgerError):
    """Another run of this stream is alive, and has keys in common with this one."""


class OutdatedError(LedgerError):
    """Another run has written since these records were read: what it wrote may be newer."""


class LockLostError(LedgerError):
    """This run was taken for dead, and its work was handed to another."""


def awake_seconds() -> float:
    """A clock that never goes back and, where the system has such a one, goes on while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def process_space() -> str:
    """Name the space in which a process id means something: this boot of this machine, this container."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        space = str(Path("/proc/self/ns/pid").readlink())
    except OSError:  # not Linux, or /proc is not there: then only the heartbeat counts
        return f"unknown-{uuid.uuid4().hex}"
    return f"{boot} {space}"


def process_has_ended(pid: int, space: str) -> bool:
    """Tell whether a process is certainly gone; False where that cannot be known."""
    if sys.platform == "win32" or space != process_space():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


class RunLock:
    """One live run of one stream and partition. Not for use by two threads before `start_heartbeat`."""

    def __init__(
        self, ledger: Ledger, stream: str, partition: Partition, run_id: str, spent: Callable[[], int] = int
    ) -> None:
        """Use `RunLock.acquire`."""
        self.ledger = ledger
        self.stream = stream
        self.partition = partition
        self.run_id = run_id
        self._confirmed = awake_seconds()
        self._lost = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        run = ledger.tables.run
        self._beat = (
            sa.update(run)
            .where(run.c.run_id == run_id, run.c.finished_at.is_(None))
            .values(heartbeat_at=sa.bindparam("now"), credits=sa.bindparam("spent"))
        )
        self.spent = spent

    @classmethod
    def acquire(
        cls,
        ledger: Ledger,
        stream: str,
        partition: Partition = WHOLE,
        *,
        continuous: bool = False,
        spent: Callable[[], int] = int,
    ) -> RunLock:
        """Begin a run, taking over from dead ones. One that is `continuous` is known by that while it lives.

        `spent` gives the credits that the run has spent so far; they are noted with each sign of life, so that a kill
        loses none.

        Partitions of one split live side by side. A run of another split has keys in common with this one; no index
        keeps two such runs apart, so each looks for the other once its own line is there, and the later one ends.

        Raises:
            LockHeldError: a run of this stream and partition, or of another split, is alive; the text says which.
        """
        run_id, lock_name = uuid.uuid4().hex, f"{stream} {partition.name}"
        run = ledger.tables.run

        def insert(connection: sa.Connection) -> None:
            now = ledger.now(connection)
            facts = {
                "run_id": run_id,
                "stream": stream,
                "partition_name": partition.name,
                "lock_name": lock_name,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "process_space": process_space(),
                "started_at": now,
                "heartbeat_at": now,
                "how_ended": FOLLOWING if continuous else None,
            }
            connection.execute(sa.insert(run), facts)

        def holder(which: sa.ColumnElement[bool]) -> Any:
            with ledger.connect() as connection:
                row = connection.execute(sa.select(run).where(which).limit(1)).one_or_none()
                return row and (row, ledger.now(connection))

        def withdraw(connection: sa.Connection) -> None:
            connection.execute(sa.delete(run).where(run.c.run_id == run_id))

        others = sa.and_(
            run.c.stream == stream,
            run.c.finished_at.is_(None),
            run.c.partition_name != partition.name,
            sa.not_(partition.apart_from(run.c.partition_name)),
        )

        for _ in range(ACQUIRE_ATTEMPTS):
            mark_dead_runs(ledger, stream)
            try:
                ledger.transact(insert)
            except IntegrityError:
                held = ledger.patiently(partial(holder, run.c.lock_name == lock_name))
                if held and held[0].run_id != run_id:  # else it is ours, since a commit whose answer was lost
                    raise LockHeldError(_held_by(*held)) from None
                if not held:
                    continue
            held = ledger.patiently(partial(holder, others))
            if held:
                ledger.transact(withdraw)
                raise LockHeldError(_held_by(*held))
            return cls(ledger, stream, partition, run_id, spent)
        raise LockHeldError(f"other runs of stream {stream!r} keep starting; try again in a minute")

    def refuse_outdated(self, read_since: str) -> None:
        """Make sure that no other run of these keys has lived since the records of this one began to be read.

        `read_since`: that moment by the ledger database's clock, naive UTC, in ISO 8601.

        Raises:
            OutdatedError: one has, and this run would write older versions over newer ones.
        """
        run = self.ledger.tables.run
        others = sa.select(sa.func.max(run.c.heartbeat_at)).where(
            run.c.stream == self.stream,
            sa.not_(self.partition.apart_from(run.c.partition_name)),
            run.c.run_id != self.run_id,
        )

        def look_up() -> datetime | None:
            with self.ledger.connect() as connection:
                now = self.ledger.now(connection)  # what is later than now is from before the clock was set back
                return connection.execute(others.where(run.c.heartbeat_at <= now)).scalar()

        latest = self.ledger.patiently(look_up)
        if latest is not None and latest > _moment(read_since):
            raise OutdatedError(
                f"stream {self.stream!r} was read from {read_since} UTC on, and another run was at work after that, at "
                f"{latest}: its orders may be newer than these, so none of these is sent; run the pair again"
            )

    @contextmanager
    def transaction(self) -> Iterator[sa.Connection]:
        """Open a transaction that holds the lock: a heartbeat and a check in one statement.

        Raises:
            LockLostError: another run has taken over; nothing of this transaction is committed.
        """
        began = awake_seconds()
        with self.ledger.begin() as connection:
            self._confirm(connection)
            yield connection
        self._confirmed = began

    def _confirm(self, connection: sa.Connection) -> None:
        facts = {"now": self.ledger.now(connection), "spent": self.spent()}
        if self._lost.is_set() or connection.execute(self._beat, facts).rowcount != 1:
            self._lost.set()
            raise LockLostError(
                f"this run of stream {self.stream!r} was silent for over {DEAD_AFTER.seconds} seconds and another "
                "run has taken over its work; this one stops without writing more"
            )

    def guard(self) -> None:
        """Make sure, before something is sent, that this run still holds its lock.

        Raises:
            LockLostError: it does not.
        """
        if self._lost.is_set() or awake_seconds() - self._confirmed >= GUARD_SECONDS:
            self.beat()

    def beat(self) -> None:
        """Write a heartbeat at once."""
        with self.transaction():
            pass

    def start_heartbeat(self) -> None:
        """Keep saying that this run lives, from a thread of its own."""
        self._thread = threading.Thread(target=self._keep_beating, name=f"heartbeat-{self.stream}", daemon=True)
        self._thread.start()

    def _keep_beating(self) -> None:
        while not self._over.wait(HEARTBEAT_SECONDS):
            try:
                self.beat()
            except LockLostError:
                return
            except SQLAlchemyError as error:
                logger.warning("The heartbeat could not be written, trying again: %s", type(error).__name__)

    def release(self, how_ended: str, counts: Mapping[str, int], credits_spent: int) -> None:
        """End the run and free the lock; a lock that was lost stays with its new holder."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        run = self.ledger.tables.run
        facts: dict[str, Any] = {f"{name}_count": count for name, count in counts.items()}
        facts |= {"lock_name": self.run_id, "how_ended": how_ended, "credits": credits_spent}
        end = sa.update(run).where(run.c.run_id == self.run_id, run.c.finished_at.is_(None))

        def write(connection: sa.Connection) -> None:
            connection.execute(end, {**facts, "finished_at": self.ledger.now(connection)})

        self.ledger.transact(write)


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        moment = None
    if moment is None or moment.tzinfo is not None:
        raise OutdatedError(f"the schema says {READ_SINCE}: {text!r:.60}, which is no moment without a zone")
    return moment


def seems_dead(row: Any, now: datetime) -> bool:
    """Tell whether a run that has not ended is dead: its heartbeat is too old, or its process is gone."""
    return now - row.heartbeat_at > DEAD_AFTER or process_has_ended(row.pid, row.process_space)


def live_run(ledger: Ledger, stream: str) -> str | None:
    """Say which run of the stream is live, if one is; changes nothing."""
    run = ledger.tables.run
    with ledger.connect() as connection:
        now = ledger.now(connection)
        rows = connection.execute(sa.select(run).where(run.c.stream == stream, run.c.finished_at.is_(None))).all()
    return next((_held_by(row, now) for row in rows if not seems_dead(row, now)), None)


def mark_dead_runs(ledger: Ledger, stream: str) -> int:
    """Mark the stream's runs dead whose heartbeat is too old or whose process is gone. Returns how many.

    Where the clock was set back since a heartbeat, a run is dead a minute after the first look at it.
    """
    run = ledger.tables.run

    def look_up() -> tuple[datetime, Sequence[Any]]:
        with ledger.connect() as connection:
            return ledger.now(connection), connection.execute(_unfinished(run), {"stream": stream}).all()

    now, alive = ledger.patiently(look_up)
    dead = [row for row in alive if seems_dead(row, now)]
    for row in alive:
        if row not in dead and row.heartbeat_at > now:
            ledger.transact(partial(_bring_back, run, row, now))

    def bury(connection: sa.Connection, row: Any) -> int:
        return connection.execute(_burial(run, row, ledger.now(connection))).rowcount

    return sum(ledger.transact(partial(bury, row=row)) for row in dead)


@cache
def _unfinished(run: sa.Table) -> sa.Select[Any]:
    return sa.select(run.c.run_id, run.c.heartbeat_at, run.c.pid, run.c.process_space).where(
        run.c.stream == sa.bindparam("stream"), run.c.finished_at.is_(None)
    )


def _bring_back(run: sa.Table, row: Any, now: datetime, connection: sa.Connection) -> None:
    """Date a heartbeat of the future as of now: the ledger's clock was set back, and a dead run would seem to live."""
    here = sa.and_(run.c.run_id == row.run_id, run.c.heartbeat_at == row.heartbeat_at)
    connection.execute(sa.update(run).where(here).values(heartbeat_at=now))


def _burial(run: sa.Table, row: Any, now: datetime) -> sa.Update:
    """End a run, unless it has given a sign of life since it was looked at."""
    return (
        sa.update(run)
        .where(run.c.run_id == row.run_id, run.c.finished_at.is_(None), run.c.heartbeat_at == row.heartbeat_at)
        .values(finished_at=now, how_ended="died", lock_name=row.run_id)
    )


def _held_by(row: Any, now: datetime) -> str:
    age = max(0, round((now - row.heartbeat_at).total_seconds()))
    return (
        f"a run of stream {row.stream!r} (partition {row.partition_name}) is live: process {row.pid} on {row.host}, "
        f"started {row.started_at:%Y-%m-%d %H:%M:%S} UTC, last heartbeat {age} s ago; wait until it ends, or stop it"
    )
