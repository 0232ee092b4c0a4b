"""The settings of the window: from how far before the bookmark orders are read, and how close to now."""

from __future__ import annotations

from singer_sdk import typing as th

LOOKBACK_SECONDS = 300
"""Long transactions commit rows that look older than the bookmark; orders already acknowledged cost nothing."""

LOOKBACK_COUNT = 1_000
"""Numbers of a sequence are committed out of order by as many as there are transactions at a time."""

SETTLE_SECONDS = 2
"""One second for clocks that tick in seconds (MySQL's DATETIME even rounds up), one for clocks that differ."""

PROPERTIES = (
    th.Property(
        "lookback_seconds",
        th.NumberType(minimum=0),
        default=LOOKBACK_SECONDS,
        title="Lookback",
        description="How far before the bookmark a run begins, for orders committed late",
    ),
    th.Property(
        "lookback_count",
        th.IntegerType(minimum=0, maximum=1_000_000_000),
        default=LOOKBACK_COUNT,
        title="Lookback of counters",
        description="The same where the replication key is a number that counts, and no time",
    ),
    th.Property(
        "settle_seconds",
        th.NumberType(minimum=0),
        default=SETTLE_SECONDS,
        title="Settling time",
        description="How long an order must be unchanged before it is read",
    ),
)
