"""The access token that all workers of a ledger share, sealed by whoever has the credentials; one renewal at a time.

Times are kept by the ledger's clock and given as seconds from now, so that no worker's own clock counts.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import SHARED_TOKEN_CLAIM_SECONDS, TOKENS_DENIED_SECONDS

_KEPT_DAYS = 1.0
"""After its end a token is of no use; the row of other credentials goes some time after that."""


@dataclass(frozen=True, slots=True)
class SharedToken:
    """What the ledger holds: a sealed token that ends in `seconds`, and for how many seconds none is asked for."""

    sealed: str | None = None
    seconds: float = 0.0
    denied_seconds: float = 0.0


class SharedTokens:
    """The token of one owner, a hash of whose it is. Every method raises `DatabaseUnavailableError` as ledgers do."""

    def __init__(self, ledger: Ledger, owner: str) -> None:
        self._ledger = ledger
        self._table = ledger.tables.token
        self._owner = owner
        self._own = self._table.c.owner == owner
        self._renewer = uuid.uuid4().hex

    def read(self) -> SharedToken:
        """What is kept now."""

        def look_up() -> SharedToken:
            with self._ledger.connect() as connection:
                row = connection.execute(sa.select(self._table).where(self._own)).one_or_none()
                if row is None:
                    return SharedToken()
                now = self._ledger.now(connection)
                return SharedToken(row.sealed, _left(row.ends_at, now), _denied_for(row.denied_until, now))

        return self._ledger.with_retries(look_up)

    @contextmanager
    def renewing(self) -> Iterator[bool]:
        """Give whether this worker may renew the token now; False while another one does.

        A claim that is not given up, since its worker was killed, ends after a minute.
        """
        mine = self._claimed()
        try:
            yield mine
        finally:
            if mine:
                self._end_claim()

    def keep(self, sealed: str, seconds: float) -> None:
        """Keep a token that ends in so many seconds, and forget those of other credentials that ended long ago."""
        table = self._table

        def write(connection: sa.Connection) -> None:
            now = self._ledger.now(connection)
            values = {"sealed": sealed, "ends_at": now + timedelta(seconds=seconds), "denied_until": None}
            connection.execute(sa.update(table).where(self._own).values(values))
            over = sa.and_(sa.not_(self._own), table.c.ends_at < now - timedelta(days=_KEPT_DAYS))
            connection.execute(sa.delete(table).where(over))

        self._ledger.transact(write)

    def deny(self, seconds: float) -> None:
        """Note that none is to be asked for, for so many seconds."""

        def write(connection: sa.Connection) -> None:
            until = self._ledger.now(connection) + timedelta(seconds=seconds)
            connection.execute(sa.update(self._table).where(self._own).values(denied_until=until))

        self._ledger.transact(write)

    def _claimed(self) -> bool:
        mine = self._ledger.transact(self._claim)
        if mine is None:
            try:
                self._ledger.transact(self._insert)
            except IntegrityError:
                return False  # another worker was the first
        return mine is None or mine

    def _claim(self, connection: sa.Connection) -> bool | None:
        """Claim the row if it is free; None where there is no row yet."""
        table, now = self._table, self._ledger.now(connection)
        # A claim that ends much later than one that begins now is from before the ledger's clock was set back. Not just
        # later: this statement may have waited for another worker's claim, and `now` is when its transaction began.
        until, latest = table.c.renewed_until, now + 2 * timedelta(seconds=SHARED_TOKEN_CLAIM_SECONDS)
        free = sa.or_(table.c.renewer.is_(None), table.c.renewer == self._renewer, until < now, until > latest)
        if connection.execute(sa.update(table).where(self._own, free).values(self._until(now))).rowcount:
            return True
        there = connection.execute(sa.select(table.c.owner).where(self._own)).first()
        return None if there is None else False

    def _insert(self, connection: sa.Connection) -> None:
        row = {"owner": self._owner, **self._until(self._ledger.now(connection))}
        connection.execute(sa.insert(self._table).values(row))

    def _until(self, now: datetime) -> dict[str, Any]:
        return {"renewer": self._renewer, "renewed_until": now + timedelta(seconds=SHARED_TOKEN_CLAIM_SECONDS)}

    def _end_claim(self) -> None:
        end = sa.update(self._table).where(self._own, self._table.c.renewer == self._renewer).values(renewer=None)
        self._ledger.transact(lambda connection: connection.execute(end))


def _left(until: datetime | None, now: datetime) -> float:
    return 0.0 if until is None else max(0.0, (until - now).total_seconds())


def _denied_for(until: datetime | None, now: datetime) -> float:
    """Longer than any denial lasts is from before the ledger's clock was set back."""
    seconds = _left(until, now)
    return seconds if seconds <= TOKENS_DENIED_SECONDS else 0.0
