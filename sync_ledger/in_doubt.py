"""When what is in doubt is looked at, and which orders are then due, once, so that they are compared with the CRM.

A call is looked at once its process has certainly ended, since it sends nothing more, and again when nothing of it can
land any more: a body that was sent may wait at the CRM. A job that may exist is looked at after 10 minutes, 1 hour and
24 hours. Until then the orders of a dead run are unsynced like others, and sent again: that is the look at takeover.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.codes import LedgerCode
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE
from sync_ledger.retry_schedules import JOB_LOOKS
from sync_ledger.tables import AckStatus, LedgerTables
from sync_ledger.writes_under_way import (
    WriteKind,
    WriteUnderWay,
    claim_look,
    in_doubt,
    keep,
    of_ended_processes,
    settle,
)

WRITTEN_ONCE = "\0"
"""What stands before a fingerprint in a manifest, in place of a version: the order differed at an earlier look, so, and
was written again. No database's text of a version begins so."""

_WRITTEN_AGAIN = frozenset({WriteKind.LINES, WriteKind.LINKS})
"""No reading gives lines and links whole: their orders are written again, which costs less than to find out."""

_NOT_OVERWRITING = frozenset({WriteKind.INSERT})
"""A late insert meets the record that is there, and leaves it alone."""

_JOB_LOOKS = tuple(timedelta(seconds=seconds) for seconds in JOB_LOOKS)


@dataclass(frozen=True, slots=True)
class OrderInDoubt:
    """An order that is due to be compared.

    `earlier`: how it differed at an earlier look, if it did and a later one follows; None at a write's last look.
    """

    version: str
    zoho_id: str | None
    earlier: str | None


