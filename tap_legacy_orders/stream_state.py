"""The stream's bookmark in STATE: whether a run may go on from it, and what is written with it.

A bookmark says that all orders before it were compared with the acks: of one ledger, under one filter, in one
partition. Where one of these is another, every order is compared once; orders with an ack cost nothing then.
"""

from __future__ import annotations

import hashlib
import logging
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sync_ledger.identity import why_not_believed
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import WHOLE, Partition
from sync_ledger.retry_schedules import COMPARISON_SECONDS
from sync_ledger.state_contract import COMPARED_AT, FILTER, LEDGER, SINCE, StateMark, mark_of, remove_end
from tap_legacy_orders.connections import LEDGER_CHECK, reading
from tap_legacy_orders.filter_scope import asks_more_than_its_columns
from tap_legacy_orders.orders_table import OrdersTable

COMPARE_EVERY = timedelta(seconds=COMPARISON_SECONDS)
_OURS = ("replication_key", "replication_key_value", "partition", LEDGER, FILTER, COMPARED_AT, SINCE)


def mark_of_text(text: str | None) -> str | None:
    """A fingerprint by which a difference shows; None of nothing."""
    return None if text is None else hashlib.sha256(text.encode()).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class BookmarkScope:
    """What a bookmark is of."""

    stream: str
    replication_key: str
    partition: Partition
    filter_mark: str | None
    compares_daily: bool
    """Whether orders can pass the filter without a change of theirs, so that no bookmark holds for longer."""
    content_every: timedelta | None = None
    """How long a bookmark of the key holds, where contents alone show changes; None: it never does."""

    @classmethod
    def of(cls, stream: str, table: OrdersTable) -> BookmarkScope:
        """That of a table's orders."""
        every = [column.name for column in (*table.columns, *table.key, table.replication, table.version)]
        more = table.filter is not None and asks_more_than_its_columns(table.filter, [*every, *table.other_columns])
        filter_mark = mark_of_text(table.filter)
        return cls(stream, table.replication.name, table.partition, filter_mark, more, table.content_every)


class StreamState:
    """What STATE holds of the stream; begun by `start`."""

    def __init__(self, scope: BookmarkScope, ledger: Ledger, logger: logging.Logger) -> None:
        self._scope = scope
        self._ledger = ledger
        self._log = logger
        self.compared_at: datetime | None = None
        """When the comparison of all orders began that the bookmark is part of: naive UTC by the ledger's clock."""
        self.since: datetime | None = None
        """Since when the bookmark of an earlier run stands where it does, by the same clock."""
        self._began: tuple[datetime, float] | None = None

    def start(self, document: dict[str, Any], now: datetime, *, full_table: bool) -> str | None:
        """Give the bookmark of an earlier run, if this one may go on from it; else take it out of STATE, and say why.

        `now` is by the ledger's clock: naive UTC.
        """
        self._began = now, time.monotonic()
        remove_end(document)
        value = document.get("replication_key_value")
        why = None if value is None else self._why_not(document, now)
        if value is None or why is not None or full_table or self._compares_now(document, now):
            if why is not None:
                self._log.warning("The state's bookmark is not used: %s; every order is compared once", why)
                for name in _OURS:
                    document.pop(name, None)
            self.compared_at = now
            return None
        self.compared_at = _time(document.get(COMPARED_AT))
        self.since = _time(document.get(SINCE))
        return str(value)

    def move(self, document: dict[str, Any], bookmark: str) -> None:
        """Set the bookmark."""
        scope = self._scope
        if self._began is not None and (document.get("replication_key_value") != bookmark or SINCE not in document):
            now, at = self._began
            since = now + timedelta(seconds=time.monotonic() - at)
            document[SINCE] = since.isoformat(" ", "milliseconds")
        document["replication_key"] = scope.replication_key
        document["replication_key_value"] = bookmark
        document[LEDGER] = StateMark(self._ledger.ledger_id).document()
        further = {
            "partition": None if scope.partition.is_whole else scope.partition.name,
            FILTER: scope.filter_mark,
            COMPARED_AT: self.compared_at.isoformat(" ") if self.compared_at and self._is_timed else None,
        }
        for name, value in further.items():
            document.pop(name, None)
            if value is not None:
                document[name] = value

    @property
    def _is_timed(self) -> bool:
        """Whether all orders are compared now and then."""
        return self._scope.compares_daily or self._scope.content_every is not None

    def _compares_now(self, document: dict[str, Any], now: datetime) -> bool:
        every = self._scope.content_every
        return every is not None and not _is_within(_time(document.get(COMPARED_AT)), now, every)

    def due_in(self) -> float | None:
        """In how many seconds a run that lasts is to compare every order again; None: never."""
        if not self._scope.compares_daily:
            return None
        now = self._now()
        return max(0.0, (COMPARE_EVERY - (now - (self.compared_at or now))).total_seconds())

    def begin(self) -> None:
        """Note that every order is compared from now on."""
        self.compared_at = self._now()

    def _now(self) -> datetime:
        with reading(self._ledger.engine, "ledger", LEDGER_CHECK) as connection:
            return self._ledger.now(connection)

    def _why_not(self, document: dict[str, Any], now: datetime) -> str | None:
        scope, mark = self._scope, mark_of(document)
        with reading(self._ledger.engine, "ledger", LEDGER_CHECK) as connection:
            tables, ledger_id = self._ledger.tables, self._ledger.ledger_id
            disbelief = why_not_believed(connection, tables, ledger_id, scope.stream, mark)
        if disbelief is not None:
            return disbelief
        key = document.get("replication_key")
        if key not in {None, scope.replication_key}:
            return f"it is for {key}, not {scope.replication_key}"
        known = document.get("partition", WHOLE.name)
        if not scope.partition.within(Partition.named(known)):
            return f"it is of partition {known}, not {scope.partition.name}"
        if mark is not None and document.get(FILTER) != scope.filter_mark:
            return "`filter` is another one since"
        if scope.compares_daily and not _is_within(_time(document.get(COMPARED_AT)), now, COMPARE_EVERY):
            return "`filter` asks more than the order's own columns, so all orders are compared once a day"
        return None


def _is_within(then: datetime | None, now: datetime, period: timedelta) -> bool:
    return then is not None and timedelta(0) <= now - then < period


def _time(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(text) if isinstance(text, str) else None
    except ValueError:
        return None
    return None if found is None or found.tzinfo is not None else found
