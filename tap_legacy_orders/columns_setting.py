"""The settings `columns` and `exclude`: which columns of the orders' table are sent, and of that of their lines."""

from __future__ import annotations

from singer_sdk import typing as th

PROPERTIES = (
    th.Property(
        "columns",
        th.ArrayType(th.StringType),
        title="Columns",
        description="Columns to send; all by default. Key and replication key are always sent",
    ),
    th.Property(
        "exclude",
        th.ArrayType(th.StringType),
        title="Excluded columns",
        description="Columns that are not sent; all others are, those too that the table gets later",
    ),
)

OF_LINES = (
    th.Property("columns", th.ArrayType(th.StringType), description="Columns to send; all by default"),
    th.Property("exclude", th.ArrayType(th.StringType), description="Columns that are not sent"),
)
