"""The first contact of a stream with its destination: begun before the first write, ended once nothing speaks against.

A stream whose orders are called synced already, and that never began one, needs none.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sync_databases.chunks import lookup_chunks
from sync_ledger.first_load import has_synced
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.retry_schedules import FIRST_CONTACT_STAGGERED_SECONDS

FIRST_ORDERS = 10
"""So many orders are read back and compared before the others go."""

NOBODY = "nobody"
"""In place of a run: a first contact that was begun, and that any run may go on with."""

_STAGGERED = timedelta(seconds=FIRST_CONTACT_STAGGERED_SECONDS)

FieldKind = tuple[str, str]
"""A field's API name and a kind of difference."""


@dataclass(frozen=True, slots=True)
class FoundDifference:
    """A kind of difference in one field; `accepted_at` is naive UTC, None where nobody accepted it."""

    field: str
    kind: str
    keys: tuple[str, ...]
    """Some of the orders that have it."""
    found_at: datetime
    accepted_at: datetime | None


class By(Enum):
    """Who makes a first contact."""

    US = "us"
    ANOTHER = "another"
    """Another worker's run, which lives."""
    STOPPED = "stopped"
    """Another worker just did, and found what nobody has accepted."""


@dataclass(frozen=True, slots=True)
class Begun:
    """How far a first contact has come: so many orders were compared."""

    compared: int
    by: By = By.US


def is_awaited(ledger: Ledger, stream: str) -> bool:
    """Whether a stream's first contact is still to be made, or to be ended."""
    table = ledger.tables.contact
    query = sa.select(table.c.stream, table.c.ended_at).where(table.c.stream == stream)

    def look_up() -> sa.Row[Any] | None:
        with ledger.connect() as connection:
            return connection.execute(query).one_or_none()

    row = ledger.with_retries(look_up)
    return not has_synced(ledger, stream) if row is None else row.ended_at is None


def begin(lease: Lease) -> Begun | None:
    """Begin a stream's first contact, go on with it, or find that another run makes it; None: it needs none."""
    ledger, table = lease.ledger, lease.ledger.tables.contact
    if not is_awaited(ledger, lease.stream):
        return None
    which = table.c.stream == lease.stream

    def once() -> Begun | None:
        with lease.timed_transaction(settles=0) as (connection, now):
            row = connection.execute(sa.select(table).where(which)).one_or_none()
            if row is None:
                facts = {"stream": lease.stream, "run_id": lease.run_id, "compared": 0, "began_at": now}
                connection.execute(sa.insert(table), facts)
                return Begun(0)
            if row.ended_at is not None:
                return None
            compared = int(row.compared)
            if row.run_id != lease.run_id and _lives(connection, ledger, row.run_id):
                return Begun(compared, By.ANOTHER)
            if (found_at := _open_since(connection, ledger, lease.stream)) is not None:
                is_fresh = now - found_at < _STAGGERED and not _is_of(connection, ledger, row.run_id, lease.partition)
                if is_fresh or _began_before(connection, lease, found_at):
                    return Begun(compared, By.STOPPED)
                compared = 0  # what was found may be mended by now: as many others show it
            claim = sa.update(table).where(which, table.c.run_id == row.run_id)
            claimed = connection.execute(claim.values(run_id=lease.run_id, compared=compared)).rowcount
            return Begun(compared, By.US if claimed else By.ANOTHER)

    try:
        return ledger.with_retries(once)
    except IntegrityError:  # another worker began it just now
        return Begun(0, By.ANOTHER)


def _is_of(connection: sa.Connection, ledger: Ledger, run_id: str, partition: Partition) -> bool:
    """Whether a run was of this partition."""
    run = ledger.tables.run
    name = connection.execute(sa.select(run.c.partition_name).where(run.c.run_id == run_id)).scalar()
    return name == partition.name


def _began_before(connection: sa.Connection, lease: Lease, found_at: datetime) -> bool:
    """Whether this run began before differences were found: what it was started with cannot be mended."""
    run = lease.ledger.tables.run
    began = connection.execute(sa.select(run.c.started_at).where(run.c.run_id == lease.run_id)).scalar()
    return began is not None and bool(began <= found_at)


def _lives(connection: sa.Connection, ledger: Ledger, run_id: str) -> bool:
    run = ledger.tables.run
    found = sa.select(run.c.run_id).where(run.c.run_id == run_id, run.c.finished_at.is_(None))
    return connection.execute(found).first() is not None


