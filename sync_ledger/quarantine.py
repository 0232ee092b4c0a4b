"""Quarantine: orders that made earlier calls or jobs fail for all their orders are sent separately from the others.

So are those that a call alone can mend.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from sync_databases.chunks import lookup_chunks
from sync_ledger.codes import LedgerCode
from sync_ledger.retry_schedules import QUARANTINED_JOBS

MOST_JOBS = QUARANTINED_JOBS.attempts
"""Jobs that fail as a whole, after which their orders go by calls, where the one that fails can be found."""

_ALONE = LedgerCode.BREAKS_CALLS.value
_TOGETHER = LedgerCode.CALL_FAILED.value
_BY_CALLS = (
    LedgerCode.JOB_WITHOUT_RESULT.value,
    LedgerCode.UPLOAD_FAILED.value,
    LedgerCode.RECORD_NOT_AS_KNOWN.value,
    LedgerCode.LINES_ASKED.value,  # a job cannot put rows in order, and its ack forgets what was asked
)
_CODES = (_ALONE, _TOGETHER, *_BY_CALLS)


@dataclass(frozen=True, slots=True)
class Quarantine:
    """Orders that are still at the version that failed: those that go alone, and those that no job takes.

    `groups` are orders of one call that failed, by the name that the search gave them: one of each breaks calls, and
    the search for it goes on.
    """

    alone: frozenset[str] = frozenset()
    by_calls: frozenset[str] = frozenset()
    groups: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.alone or self.by_calls or self.groups)


@cache
def _is_quarantined(table: sa.Table) -> tuple[sa.ColumnElement[bool], ...]:
    """Which orders of a `stream` are in quarantine: only what is due again is streamed at the same version."""
    return (
        table.c.stream == sa.bindparam("stream"),
        table.c.next_attempt_at.is_not(None),
        table.c.error_code.in_(_CODES),
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
    alone = counted.pop(_ALONE, 0)
    return alone, sum(counted.values())


def quarantined(connection: sa.Connection, table: sa.Table, stream: str, versions: Mapping[str, str]) -> Quarantine:
    """Look up which of these orders are in quarantine; `versions` by key. Another version starts afresh."""
    alone: set[str] = set()
    by_calls: set[str] = set()
    groups: dict[str, set[str]] = {}
    if connection.execute(_any_quarantined(table), {"stream": stream}).first() is not None:
        columns = (table.c.record_key, table.c.version, table.c.error_code, table.c.job_id)
        those = sa.select(*columns).where(*_is_quarantined(table))
        for chunk in lookup_chunks(connection, versions):
            query = those.where(table.c.record_key.in_(chunk))
            for key, version, code, group in connection.execute(query, {"stream": stream}):
                if versions[key] == version:
                    known = code == _TOGETHER and group is not None
                    (groups.setdefault(group, set()) if known else alone if code == _ALONE else by_calls).add(key)
    together = {group: frozenset(keys) for group, keys in groups.items()}
    return Quarantine(frozenset(alone), frozenset(by_calls), together)
