"""Stored records: how a document is written and read, and how many records each module holds."""

from __future__ import annotations

import sqlite3
from decimal import Decimal

import msgspec

DOC_DECODER = msgspec.json.Decoder(float_hook=Decimal)
DOC_ENCODER = msgspec.json.Encoder(decimal_format="number")


def add_to_count(connection: sqlite3.Connection, module: int, change: int) -> None:
    """Keep the number of a module's records, which nobody wants to count anew in a module of a million."""
    connection.execute(
        "INSERT INTO counts VALUES (?, ?) ON CONFLICT (module) DO UPDATE SET records = records + excluded.records",
        (module, change),
    )
