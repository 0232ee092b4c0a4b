"""Alerts as the ledger remembers them, so that each is sent once, whoever watches and however often they are killed.

Who is to send one claims it first: others leave it alone for a minute. A watcher that dies in between may
have sent it; the next one sends it again under the same id.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sync_ledger.alert_table import ALERT_TEXT_LENGTH
from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import ALERT_CLAIM_SECONDS


@dataclass(frozen=True, slots=True)
class Alert:
    """Something to be sent by one channel: that it is wrong since then, or (`is_over`) that it no longer is."""

    stream: str
    name: str
    channel: str
    alert_id: str
    text: str
    since: datetime
    is_over: bool


class AlertLog:
    """What was sent, and what is to be; times are of the ledger's clock."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._table = ledger.tables.alert
        self._sender = uuid.uuid4().hex

    def note(self, stream: str, wrong: Mapping[str, str], channels: Sequence[str]) -> list[Alert]:
        """Note what is wrong with a stream now, by name; returns what is to be sent, and not being sent by others.

        What is over before a channel may have sent it is not sent there at all.

        Raises:
            DatabaseError: the ledger cannot be read or written.
        """
        table = self._table

        def once(connection: sa.Connection) -> list[Alert]:
            now = self._ledger.now(connection)
            mine = (table.c.stream == stream) & table.c.channel.in_(channels)
            known = {
                (row.condition_name, row.channel): row for row in connection.execute(sa.select(table).where(mine)).all()
            }
            for name, channel in ((name, channel) for name in wrong for channel in channels):
                if (name, channel) not in known:
                    connection.execute(sa.insert(table), self._row(stream, name, channel, wrong[name], now))
            for (name, channel), row in known.items():
                if name not in wrong and not _may_be_known(row):
                    connection.execute(sa.delete(table).where(_is_row(table, stream, name, channel)))
            rows = connection.execute(sa.select(table).where(mine).order_by(table.c.since, table.c.condition_name))
            return [
                _alert(row, is_over=row.condition_name not in wrong)
                for row in rows.all()
                if (row.sent_at is None or row.condition_name not in wrong) and _is_free(row, now)
            ]

        try:
            return self._ledger.transact(once)
        except IntegrityError:  # another watcher noted the same in between
            return self._ledger.transact(once)

    def claim(self, alert: Alert) -> bool:
        """Whether it is mine to send."""
        table = self._table

        def once(connection: sa.Connection) -> int:
            now = self._ledger.now(connection)
            lasts = timedelta(seconds=ALERT_CLAIM_SECONDS)
            is_over = sa.not_(table.c.claimed_at.between(now - lasts, now + lasts))
            free = sa.or_(table.c.sender.is_(None), table.c.sender == self._sender, is_over)
            due = sa.true() if alert.is_over else table.c.sent_at.is_(None)
            row = _is_row(table, alert.stream, alert.name, alert.channel)
            mine = sa.update(table).where(row, free, due, table.c.alert_id == alert.alert_id)
            known = {"sent_at": sa.func.coalesce(table.c.sent_at, now)} if alert.is_over else {}
            return connection.execute(mine.values(sender=self._sender, claimed_at=now, **known)).rowcount

        return self._ledger.transact(once) == 1

    def sent(self, alert: Alert) -> None:
        """Note that it was sent: that something is over ends its row."""
        self._settle(alert, is_sent=True)

    def not_sent(self, alert: Alert) -> None:
        """Give back what could not be sent: it is to be sent by the next look, mine or another's."""
        self._settle(alert, is_sent=False)

    def _settle(self, alert: Alert, *, is_sent: bool) -> None:
        table = self._table

        def once(connection: sa.Connection) -> None:
            mine = (_is_row(table, alert.stream, alert.name, alert.channel), table.c.sender == self._sender)
            if is_sent and alert.is_over:
                connection.execute(sa.delete(table).where(*mine))
                return
            at = {"sent_at": self._ledger.now(connection)} if is_sent else {}
            connection.execute(sa.update(table).where(*mine).values(sender=None, claimed_at=None, **at))

        self._ledger.transact(once)

    def _row(self, stream: str, name: str, channel: str, text: str, now: datetime) -> dict[str, Any]:
        return {
            "stream": stream,
            "condition_name": name,
            "channel": channel,
            "alert_id": uuid.uuid4().hex,
            "described": text[:ALERT_TEXT_LENGTH],
            "since": now,
        }


def _is_row(table: sa.Table, stream: str, name: str, channel: str) -> sa.ColumnElement[bool]:
    return sa.and_(table.c.stream == stream, table.c.condition_name == name, table.c.channel == channel)


def _may_be_known(row: Any) -> bool:
    """Whether it was sent, or somebody began to send it."""
    return row.sent_at is not None or row.claimed_at is not None


def _is_free(row: Any, now: datetime) -> bool:
    """A claim of the future is from before the ledger's clock was set back, and holds as little as an old one."""
    claimed: datetime | None = row.claimed_at
    return claimed is None or abs(now - claimed) > timedelta(seconds=ALERT_CLAIM_SECONDS)


def _alert(row: Any, *, is_over: bool) -> Alert:
    return Alert(row.stream, row.condition_name, row.channel, row.alert_id, row.described, row.since, is_over)