def note(lease: Lease, compared: int, found: Mapping[FieldKind, Sequence[str]], *, is_over: bool) -> list[FieldKind]:
    """Note what was found, with so many of the first orders compared in all; gives what nobody has accepted.

    Without any the contact is over, if `is_over` says that nothing else is to be compared.

    What an earlier run found, and this one did not, is forgotten unless it was accepted.
    """
    ledger, tables = lease.ledger, lease.ledger.tables
    table, contact = tables.difference, tables.contact

    def once() -> list[FieldKind]:
        with lease.timed_transaction(settles=0) as (connection, now):
            known = set(_accepted(connection, ledger, lease.stream))
            left = [each for each in found if each not in known]
            connection.execute(sa.delete(table).where(table.c.stream == lease.stream, table.c.accepted_at.is_(None)))
            rows = [
                {
                    "stream": lease.stream,
                    "field_name": field,
                    "kind": kind,
                    "record_keys": msgspec.json.encode(list(found[field, kind])).decode(),
                    "found_at": now,
                }
                for field, kind in left
            ]
            if rows:
                connection.execute(sa.insert(table), rows)
            facts = {"compared": compared, "ended_at": now if is_over and not left else None}
            connection.execute(sa.update(contact).where(contact.c.stream == lease.stream).values(facts))
            return left

    return ledger.with_retries(once)


def leave(lease: Lease) -> bool:
    """Let another run go on with a first contact: all that this one sent is compared.

    Not where differences are open: then it stays known whose they are. Returns whether it was left.
    """
    contact = lease.ledger.tables.contact
    own = sa.and_(contact.c.stream == lease.stream, contact.c.run_id == lease.run_id)

    def once() -> bool:
        with lease.timed_transaction(settles=0) as (connection, _):
            if _open_since(connection, lease.ledger, lease.stream) is not None:
                return False
            connection.execute(sa.update(contact).where(own).values(run_id=NOBODY))
            return True

    return lease.ledger.with_retries(once)


def end(lease: Lease) -> None:
    """Note that a first contact is over: the run came to its end, and no job was needed."""
    contact = lease.ledger.tables.contact

    def once() -> None:
        with lease.timed_transaction(settles=0) as (connection, now):
            connection.execute(sa.update(contact).where(contact.c.stream == lease.stream).values(ended_at=now))

    lease.ledger.with_retries(once)


def refused_fields(lease: Lease, keys: Collection[str]) -> dict[str, tuple[str, str]]:
    """Code and field of those of these orders that were refused for a field, by key."""
    ledger, ack = lease.ledger, lease.ledger.tables.ack
    query = sa.select(ack.c.record_key, ack.c.error_code, ack.c.error_field).where(
        ack.c.stream == lease.stream, ack.c.error_code.is_not(None), ack.c.error_field.is_not(None)
    )

    def look_up() -> dict[str, tuple[str, str]]:
        with ledger.connect() as connection:
            return {
                key: (code, field)
                for chunk in lookup_chunks(connection, keys)
                for key, code, field in connection.execute(query.where(ack.c.record_key.in_(chunk)))
            }

    return ledger.with_retries(look_up)


def differences_of(ledger: Ledger, stream: str) -> list[FoundDifference]:
    """All kinds of difference of a stream, those that are accepted too."""
    table = ledger.tables.difference
    query = sa.select(table).where(table.c.stream == stream).order_by(table.c.field_name, table.c.kind)

    def look_up() -> list[FoundDifference]:
        with ledger.connect() as connection:
            return [
                FoundDifference(
                    row.field_name,
                    row.kind,
                    tuple(msgspec.json.decode(row.record_keys, type=list[str])),
                    row.found_at,
                    row.accepted_at,
                )
                for row in connection.execute(query)
            ]

    return ledger.with_retries(look_up)


def accept_kinds(ledger: Ledger, stream: str, kinds: Collection[FieldKind]) -> None:
    """Note that a person accepts these kinds of difference for all orders of the stream.

    Raises:
        DatabaseError: the ledger cannot be written.
    """
    table = ledger.tables.difference

    def once(connection: sa.Connection) -> None:
        now = ledger.now(connection)
        for field, kind in kinds:
            which = (table.c.stream == stream, table.c.field_name == field, table.c.kind == kind)
            connection.execute(sa.update(table).where(*which).values(accepted_at=now))

    ledger.transact(once)


def accepted_kinds(ledger: Ledger, stream: str) -> frozenset[FieldKind]:
    """The kinds of difference that a person accepted for all orders of the stream."""

    def look_up() -> frozenset[FieldKind]:
        with ledger.connect() as connection:
            return _accepted(connection, ledger, stream)

    return ledger.with_retries(look_up)


def _accepted(connection: sa.Connection, ledger: Ledger, stream: str) -> frozenset[FieldKind]:
    table = ledger.tables.difference
    query = sa.select(table.c.field_name, table.c.kind)
    rows = connection.execute(query.where(table.c.stream == stream, table.c.accepted_at.is_not(None)))
    return frozenset((field, kind) for field, kind in rows)


def _open_since(connection: sa.Connection, ledger: Ledger, stream: str) -> datetime | None:
    """When the differences were found that nobody has accepted; None where there are none."""
    table = ledger.tables.difference
    query = sa.select(sa.func.max(table.c.found_at)).where(table.c.stream == stream, table.c.accepted_at.is_(None))
    found: datetime | None = connection.execute(query).scalar()
    return found
