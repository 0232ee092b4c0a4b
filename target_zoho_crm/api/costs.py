"""Zoho's limits and prices: how much goes into a call, a query or a job, and what that costs in API credits. Pure.

The figures are Zoho's, of API version 8: https://www.zoho.com/crm/developer/docs/api/v8/api-limits.html for credits and
calls at once, and the pages of that manual on upserts, COQL queries and bulk write for the others.
"""

from __future__ import annotations

CALL_RECORDS = 100
"""Records of one write call, or read by their ids in one call."""
CREDIT_RECORDS = 10
"""Records that one credit writes; it is due as soon as they are begun."""
READ_FIELDS = 50
"""Fields of one read of a list or of records by their ids."""
FIELD_ROWS = 100
"""Rows of one subform or multiple lookup of a record."""

PAGE_ROWS = 200
"""Records on a page of a list; also the rows of a query that one credit pays for."""
QUERY_VALUES = 50
"""Values in one `in` of a query: Zoho takes up to 100, and 50 is the safe figure."""
QUERY_ROWS = 2_000
"""Rows of one query."""
QUERY_CREDITS = ((PAGE_ROWS, 1), (1_000, 2), (QUERY_ROWS, 3))
"""The rows that a query asks for at most, and its credits."""

JOB_ROWS = 25_000
"""Rows of one bulk write job's CSV."""
CHILD_ROWS = 200
"""Rows of a subform, or line items, in one CSV, as Zoho's page on limits has it; perhaps it means those of a record."""
JOB_COLUMNS = 200
"""Columns of a job's CSV."""
JOB_ZIP_BYTES = 25_000_000
"""Zoho says 25 MB and not which; this is the smaller reading."""
JOB_CREDITS = 500
"""Credits of one job, whatever its size; so both ways cost the same at 5,000 records."""

READ_JOB_ROWS = 200_000
"""Records of one bulk read job's file."""
READ_JOB_CREDITS = 50
"""Credits of one bulk read job, whatever its size."""

CALLS_AT_ONCE = 25
"""API calls under way at once, in the largest edition."""
UPSERTS_AT_ONCE = 10
"""Of these, writes of more than 10 records and queries, in all editions."""


def upsert_credits(records: int) -> int:
    """Credits for so many records by write calls of 100, where each call costs 1 for each 10 records begun."""
    full_calls, rest = divmod(records, CALL_RECORDS)
    return full_calls * _call_credits(CALL_RECORDS) + _call_credits(rest)


def _call_credits(records: int) -> int:
    """Credits of one write call."""
    return -(-records // CREDIT_RECORDS)


def query_credits(rows: int) -> int:
    """Credits for a COQL query that asks for up to so many rows, at most 2,000."""
    return next(credits_ for most, credits_ in QUERY_CREDITS if rows <= most)
