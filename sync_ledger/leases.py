"""The lease that lets one run live for each stream and partition; a dead run's is taken over (`runs.py`).

A run that was only asleep finds its lease lost before its next send or ledger write, and stops there: what it sends is
noted first, in a statement that has no effect once the lease is lost.
"""

from __future__ import annotations

import itertools
import os
import socket
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError, SQLAlchemyError

from sync_databases.displayed_text import displayed
from sync_databases.engines import engine_of
from sync_ledger.job_journal import Manifest
from sync_ledger.ledger import Ledger, LedgerError
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.retry_schedules import (
    ACQUIRING_LEASE,
    LEASE_HEARTBEAT_SECONDS,
    LEASE_SILENT_SECONDS,
    UNDO_LOOK_SECONDS,
    UNDO_WAITED_FOR_SECONDS,
)
from sync_ledger.run_facts import RefusalCause, RunFacts, encoded_causes
from sync_ledger.runs import UNDOING, described, mark_dead_runs, runs_so_far
from sync_ledger.sent_writes import SentWrite, SentWrites, settle_sent
from sync_ledger.tables import ERROR_LENGTH
from sync_ledger.writes_under_way import TOKEN_LASTS_MOST, WriteKind, WriteUnderWay, note_again, note_held, settle
from sync_processes.process_identity import process_space, process_start, seconds_since_boot


class LeaseHeldError(LedgerError):
    """Another run of this stream is alive, and has keys in common with this one."""


class UndoHoldsLeaseError(LeaseHeldError):
    """That run is an undo, which gives its lease up within a minute."""


class OutdatedError(LedgerError):
    """Another run has written since these records were read: what it wrote may be newer."""


class LeaseLostError(LedgerError):
    """This run was taken for dead, and its work was handed to another."""


