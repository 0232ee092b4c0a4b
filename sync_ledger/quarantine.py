"""Quarantine: orders that made earlier calls or jobs fail for all their orders are sent separately from the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.codes import LedgerCode
from sync_ledger.retry_schedules import QUARANTINED_JOBS

_BREAKS_CALLS, _NO_RESULT = LedgerCode.BREAKS_CALLS.value, LedgerCode.JOB_WITHOUT_RESULT.value

MOST_JOBS = QUARANTINED_JOBS.attempts
"""Attempts after which orders whose job left no result go by calls, where the one that fails can be found."""


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Orders that are still at the version that failed: those that go alone, and those that no job takes any more."""

    alone: frozenset[str]
    by_calls: frozenset[str]


@cache
def _is_quarantined(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Which orders of a `stream` are in quarantine: only what is due again is streamed at the same version."""
    of_jobs = sa.and_(table.c.error_code == _NO_RESULT, table.c.attempts >= MOST_JOBS)
    return (
        table.c.stream == sa.bindparam("stream"),
        table.c.next_attempt_at.is_not(None),
        sa.or_(table.c.error_code == _BREAKS_CALLS, of_jobs),
    )


@cache
def _any_quarantined(table: sa.Table) -> sa.Select[Any]:
    """Nearly always none: an index holds them."""
    return sa.select(sa.literal(1)).where(*_is_quarantined(table)).limit(1)


def count_due_quarantined(connection: sa.Connection, table: sa.Table, stream: str, now: datetime) -> tuple[int, int]:
    """Count the quarantined orders that are due: those that go alone, and those that go by calls."""
    due = sa.select(table.c.error_code, sa.func.count()).where(*_is_quarantined(table), table.c.next_attempt_at <= now)
    rows = connection.execute(due.group_by(table.c.error_code), {"stream": stream})
    counted = {code: count for code, count in rows}  # noqa: C416 - rows are no pairs to mypy
    return counted.get(_BREAKS_CALLS, 0), counted.get(_NO_RESULT, 0)


def quarantined(connection: sa.Connection, table: sa.Table, stream: str, versions: Mapping[str, str]) -> Quarantine:
    """Look up which of these orders are in quarantine; `versions` by key. Another version starts afresh."""
    alone: set[str] = set()
    by_calls: set[str] = set()
    if connection.execute(_any_quarantined(table), {"stream": stream}).first() is not None:
        those = sa.select(table.c.record_key, table.c.version, table.c.error_code).where(*_is_quarantined(table))
        for chunk in lookup_chunks(connection, versions):
            query = those.where(table.c.record_key.in_(chunk))
            for key, version, code in connection.execute(query, {"stream": stream}):
                if versions[key] == version:
                    (alone if code == _BREAKS_CALLS else by_calls).add(key)
    return Quarantine(frozenset(alone), frozenset(by_calls))
