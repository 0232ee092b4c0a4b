"""A ledger that nobody has made yet: to the tap an empty one, which leaves nothing in the database.

The target makes the tables. It takes orders that were read without a ledger where its own has no earlier run of them;
any other ledger has acks that the tap could not see.
"""

from __future__ import annotations

from datetime import datetime
from functools import cached_property

import sqlalchemy as sa

from sync_databases.empty_database import give_empty_tables, memory_engine
from sync_ledger.identity import absent_id
from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.stream_contract import WithoutLedger
from sync_ledger.versions import LEDGER_VERSION, version_of


class AbsentLedger(Ledger):
    """Empty tables in memory, in place of those of a ledger that are not there; with the clock of its database."""

    def __init__(self, place: Ledger) -> None:
        """Stand in for the ledger at this place."""
        super().__init__(memory_engine(place.engine.url), None, place.log, place.clock)
        give_empty_tables(self.engine, self.tables.metadata)
        self._place = place
        with self.connect() as connection:
            self.looked_at = self.now(connection)
            """When it was not there, by that clock: naive UTC."""

    @property
    def place(self) -> Ledger:
        """Where it will lie."""
        return self._place

    def now(self, connection: sa.Connection) -> datetime:
        """The time by the clock that the ledger will have: naive UTC."""
        if self.place.lacks_file():
            return super().now(connection)
        with self.place.connect() as there:
            return super().now(there)

    @cached_property
    def ledger_id(self) -> str:
        """An id by which STATE of this run is known, and of no other."""
        return absent_id()

    def close(self) -> None:
        """Give back all connections."""
        super().close()
        self.place.close()

    def is_made(self, connection: sa.Connection) -> bool:
        """Whether the tables are there by now; `connection` is to the place."""
        return version_of(connection, self.place.tables) == LEDGER_VERSION


def ledger_or_stand_in(ledger: Ledger) -> Ledger:
    """The ledger as programs find it that read alone: where nobody has made it, an empty one stands in for it.

    Raises:
        LedgerError: it cannot be read, or is of another version.
    """
    if ledger.version() is None:
        return AbsentLedger(ledger)
    ledger.check_version()
    return ledger


def read_without(ledger: Ledger, *, after_bookmark: bool) -> WithoutLedger | None:
    """What the tap says of a ledger that is not there; None of one that is."""
    if not isinstance(ledger, AbsentLedger):
        return None
    return WithoutLedger(looked_at=ledger.looked_at, after_bookmark=after_bookmark)


def why_not_taken(ledger: Ledger, stream: str, partition: Partition, read: WithoutLedger) -> str | None:
    """Why orders that were read without a ledger must not be confirmed in this one; None where they may be.

    A run that is live, or began since the tap looked, is none of the reasons: the lease says so better.
    """
    if read.after_bookmark:
        return (
            "the tap found no ledger and went on from a STATE of runs that wrote elsewhere: the orders before it were "
            "never sent here; run once without that STATE (Meltano: --full-refresh)"
        )
    run = ledger.tables.run
    shared = sa.not_(partition.is_disjoint_from(run.c.partition_name))
    ended = sa.and_(run.c.finished_at.is_not(None), run.c.started_at < read.looked_at)
    earlier = sa.select(run.c.run_id).where(run.c.stream == stream, shared, ended).limit(1)

    def look_up() -> bool:
        with ledger.connect() as connection:
            return connection.execute(earlier).first() is not None

    if not ledger.with_retries(look_up):
        return None
    where = ledger.engine.url.render_as_string(hide_password=True)
    return (
        f"the tap found no ledger, and the target's, {where}, has earlier runs of these orders: give both the same "
        "`ack_url` and `ack_schema`"
    )
