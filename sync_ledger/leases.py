"""The lease that lets one run live for each stream and partition; a dead run's is taken over (`runs.py`).

A run that was only asleep finds its lease lost before its next send or ledger write, and stops there.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.retry_schedules import ACQUIRING_LEASE, LEASE_HEARTBEAT_SECONDS
from sync_ledger.runs import DEAD_AFTER, FOLLOWING, described, mark_dead_runs
from sync_processes.process_identity import process_space, seconds_since_boot

GUARD_SECONDS = 15.0
"""A send needs a heartbeat no older than this; well under a minute, so that nobody can have taken over meanwhile."""


class LeaseHeldError(LedgerError):
    """Another run of this stream is alive, and has keys in common with this one."""


class OutdatedError(LedgerError):
    """Another run has written since these records were read: what it wrote may be newer."""


class LeaseLostError(LedgerError):
    """This run was taken for dead, and its work was handed to another."""


class Lease:
    """The lease of one live run of one stream and partition. Not for two threads before `start_heartbeat`."""

    def __init__(
        self, ledger: Ledger, stream: str, partition: Partition, run_id: str, spent: Callable[[], int] = int
    ) -> None:
        """Use `Lease.acquire`."""
        self.ledger = ledger
        self.stream = stream
        self.partition = partition
        self.run_id = run_id
        self._confirmed = seconds_since_boot()
        self._lost = threading.Event()
        self._over = threading.Event()
        self._thread: threading.Thread | None = None
        self._counting = threading.Lock()
        self._settlements = 0
        self._unsure = False
        run = ledger.tables.run
        self._own = sa.select(run.c.settlements).where(run.c.run_id == run_id)
        self._beat = (
            sa.update(run)
            .where(run.c.run_id == run_id, run.c.finished_at.is_(None))
            .values(
                heartbeat_at=sa.bindparam("now"),
                credits=sa.bindparam("spent"),
                settlements=run.c.settlements + sa.bindparam("settled"),
            )
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
    ) -> Lease:
        """Begin a run, taking over from dead ones. One that is `continuous` is known by that while it lives.

        `spent` gives the credits that the run has spent so far; they are written with each heartbeat, so that a kill
        loses none.

        Partitions of one split live side by side. A run of another split has keys in common with this one; no index
        excludes two such runs, so each checks for the other once its own row is there, and the later one ends.

        Raises:
            LeaseHeldError: a run of this stream and partition, or of another split, is alive; the text says which.
        """
        run_id, run = uuid.uuid4().hex, ledger.tables.run
        lock_name = f"{stream} {partition.name}"
        facts = {
            "run_id": run_id,
            "stream": stream,
            "partition_name": partition.name,
            "lock_name": lock_name,
            "host": socket.gethostname(),
            "pid": os.getpid(),
            "process_space": process_space(),
            "how_ended": FOLLOWING if continuous else None,
        }
        others = sa.and_(
            run.c.stream == stream,
            run.c.finished_at.is_(None),
            run.c.partition_name != partition.name,
            sa.not_(partition.is_disjoint_from(run.c.partition_name)),
        )
        for failures in itertools.count(1):
            mark_dead_runs(ledger, stream)
            try:
                ledger.transact(partial(_insert, ledger, facts))
            except IntegrityError:
                held = _holder(ledger, run.c.lock_name == lock_name)
                if held and held[0].run_id != run_id:  # else it is ours, since a commit whose answer was lost
                    raise LeaseHeldError(described(*held)) from None
                if not held and ACQUIRING_LEASE.is_over(failures):
                    break
                if not held:
                    continue
            held = _holder(ledger, others)
            if held:
                ledger.transact(partial(_withdraw, run, run_id))
                raise LeaseHeldError(described(*held))
            return cls(ledger, stream, partition, run_id, spent)
        raise LeaseHeldError(f"other runs of stream {stream!r} keep starting; try again in a minute")

    def refuse_outdated(self, read_since: datetime) -> None:
        """Make sure that no other run of these keys has lived since the records of this one began to be read.

        `read_since` is by the ledger database's clock: naive UTC.

        Raises:
            OutdatedError: one has, and this run would write older versions over newer ones.
        """
        run = self.ledger.tables.run
        others = sa.select(sa.func.max(run.c.heartbeat_at)).where(
            run.c.stream == self.stream,
            sa.not_(self.partition.is_disjoint_from(run.c.partition_name)),
            run.c.run_id != self.run_id,
        )

        def look_up() -> datetime | None:
            with self.ledger.connect() as connection:
                now = self.ledger.now(connection)  # what is later than now is from before the clock was set back
                return connection.execute(others.where(run.c.heartbeat_at <= now)).scalar()

        latest = self.ledger.with_retries(look_up)
        if latest is not None and latest > read_since:
            raise OutdatedError(
                f"stream {self.stream!r} was read from {read_since} UTC on, and another run was at work after that, at "
                f"{latest}: its orders may be newer than these, so none of these is sent; run the pair again"
            )

    @contextmanager
    def transaction(self, *, settles: int = 1) -> Iterator[sa.Connection]:
        """Open a transaction under the lease: a heartbeat, a check and the count of settlements in one statement.

        Raises:
            LeaseLostError: another run has taken over; nothing of this transaction is committed.
        """
        began, settled = seconds_since_boot(), False
        try:
            with self.ledger.begin() as connection:
                self._confirm(connection, settles)
                yield connection
            settled = True
        finally:
            with self._counting:
                self._settlements += settles if settled else 0
                self._unsure |= not settled  # a commit without an answer may have been counted
        self._confirmed = began

    @property
    def settlements(self) -> int:
        """How many transactions of this run the ledger surely has: what a STATE names that goes out now."""
        if not self._unsure:
            return self._settlements

        def look_up() -> int:
            with self.ledger.connect() as connection:
                found: int = connection.execute(self._own).scalar_one()
                return found

        return self.ledger.with_retries(look_up)

    def _confirm(self, connection: sa.Connection, settles: int) -> None:
        facts = {"now": self.ledger.now(connection), "spent": self.spent(), "settled": settles}
        if self._lost.is_set() or connection.execute(self._beat, facts).rowcount != 1:
            self._lost.set()
            raise LeaseLostError(
                f"this run of stream {self.stream!r} was silent for over {DEAD_AFTER.seconds} seconds and another "
                "run has taken over its work; this one stops without writing more"
            )

    def guard(self) -> None:
        """Make sure, before something is sent, that this run still holds its lease.

        Raises:
            LeaseLostError: it does not.
        """
        if self._lost.is_set() or seconds_since_boot() - self._confirmed >= GUARD_SECONDS:
            self.beat()

    def beat(self) -> None:
        """Write a heartbeat at once."""
        with self.transaction(settles=0):
            pass

    def start_heartbeat(self) -> None:
        """Keep writing heartbeats, from a thread of its own."""
        self._thread = threading.Thread(target=self._keep_beating, name=f"heartbeat-{self.stream}", daemon=True)
        self._thread.start()

    def _keep_beating(self) -> None:
        while not self._over.wait(LEASE_HEARTBEAT_SECONDS):
            try:
                self.beat()
            except LeaseLostError:
                return
            except SQLAlchemyError as error:
                self.ledger.log.warning("The heartbeat could not be written, trying again: %s", type(error).__name__)

    def release(
        self, how_ended: str, counts: Mapping[str, int], credits_spent: int, *, bookmark: str | None = None
    ) -> None:
        """End the run and free the lease; one that was lost stays with its new holder.

        `bookmark` is where the stream's STATE stands, if this run has moved it.
        """
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        run = self.ledger.tables.run
        facts: dict[str, Any] = {f"{name}_count": count for name, count in counts.items()}
        facts |= {"lock_name": self.run_id, "how_ended": how_ended, "credits": credits_spent}
        end = sa.update(run).where(run.c.run_id == self.run_id, run.c.finished_at.is_(None))

        def write(connection: sa.Connection) -> None:
            ended = connection.execute(end, {**facts, "finished_at": self.ledger.now(connection)}).rowcount
            if ended and bookmark is not None:
                stream = self.ledger.tables.stream
                note = sa.update(stream).where(stream.c.stream == self.stream)
                connection.execute(note.values(bookmark=bookmark))

        self.ledger.transact(write)


def _insert(ledger: Ledger, facts: Mapping[str, Any], connection: sa.Connection) -> None:
    now = ledger.now(connection)
    began = {"started_at": now, "heartbeat_at": now, "settlements": 0}
    connection.execute(sa.insert(ledger.tables.run), {**facts, **began})


def _withdraw(run: sa.Table, run_id: str, connection: sa.Connection) -> None:
    connection.execute(sa.delete(run).where(run.c.run_id == run_id))


def _holder(ledger: Ledger, which: sa.ColumnElement[bool]) -> Any:
    """One of those runs and the ledger's clock; None where there is none."""
    run = ledger.tables.run

    def look_up() -> Any:
        with ledger.connect() as connection:
            row = connection.execute(sa.select(run).where(which).limit(1)).one_or_none()
            return row and (row, ledger.now(connection))

    return ledger.with_retries(look_up)
