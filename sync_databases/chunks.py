"""Lists that are too long for one statement, in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

from sync_databases import dialects
from sync_databases.engines import Family, engine_of
from sync_databases.packet_limit import STATEMENT_BYTES

_Item = TypeVar("_Item")


def chunks_of(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Split into lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def lookup_chunks(connection: sa.Connection, keys: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Split keys into lists that a statement on this connection can hold in one IN list."""
    engine = engine_of(connection.dialect)
    for chunk in chunks_of(keys, engine.keys_per_lookup):
        if engine.family is Family.MYSQL:
            yield from _of_bytes(chunk, STATEMENT_BYTES)
        else:
            yield chunk


def _of_bytes(keys: list[_Item], most: int) -> Iterator[list[_Item]]:
    """Split into lists of at most so many bytes of text."""
    longest = max(len(str(key).encode(errors="surrogatepass")) for key in keys) + len("'',")
    yield from chunks_of(keys, max(1, most // longest))


def among(connection: sa.Connection, column: sa.ColumnElement[str], values: Sequence[str]) -> sa.ColumnElement[bool]:
    """Whether a column has one of these values: one array on PostgreSQL, whose driver takes long over many values."""
    if engine_of(connection.dialect).family is not Family.POSTGRESQL:
        return column.in_(values)
    return column == sa.any_(sa.literal(values, dialects.postgresql.ARRAY(sa.String)))
