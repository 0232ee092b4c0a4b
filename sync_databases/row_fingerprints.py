"""A fingerprint of some columns of a row, taken by the database itself: whoever sets a flag sees whether one changed.

It is of the texts that the database gives, so it is compared only with one of the same database.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import sqlalchemy as sa

from sync_databases.columns import Column
from sync_databases.engines import Family, engine_of
from sync_databases.value_sql import Element, ValueSql

DIGITS = 32
_SQLITE_FUNCTION = "order_fingerprint"


def row_fingerprint(value_sql: ValueSql, columns: Sequence[Column], elements: Sequence[Element]) -> Element | None:
    """The fingerprint as SQL; None where the engine takes none of texts of any length."""
    digest = _DIGESTS.get(value_sql.engine.family)
    if digest is None:
        return None
    pieces = [_piece(value_sql, column, element) for column, element in zip(columns, elements, strict=True)]
    return digest(pieces)


def takes_fingerprints(value_sql: ValueSql) -> bool:
    """Whether the engine takes any."""
    return value_sql.engine.family in _DIGESTS


def teach_fingerprints(engine: sa.Engine) -> None:
    """Give SQLite, which has no such function, ours; to be called before the first connection."""
    if engine_of(engine.dialect).family is Family.SQLITE:
        sa.event.listen(engine, "connect", _add_function)


def _add_function(connection: Any, _record: Any) -> None:
    connection.create_function(_SQLITE_FUNCTION, 1, _digest_of, deterministic=True)


def _digest_of(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()[:DIGITS]


def _piece(value_sql: ValueSql, column: Column, element: Element) -> Element:
    """A column's text behind its length, so that no two rows have one text."""
    text = value_sql.text(column, element)
    length = sa.cast(value_sql.length(text), sa.CHAR() if value_sql.engine.family is Family.MYSQL else sa.Text())
    piece = joined(value_sql, [length, sa.literal_column("':'"), text])
    return sa.func.coalesce(piece, sa.literal_column("'-'"), type_=sa.String())


def joined(value_sql: ValueSql, texts: Sequence[Element]) -> Element:
    """Join texts; NULL where one of them is."""
    if value_sql.engine.family is Family.MYSQL:
        return sa.func.concat(*texts, type_=sa.String())
    whole = texts[0]
    for text in texts[1:]:
        whole = whole.op("||")(text)
    return whole


def _postgresql(pieces: Sequence[Element]) -> Element:
    whole: Element = pieces[0]
    for piece in pieces[1:]:  # a function takes 100 arguments here
        whole = whole.op("||")(piece)
    octets = sa.func.convert_to(whole, sa.literal_column("'UTF8'"))
    digest = sa.func.encode(sa.func.sha256(octets), sa.literal_column("'hex'"))
    return sa.func.left(digest, sa.literal_column(str(DIGITS)), type_=sa.String())


def _mysql(pieces: Sequence[Element]) -> Element:
    digest = sa.func.sha2(sa.func.concat(*pieces), sa.literal_column("256"))
    return sa.func.left(digest, sa.literal_column(str(DIGITS)), type_=sa.String())


def _sqlite(pieces: Sequence[Element]) -> Element:
    whole = pieces[0]
    for piece in pieces[1:]:
        whole = whole.op("||")(piece)
    return sa.Function(_SQLITE_FUNCTION, whole, type_=sa.String())


_DIGESTS = {Family.POSTGRESQL: _postgresql, Family.MYSQL: _mysql, Family.SQLITE: _sqlite}
