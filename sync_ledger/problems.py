"""The orders that are not in the CRM, grouped by why."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from sync_ledger.run_facts import comes_by_hand
from sync_ledger.tables import AckStatus, LedgerTables

REFUSED = (AckStatus.REJECTED.value, AckStatus.PARKED.value)


MESSAGES_MOST = 5
"""Texts of one cause, the most frequent ones; there may be as many as orders."""


@dataclass(frozen=True, slots=True)
class ErrorMessage:
    """The text of an error, and how many orders have it."""

    message: str
    orders: int


@dataclass(frozen=True, slots=True)
class Problem:
    """One cause, and its most frequent messages. `due` of the rejected orders are tried again by themselves.

    `by_hand`: they came from files, and no tap sends them.
    """

    code: str | None
    field: str | None
    family: str | None
    rejected: int
    parked: int
    due: int
    sample_keys: Sequence[str]
    messages: Sequence[ErrorMessage]
    by_hand: bool = False

    @property
    def orders(self) -> int:
        """How many in all."""
        return self.rejected + self.parked


def problems_of(connection: sa.Connection, tables: LedgerTables, stream: str, *, samples: int) -> list[Problem]:
    """Group a stream's refused orders by code and field, the most frequent first, with `samples` keys each."""
    table, by_hand = tables.ack, comes_by_hand(connection, tables.run, stream)
    cause = (table.c.error_code, table.c.error_field, table.c.family)
    refused = (table.c.stream == stream, table.c.status.in_(REFUSED))
    parked = sa.func.sum(sa.case((table.c.status == AckStatus.PARKED.value, 1), else_=0))
    due = sa.func.sum(sa.case((table.c.next_attempt_at.is_not(None), 1), else_=0))
    count = sa.func.count()
    query = sa.select(*cause, count, parked, due).where(*refused).group_by(*cause).order_by(count.desc(), *cause)
    found = []
    for code, field, family, orders, dismissed, waiting in connection.execute(query).all():
        same = [
            column.is_(None) if value is None else column == value
            for column, value in zip(cause, (code, field, family), strict=True)
        ]
        keys = sa.select(table.c.record_key).where(*refused, *same).order_by(table.c.record_key).limit(samples)
        sample = list(connection.execute(keys).scalars())
        message = table.c.error_message
        texts = sa.select(message, count).where(*refused, *same, message.is_not(None)).group_by(message)
        most = connection.execute(texts.order_by(count.desc(), message).limit(MESSAGES_MOST)).all()
        messages = [ErrorMessage(text, times) for text, times in most]
        found.append(
            Problem(
                code, field, family, orders - int(dismissed), int(dismissed), int(waiting), sample, messages, by_hand
            )
        )
    return found
