"""Zoho's limits and prices: how much one call or job takes, and what it costs in API credits. Pure."""

from __future__ import annotations

UPSERT_RECORDS_PER_CREDIT = 10  # one credit for each 10 records begun
UPSERT_MAX_RECORDS = 100  # Zoho refuses more in one call
IDS_PER_QUERY = 50  # Zoho takes up to 100 values in one `in`; 50 is the safe figure
QUERY_CREDITS = ((200, 1), (1_000, 2), (2_000, 3))  # COQL: the rows asked for, and what that costs
BULK_JOB_CREDITS = 500  # whatever the job's size; so both ways cost the same at 5,000 records


def upsert_credits(records: int) -> int:
    """Credits for `records` by upsert calls of 100, where each call costs 1 for each 10 records begun."""
    full_calls, rest = divmod(records, UPSERT_MAX_RECORDS)
    return full_calls * _call_credits(UPSERT_MAX_RECORDS) + _call_credits(rest)


def query_credits(rows: int) -> int:
    """Credits for a COQL query that asks for up to `rows`, at most 2,000."""
    return next(credits_ for most, credits_ in QUERY_CREDITS if rows <= most)


def _call_credits(records: int) -> int:
    return -(-records // UPSERT_RECORDS_PER_CREDIT)
