"""Whether a stream's first load is over: what runs once must run gently, what runs daily may wake automations."""

from __future__ import annotations

import sqlalchemy as sa

from sync_ledger.ledger import Ledger
from sync_ledger.partitions import Partition
from sync_ledger.run_facts import is_remembered, was_by_hand, was_of_all
from sync_ledger.tables import AckStatus


def has_synced(ledger: Ledger, stream: str) -> bool:
    """Whether any order of the stream is called synced."""
    ack = ledger.tables.ack
    found = sa.select(sa.literal(1)).where(ack.c.stream == stream, ack.c.status == AckStatus.SYNCED.value).limit(1)

    def look_up() -> bool:
        with ledger.connect() as connection:
            return connection.execute(found).first() is not None

    return ledger.with_retries(look_up)


def first_load_is_over(connection: sa.Connection, run: sa.Table, stream: str, partition: Partition) -> bool:
    """Whether the first load of a partition of the stream is over.

    It is over as soon as a run has come to its end with every record settled, provided that this run or one before
    it had records to read. So runs on an empty table do not end it, and neither does one that was killed, that ran
    out of credits, or that left a job to the next run: the runs after it still belong to the first load.

    Where a stream is split, that run is one of the same partition, or there is one of each partition of another split.
    """
    earlier = run.alias("earlier")
    # A run that lives, or has died, may have read more than it had counted by its last heartbeat.
    not_counted = sa.or_(earlier.c.finished_at.is_(None), earlier.c.how_ended == "died", earlier.c.read_count.is_(None))
    had_records = sa.or_(not_counted, earlier.c.read_count > 0)
    query = sa.select(run.c.partition_name).where(
        run.c.stream == stream,
        run.c.how_ended == "finished",
        run.c.unsynced_count == 0,
        is_remembered(run),
        was_of_all(run),
        sa.exists().where(
            earlier.c.stream == stream,
            earlier.c.started_at <= run.c.started_at,
            had_records,
            is_remembered(earlier),
            sa.not_(was_by_hand(earlier)),
        ),
    )
    done = set(connection.execute(query.distinct()).scalars())
    splits = {Partition.named(name).of for name in done}
    return partition.name in done or any(
        {Partition(index, of).name for index in range(1, of + 1)} <= done for of in splits
    )