class Lease:
    """The lease of one live run of one stream and partition. Not for two threads before `start_heartbeat`."""

    def __init__(
        self,
        ledger: Ledger,
        stream: str,
        partition: Partition,
        run_id: str,
        spent: Callable[[], int],
        so_far: Callable[[], Mapping[str, int]],
        ledger_now: datetime,
    ) -> None:
        """Use `Lease.acquire`."""
        self.ledger = ledger
        self.stream = stream
        self.partition = partition
        self.run_id = run_id
        self._sent = SentWrites()
        self.has_left = False
        """Whether a write of this run was left in doubt."""
        self._ledger_time = (ledger_now, seconds_since_boot())
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
                beats=sa.func.coalesce(run.c.beats, 0) + 1,
                credits=sa.bindparam("spent"),
                settlements=run.c.settlements + sa.bindparam("settled"),
            )
        )
        self.spent = spent
        self._so_far = so_far

    @classmethod
    def acquire(
        cls,
        ledger: Ledger,
        stream: str,
        partition: Partition = WHOLE,
        *,
        lasting: str | None = None,
        spent: Callable[[], int] = int,
        so_far: Callable[[], Mapping[str, int]] = dict,
        known: RunFacts = RunFacts(),  # noqa: B008 - frozen
    ) -> Lease:
        """Begin a run as `_acquire` does; an undo, which gives its lease up soon, is waited for."""
        waited = 0.0
        while True:
            try:
                return cls._acquire(ledger, stream, partition, lasting, spent, so_far, known)
            except UndoHoldsLeaseError:
                if waited >= UNDO_WAITED_FOR_SECONDS:
                    raise
                ledger.clock.wait(UNDO_LOOK_SECONDS)
                waited += UNDO_LOOK_SECONDS

    @classmethod
    def _acquire(
        cls,
        ledger: Ledger,
        stream: str,
        partition: Partition,
        lasting: str | None,
        spent: Callable[[], int],
        so_far: Callable[[], Mapping[str, int]],
        known: RunFacts,
    ) -> Lease:
        """Begin a run. `lasting` is what it is known by while it lives: that it follows, or is an undo.

        A silent run is watched first, for a minute unless it shows that it lives.

        `spent` gives the credits that the run has spent so far, `so_far` its counts; both are written with heartbeats,
        so that they are known of a run that follows, or was killed. `known` is kept with the run.

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
            "process_start": process_start(os.getpid()),
            "how_ended": lasting,
            "settings_mark": known.settings_mark,
            "run_group": known.run_group,
            "in_part": known.in_part and known.in_part.value,
        }
        others = sa.and_(
            run.c.stream == stream,
            run.c.finished_at.is_(None),
            run.c.partition_name != partition.name,
            sa.not_(partition.is_disjoint_from(run.c.partition_name)),
        )
        for failures in itertools.count(1):
            mark_dead_runs(ledger, stream, watched_for=partition)
            try:
                now = ledger.transact(partial(_insert, ledger, facts))
            except IntegrityError:
                held = _holder(ledger, run.c.lock_name == lock_name)
                if held and held[0].run_id != run_id:  # else it is ours, since a commit whose answer was lost
                    raise _held_by(*held) from None
                if not held and ACQUIRING_LEASE.is_over(failures):
                    break
                if not held:
                    continue
                now = held[1]
            held = _holder(ledger, others)
            if held:
                ledger.transact(partial(_withdraw, run, run_id))
                raise _held_by(*held)
            return cls(ledger, stream, partition, run_id, spent, so_far, now)
        raise LeaseHeldError(f"other runs of stream {stream!r} keep starting; try again in a minute")

    def refuse_outdated(self, read_after: str) -> None:
        """Make sure that no other run of these keys has lived since the records of this one began to be read.

        `read_after` is what `runs_so_far` said then.

        Raises:
            OutdatedError: one has, and this run would write older versions over newer ones.
        """

        def look_up() -> str:
            with self.ledger.connect() as connection:
                return runs_so_far(connection, self.ledger.tables.run, self.stream, self.partition, self.run_id)

        so_far = self.ledger.with_retries(look_up)
        if so_far != read_after:
            raise OutdatedError(
                f"stream {self.stream!r} was read after {read_after}, and another run was at work after that (by now "
                f"{so_far}): its orders may be newer than these, so none of these is sent; run the pair again"
            )

    @contextmanager
    def transaction(self, *, settles: int = 1) -> Iterator[sa.Connection]:
        """Open a transaction under the lease: a heartbeat, a check and the count of settlements in one statement.

        Raises:
            LeaseLostError: another run has taken over; nothing of this transaction is committed.
        """
        with self.timed_transaction(settles=settles) as (connection, _now):
            yield connection

    @contextmanager
    def timed_transaction(self, *, settles: int = 1) -> Iterator[tuple[sa.Connection, datetime]]:
        """Open such a transaction; gives the ledger's time too, which it needs anyway.

        Raises:
            LeaseLostError: as `transaction`.
        """
        settled = False
        sent = self._sent.of_this_thread() if settles else []
        try:
            with self.ledger.begin() as connection:
                began, now = seconds_since_boot(), self.ledger.now(connection)
                self._confirm(connection, settles, now)
                yield connection, now
                settle_sent(connection, self.ledger.tables, sent, now)
            settled = True
        finally:
            with self._counting:
                self._settlements += settles if settled else 0
                self._unsure |= not settled  # a commit without an answer may have been counted
        if sent:
            self.has_left |= any(write.is_lost for write in sent)
            self._sent.remove_of_this_thread()
        self._ledger_time = (now, began)

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

    def _confirm(self, connection: sa.Connection, settles: int, now: datetime) -> None:
        facts = {"now": now, "spent": self.spent(), "settled": settles}
        if self._lost.is_set() or connection.execute(self._beat, facts).rowcount != 1:
            raise self._is_lost()

    def _is_lost(self) -> LeaseLostError:
        self._lost.set()
        return LeaseLostError(
            f"this run of stream {self.stream!r} was silent for over {LEASE_SILENT_SECONDS:g} seconds and another run "
            "has taken over its work; this one stops without writing more"
        )

    def sending(
        self, kind: WriteKind, versions: Mapping[str, str] | Manifest, *, job_id: str | None = None
    ) -> SentWrite:
        """Get a write ready that is noted when it goes, and settled by this thread's next transaction after it.

        `versions` are by key. Whoever takes this run over finds it in doubt unless it is settled.
        """
        return SentWrite(kind, versions, job_id, self._note)

    def _note(self, write: SentWrite, again: bool) -> None:  # noqa: FBT001 - what `Note` takes
        """Note a write that goes as soon as this returns, and make sure that this run still holds its lease: in one."""
        manifest, attempts = write.manifest, itertools.count(1)
        again |= not engine_of(self.ledger.engine.dialect).inserts_under_lock

        def once() -> None:
            began, until = self._now(), self._now() + TOKEN_LASTS_MOST
            facts = WriteUnderWay(
                write.write_id, self.stream, self.run_id, write.kind, manifest, began, until, write.job_id
            )
            if next(attempts) > 1 or again:  # it may be there since a commit whose answer was lost
                with self.transaction(settles=0) as connection:
                    note_again(connection, self.ledger.tables, facts)
                return
            with self.ledger.begin_alone() as connection:
                if self._lost.is_set() or not note_held(connection, self.ledger.tables, facts):
                    raise self._is_lost()

        self.ledger.with_retries(once)
        self._sent.add(write)

    def _now(self) -> datetime:
        """The ledger's time as far as it was asked within the last heartbeat, so that no call asks for it."""
        asked, at = self._ledger_time
        return asked + timedelta(seconds=seconds_since_boot() - at)

    def beat(self) -> None:
        """Write a heartbeat at once, and what the run has counted so far."""
        counts = _columns(self._so_far())  # before the transaction: whoever holds these counts may wait for the ledger
        with self.transaction(settles=0) as connection:
            if counts:
                run = self.ledger.tables.run
                connection.execute(sa.update(run).where(run.c.run_id == self.run_id), counts)

    def start_heartbeat(self, after_each: Callable[[], None] | None = None) -> None:
        """Keep writing heartbeats, from a thread of its own, which calls `after_each` after every one."""
        beating = partial(self._keep_beating, after_each)
        self._thread = threading.Thread(target=beating, name=f"heartbeat-{self.stream}", daemon=True)
        self._thread.start()

    def _keep_beating(self, after_each: Callable[[], None] | None) -> None:
        while not self._over.wait(LEASE_HEARTBEAT_SECONDS):
            try:
                self.beat()
            except LeaseLostError:
                return
            except SQLAlchemyError as error:
                self.ledger.log.warning("The heartbeat could not be written, trying again: %s", type(error).__name__)
            if after_each is not None:
                after_each()

    def release(
        self,
        how_ended: str,
        counts: Mapping[str, int],
        credits_spent: int,
        *,
        bookmark: str | None = None,
        causes: Sequence[RefusalCause] = (),
        error: str | None = None,
    ) -> None:
        """End the run and free the lease; one that was lost stays with its new holder.

        `bookmark` is where the stream's STATE stands, if this run has moved it. `causes` are of what was refused,
        `error` says why it failed, or what it left undone.
        """
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        run = self.ledger.tables.run
        facts: dict[str, Any] = {**_columns(counts), "lock_name": self.run_id, "how_ended": how_ended}
        facts |= {"credits": credits_spent, "error": error and displayed(error)[:ERROR_LENGTH]}
        facts["causes"] = encoded_causes(causes)
        end = sa.update(run).where(run.c.run_id == self.run_id, run.c.finished_at.is_(None))

        def write(connection: sa.Connection) -> None:
            ended = connection.execute(end, {**facts, "finished_at": self.ledger.now(connection)}).rowcount
            if ended:  # else whoever took over verifies them: their answers may have come after it began
                answered = [each.write_id for each in self._sent.of_all() if not each.is_lost]
                settle(connection, self.ledger.tables, answered)
            if ended and bookmark is not None:
                stream = self.ledger.tables.stream
                note = sa.update(stream).where(stream.c.stream == self.stream)
                connection.execute(note.values(bookmark=bookmark))

        self.ledger.transact(write)


def _columns(counts: Mapping[str, int]) -> dict[str, int]:
    return {f"{name}_count": count for name, count in counts.items()}


def _insert(ledger: Ledger, facts: Mapping[str, Any], connection: sa.Connection) -> datetime:
    now = ledger.now(connection)
    began = {"started_at": now, "heartbeat_at": now, "settlements": 0, "beats": 0}
    connection.execute(sa.insert(ledger.tables.run), {**facts, **began})
    return now


def _withdraw(run: sa.Table, run_id: str, connection: sa.Connection) -> None:
    connection.execute(sa.delete(run).where(run.c.run_id == run_id))


def _held_by(row: Any, now: datetime) -> LeaseHeldError:
    kind = UndoHoldsLeaseError if row.how_ended == UNDOING else LeaseHeldError
    return kind(described(row, now))


def _holder(ledger: Ledger, which: sa.ColumnElement[bool]) -> Any:
    """One of those runs and the ledger's clock; None where there is none."""
    run = ledger.tables.run

    def look_up() -> Any:
        with ledger.connect() as connection:
            row = connection.execute(sa.select(run).where(which).limit(1)).one_or_none()
            return row and (row, ledger.now(connection))

    return ledger.with_retries(look_up)