@dataclass(frozen=True, slots=True)
class InDoubt:
    """Writes of runs that are over, or have left them, that may have landed or may land late, and their orders.

    `due`: orders that nothing can land over any more, and that the next run compares with the CRM. `until`: when the
    last of the writes is looked at for the last time, naive UTC; None without any.
    """

    writes: int = 0
    orders: int = 0
    due: int = 0
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found: orders that are due to be compared, and the seconds until the next look, None without one."""

    any_due: bool
    next_look_seconds: float | None


def check_in_doubt(ledger: Ledger, stream: str) -> Looked:
    """Make due what is in doubt and has come to a look. Costs one query where nothing is in doubt."""
    tables = ledger.tables

    def ask() -> tuple[bool, bool]:
        with ledger.connect() as connection:
            return _anything(connection, tables, stream)

    any_writes, any_due = ledger.with_retries(ask)
    if not any_writes:
        return Looked(any_due, None)

    def look_up() -> tuple[datetime, list[WriteUnderWay], set[str]]:
        with ledger.connect() as connection:
            writes = in_doubt(connection, tables, stream, WHOLE)
            return ledger.now(connection), writes, of_ended_processes(connection, tables, stream)

    now, writes, ended = ledger.with_retries(look_up)
    for write in writes:
        sent_all = write.kind is not WriteKind.JOB and write.verified_at is None and write.write_id in ended
        if sent_all or _next_look(write) <= now:
            ledger.transact(partial(_look, tables=tables, write=write, now=now))
    later = [_next_look(write) for write in ledger.with_retries(look_up)[1]]
    _, any_due = ledger.with_retries(ask)
    return Looked(any_due, max(0.0, (min(later) - now).total_seconds()) if later else None)


def _anything(connection: sa.Connection, tables: LedgerTables, stream: str) -> tuple[bool, bool]:
    """Whether the stream has writes that are not settled, and orders that are due to be compared."""
    writes = sa.exists().where(tables.write.c.stream == stream)
    due = sa.exists().where(*_is_in_doubt(tables.ack, stream))
    flags = [sa.case((each, 1), else_=0) for each in (writes, due)]
    any_writes, any_due = connection.execute(sa.select(*flags)).one()
    return bool(any_writes), bool(any_due)


def orders_in_doubt(
    connection: sa.Connection, table: sa.Table, stream: str, keys: Collection[str]
) -> dict[str, OrderInDoubt]:
    """Find those of these orders that are due to be compared with the CRM."""
    found: dict[str, OrderInDoubt] = {}
    columns = (table.c.record_key, table.c.version, table.c.zoho_id, table.c.error_message)
    query = sa.select(*columns).where(*_is_in_doubt(table, stream))
    for chunk in lookup_chunks(connection, keys):
        rows = connection.execute(query.where(table.c.record_key.in_(chunk)))
        found.update((key, OrderInDoubt(*facts)) for key, *facts in rows)
    return found


def count_in_doubt(connection: sa.Connection, tables: LedgerTables, stream: str) -> InDoubt:
    """Count what is in doubt of a stream."""
    writes = in_doubt(connection, tables, stream, WHOLE)
    due = sa.select(sa.func.count()).where(*_is_in_doubt(tables.ack, stream))
    orders = len({key for write in writes for key in write.manifest.texts()})  # one may be in several
    until = max((_looks(write)[-1] for write in writes), default=None)
    return InDoubt(len(writes), orders, int(connection.execute(due).scalar_one()), until)


def note_different(
    connection: sa.Connection, tables: LedgerTables, stream: str, fingerprints: Mapping[str, str]
) -> None:
    """Note that orders were compared and differ, before they are written: they are compared no more for this look.

    `fingerprints` of their differences by key: one that is the same at a later look is drift, unless that is the last.
    """
    if not fingerprints:
        return
    table = tables.ack
    values = {"error_code": LedgerCode.DIFFERS.value, "error_message": None}
    for chunk in lookup_chunks(connection, fingerprints):
        which = (*_is_in_doubt(table, stream), table.c.record_key.in_(chunk))
        connection.execute(sa.update(table).where(*which).values(values))
    for write in in_doubt(connection, tables, stream, WHOLE):
        texts = write.manifest.texts()
        written = {key: WRITTEN_ONCE + fingerprints[key] for key in texts.keys() & fingerprints.keys()}
        if written:
            keep(connection, tables, write, {**texts, **written})


def _is_in_doubt(table: sa.Table, stream: str) -> tuple[sa.ColumnElement[bool], ...]:
    return (
        table.c.stream == stream,
        table.c.next_attempt_at.is_not(None),
        table.c.error_code == LedgerCode.IN_DOUBT.value,
    )


def _looks(write: WriteUnderWay) -> list[datetime]:
    """When a write in doubt is looked at; a job of lines once, since their orders are written again."""
    if write.kind is WriteKind.JOB:
        return [write.began_at + after for after in _JOB_LOOKS]
    if write.kind in _WRITTEN_AGAIN and write.job_id is not None:
        return [write.began_at + _JOB_LOOKS[-1]]
    return [write.may_land_until]


def _next_look(write: WriteUnderWay) -> datetime:
    """When a write in doubt is looked at next; the last look comes again while an order is in another job."""
    looks = _looks(write)
    return next((each for each in looks if write.verified_at is None or write.verified_at < each), looks[-1])


def _is_last(write: WriteUnderWay, now: datetime) -> bool:
    return _looks(write)[-1] <= now


def _look(connection: sa.Connection, *, tables: LedgerTables, write: WriteUnderWay, now: datetime) -> None:
    if not claim_look(connection, tables, write, now):
        return
    texts = write.manifest.texts()
    waiting = {} if write.kind in _NOT_OVERWRITING else _make_due(connection, tables.ack, write, texts, now)
    if not _is_last(write, now):
        return
    if waiting:
        keep(connection, tables, write, waiting)
    else:
        settle(connection, tables, [write.write_id])


def _make_due(
    connection: sa.Connection, ack: sa.Table, write: WriteUnderWay, texts: Mapping[str, str], now: datetime
) -> dict[str, str]:
    """Make the orders of a write due that are called synced; gives those that are in a job, and wait for its end.

    What a job, or a call of a run that went on, has at the version that the ledger has too, may land whenever it likes.
    At its last look how an order differed before says nothing: the write may have landed once more since it was mended,
    or since an order was made due that nobody has compared yet.
    """
    is_last = _is_last(write, now)
    called_synced = ack.c.status == AckStatus.SYNCED.value
    believed = sa.or_(called_synced, sa.and_(*_is_in_doubt(ack, write.stream))) if is_last else called_synced
    same_is_harmless = write.kind is WriteKind.JOB or write.left_at is not None
    code = LedgerCode.DIFFERS if write.kind in _WRITTEN_AGAIN else LedgerCode.IN_DOUBT
    waiting: dict[str, str] = {}
    columns = (ack.c.record_key, ack.c.version, ack.c.status, sa.case((believed, 1), else_=0))
    for chunk in lookup_chunks(connection, texts):
        here = (ack.c.stream == write.stream, ack.c.record_key.in_(chunk))
        by_earlier: dict[str | None, list[str]] = {}
        for key, version, status, is_believed in connection.execute(sa.select(*columns).where(*here)):
            text = texts[key]
            harmless = same_is_harmless and version == text and write.kind not in _WRITTEN_AGAIN
            if status == AckStatus.SUBMITTED.value:
                waiting[key] = text
            elif is_believed and not harmless:
                may_be_drift = text.startswith(WRITTEN_ONCE) and not is_last
                by_earlier.setdefault(text.removeprefix(WRITTEN_ONCE) if may_be_drift else None, []).append(key)
        for earlier, keys in by_earlier.items():
            due = sa.update(ack).where(ack.c.stream == write.stream, ack.c.record_key.in_(keys), believed)
            connection.execute(due.values(_due(code, earlier, now)))
    return waiting


def _due(code: LedgerCode, earlier: str | None, now: datetime) -> dict[str, Any]:
    return {
        "status": AckStatus.REJECTED.value,
        "family": "transient",
        "error_code": code.value,
        "error_field": None,
        "error_message": earlier,
        "next_attempt_at": now,
        "acked_at": now,
        "attempts": 0,
        "failing_since": None,
    }
