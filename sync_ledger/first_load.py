"""Whether a stream's first load is over: what runs once must run gently, what runs daily may wake automations."""

from __future__ import annotations

import sqlalchemy as sa


def first_load_is_over(connection: sa.Connection, run: sa.Table, stream: str) -> bool:
    """Tell whether the stream's first load is over.

    It is over as soon as a run has come to its end with every record settled, provided that this run or one before
    it had records to read. So runs on an empty table do not end it, and neither does one that was killed, that ran
    out of credits, or that left a job to the next run: the runs after it still belong to the first load.
    """
    earlier = run.alias("earlier")
    # A run that died could not note what it read.
    had_records = sa.or_(earlier.c.read_count.is_(None), earlier.c.read_count > 0)
    query = sa.select(sa.literal(1)).where(
        run.c.stream == stream,
        run.c.how_ended == "finished",
        run.c.unsynced_count == 0,
        sa.exists().where(earlier.c.stream == stream, earlier.c.started_at <= run.c.started_at, had_records),
    )
    return connection.execute(query.limit(1)).first() is not None
