"""The setting `wait_for_lock_seconds`: how long a run waits for a live one before its first query."""

from __future__ import annotations

from singer_sdk import typing as th

NAME = "wait_for_lock_seconds"

PROPERTY = th.Property(
    NAME,
    th.NumberType(minimum=0),
    default=0,
    title="Wait for the lock",
    description="How long to wait, before the first query, for another run of these orders that is live; then the tap "
    "ends with 3. With 0 the target refuses",
)
