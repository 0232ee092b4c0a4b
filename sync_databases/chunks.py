"""Lists that are too long for one statement, in parts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

import sqlalchemy as sa

from sync_databases.engines import engine_of

_Item = TypeVar("_Item")


def chunks_of(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Split into lists of at most `size`."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def lookup_chunks(connection: sa.Connection, keys: Iterable[_Item]) -> Iterator[list[_Item]]:
    """Split keys into lists that a statement on this connection can hold in one IN list."""
    return chunks_of(keys, engine_of(connection.dialect).keys_per_lookup)
