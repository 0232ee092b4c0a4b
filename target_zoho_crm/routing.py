"""Which records go by upsert calls and which by bulk write jobs: by credits, with the arithmetic in one line. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

UPSERT_RECORDS_PER_CREDIT = 10  # one credit for each 10 records begun
UPSERT_MAX_RECORDS = 100  # Zoho refuses more in one call
BULK_JOB_CREDITS = 500  # whatever the job's size; so both ways cost the same at 5,000 records


class Channel(str, Enum):
    """The way that records take into the CRM."""

    AUTO = "auto"
    UPSERT = "upsert"
    BULK_WRITE = "bulk_write"


@dataclass(frozen=True)
class Plan:
    """How a number of records is sent: the jobs first, the last `upsert_records` by upsert calls.

    `credits` is the sum that Zoho will count; `why` is one log line with the arithmetic.
    """

    job_sizes: tuple[int, ...]
    upsert_records: int
    credits: int
    why: str


def upsert_credits(records: int) -> int:
    """Credits for `records` by upsert calls of 100, where each call costs 1 for each 10 records begun."""
    full_calls, rest = divmod(records, UPSERT_MAX_RECORDS)
    return full_calls * _call_credits(UPSERT_MAX_RECORDS) + _call_credits(rest)


def plan(records: int, *, channel: Channel, bulk_rows: int, bulk_threshold: int | None) -> Plan:
    """The cheapest way for `records`; where both ways cost the same, the jobs, which leave the calls to others.

    Args:
        records: how many are to be sent.
        channel: AUTO decides by credits, the others are fixed.
        bulk_rows: the most rows of one job.
        bulk_threshold: if given, a job is made while at least so many records remain, whatever it costs.
    """
    if records < 0 or bulk_rows < 1 or (bulk_threshold is not None and bulk_threshold < 1):
        raise ValueError("records must not be negative; bulk_rows and bulk_threshold must be positive")
    jobs: list[int] = []
    remaining = records
    while remaining and _by_job(remaining, channel, bulk_rows, bulk_threshold):
        jobs.append(min(bulk_rows, remaining))
        remaining -= jobs[-1]
    credits_ = len(jobs) * BULK_JOB_CREDITS + upsert_credits(remaining)
    return Plan(tuple(jobs), remaining, credits_, _why(records, jobs, remaining, credits_))


def _by_job(remaining: int, channel: Channel, bulk_rows: int, bulk_threshold: int | None) -> bool:
    if channel is not Channel.AUTO:
        return channel is Channel.BULK_WRITE
    if bulk_threshold is not None:
        return remaining >= bulk_threshold
    return upsert_credits(min(bulk_rows, remaining)) >= BULK_JOB_CREDITS


def _call_credits(records: int) -> int:
    return -(-records // UPSERT_RECORDS_PER_CREDIT)


def _why(records: int, jobs: list[int], upserts: int, credits_: int) -> str:
    parts = []
    if jobs:
        parts.append(f"{sum(jobs):,} in {len(jobs)} bulk write job(s) at {BULK_JOB_CREDITS} credits")
    if upserts:
        calls = -(-upserts // UPSERT_MAX_RECORDS)
        parts.append(f"{upserts:,} in {calls:,} upsert call(s) = {upsert_credits(upserts):,} credits")
    way = ", ".join(parts) or "nothing to send"
    alternative = f"by upsert alone {upsert_credits(records):,}"
    return f"{records:,} records: {way}; {credits_:,} credits in all ({alternative})"
