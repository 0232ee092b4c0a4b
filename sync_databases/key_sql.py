"""The texts by which tap and target know an order: its key and its version, as the database itself renders them."""

from __future__ import annotations

from collections.abc import Sequence

import sqlalchemy as sa

from sync_databases.columns import Column, Kind
from sync_databases.engines import Family
from sync_databases.exact_text import exact_key
from sync_databases.keys import ESCAPE, NO_VERSION, SEPARATOR
from sync_databases.value_sql import Element, ValueSql

_NEVER_EMPTY = frozenset(
    {Kind.INTEGER, Kind.NUMBER, Kind.BOOLEAN, Kind.DATE, Kind.NAIVE_TIME, Kind.ZONED_TIME, Kind.TIME_OF_DAY, Kind.UUID}
)
"""Kinds of which each value has a text; but SQLite's columns hold values of any kind."""


def joined_key(value_sql: ValueSql, columns: Sequence[Column], elements: Sequence[Element]) -> Element:
    """Render a key as one text, in SQL; `keys.py` says the same in Python."""
    texts = [value_sql.text(column, element) for column, element in zip(columns, elements, strict=True)]
    if len(texts) == 1:
        return texts[0]
    joined: Element | None = None
    for text in texts:
        escaped: Element = sa.func.replace(text, _text(ESCAPE), _text(ESCAPE * 2), type_=sa.String())
        escaped = sa.func.replace(escaped, _text(SEPARATOR), _text(ESCAPE + SEPARATOR), type_=sa.String())
        joined = escaped if joined is None else joined + _text(SEPARATOR) + escaped
    assert joined is not None  # noqa: S101 - a key has columns
    return joined


def may_be_empty(value_sql: ValueSql, column: Column) -> bool:
    """Whether a value of the column may have an empty text, which stands for no version."""
    return column.kind not in _NEVER_EMPTY or value_sql.engine.family is Family.SQLITE


def version_text(value_sql: ValueSql, column: Column, element: Element) -> Element:
    """Render an order's version, in SQL; an empty text is none, as in the ledger."""
    text = value_sql.text(column, element)
    none: Element = sa.literal_column(f"'{NO_VERSION}'")
    if may_be_empty(value_sql, column):
        # Compared exactly: to some collations blanks are empty, too.
        exact, empty = (exact_key(each, value_sql.dialect) for each in (text, sa.literal_column("''")))
        if value_sql.engine.family is Family.SQLITE:  # says it with the text once
            return sa.func.coalesce(sa.func.nullif(exact, empty), none, type_=sa.String())
        return sa.case((sa.or_(text.is_(None), exact == empty), none), else_=text)
    return sa.func.coalesce(text, none, type_=sa.String()) if column.nullable else text


def is_one_of(
    value_sql: ValueSql, columns: Sequence[Column], elements: Sequence[Element], keys: Sequence[tuple[str, ...]]
) -> Element:
    """Say that an order has one of these keys, so that the key's index is used; each is the texts of its columns."""
    bound = [[value_sql.candidates(column, part) for column, part in zip(columns, key, strict=True)] for key in keys]
    if len(elements) == 1:
        return elements[0].in_([value for parts in bound for value in parts[0]])
    return sa.or_(*(sa.and_(*(_is_any(e, part) for e, part in zip(elements, parts, strict=True))) for parts in bound))


def _is_any(element: Element, values: Sequence[Element]) -> Element:
    return element == values[0] if len(values) == 1 else element.in_(values)


def _text(value: str) -> Element:
    return sa.bindparam(None, value, type_=sa.String())
