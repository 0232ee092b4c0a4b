r"""SQLite's values as texts, whatever a column holds: numbers, texts that are no UTF-8, BLOBs.

A byte that is no UTF-8 becomes \xNN, and a backslash before what looks like that becomes \x5c, so that each text gives
its bytes back. SQL does the same by functions of ours, which each connection is given; the one in Python is called for
texts outside of ASCII, and those with a backslash, only.
"""

from __future__ import annotations

import re
from typing import Any

import sqlalchemy as sa

from sync_databases.engines import Family, engine_of

_FUNCTION = "order_text"
_IS_ASCII = "is_ascii_text"
_ESCAPE = re.compile(rb"\\x([0-9a-f]{2})")
_LOOKS_ESCAPED = re.compile(r"\\(?=x[0-9a-f]{2})")
_WHOLE = re.compile(r"-?[0-9]+")
_REAL = re.compile(r"-?[0-9]+(?:\.[0-9]+)?(?:e[+-]?[0-9]+)?", re.IGNORECASE)
_INFINITE = {"Inf": float("inf"), "-Inf": float("-inf")}
_ENCODED_A = {b"a\0": "utf-16-le", b"\0a": "utf-16-be"}
"""How a database encodes its texts, where that is not UTF-8: a choice of who made it."""
_GREATEST_INTEGER = (1 << 63) - 1

Element = sa.ColumnElement[Any]


def escaped(value: bytes) -> str:
    """A text's bytes as a text that gives them back."""
    return (
        _LOOKS_ESCAPED.sub(r"\\x5c", value.decode("utf-8", "surrogateescape"))
        .encode("utf-8", "surrogateescape")
        .decode("utf-8", "backslashreplace")
    )


def _order_text(value: bytes, a: bytes) -> str:
    """`escaped`, in SQL: the bytes of a text as the database encodes it, and those of the letter a."""
    encoding = _ENCODED_A.get(a)
    if encoding is not None:
        value = value.decode(encoding, "surrogatepass").encode("utf-8", "surrogatepass")
    return escaped(value)


def unescaped(text: str) -> str | bytes:
    """The text that `escaped` had, or its bytes where they are no UTF-8."""
    if "\\x" not in text:
        return text
    value = _ESCAPE.sub(lambda found: bytes.fromhex(found[1].decode()), text.encode("utf-8", "surrogatepass"))
    try:
        return value.decode("utf-8")
    except UnicodeDecodeError:
        return value


def teach_texts(engine: sa.Engine) -> None:
    """Give SQLite the functions; to be called before the first connection."""
    if engine_of(engine.dialect).family is Family.SQLITE:
        sa.event.listen(engine, "connect", _add_functions)


def _add_functions(connection: Any, _record: object) -> None:
    connection.create_function(_FUNCTION, 2, _order_text, deterministic=True)
    # No Python runs in it: it costs a third of what GLOB does, which looks at each place of a text anew.
    connection.create_function(_IS_ASCII, 1, bytes.isascii, deterministic=True)


def text_of(element: Element) -> Element:
    """A column's value as text, in SQL."""
    text = sa.type_coerce(sa.cast(element, sa.Text()), sa.String())
    value = sa.cast(element, sa.LargeBinary())
    backslash = sa.func.instr(element, sa.literal_column("'\\'"))
    is_plain = sa.and_(sa.not_(backslash), sa.Function(_IS_ASCII, value, type_=sa.Boolean()))
    exact = sa.Function(_FUNCTION, value, sa.cast(sa.literal_column("'a'"), sa.LargeBinary()), type_=sa.String())
    # CAST gives a real number 15 digits; 17 are needed to give the same number again.
    real = sa.func.printf("%!.17g", element, type_=sa.String())
    storage = sa.func.typeof(element)
    return sa.case(
        (storage == sa.literal_column("'text'"), sa.case((is_plain, text), else_=exact)),
        (storage == sa.literal_column("'blob'"), sa.func.lower(sa.func.hex(element), type_=sa.String())),
        (storage == sa.literal_column("'real'"), real),
        else_=text,
    )


def bound_text(text: str) -> Element:
    """A text by its bytes, if they are no UTF-8."""
    value = unescaped(text)
    if isinstance(value, str):
        return sa.bindparam(None, value, type_=sa.String())
    return sa.cast(sa.bindparam(None, value, type_=sa.LargeBinary()), sa.Text())


def bound_number(text: str) -> Element | None:
    """A number by its value; None of a text that is none."""
    value: float | None = _INFINITE.get(text)
    if _WHOLE.fullmatch(text) and abs(int(text)) <= _GREATEST_INTEGER + text.startswith("-"):
        value = int(text)
    elif value is None and _REAL.fullmatch(text):
        value = float(text)
    return None if value is None else bound_value(value)


def bound_bytes(text: str) -> Element | None:
    """A BLOB by its bytes; None of a text that is no hexadecimal."""
    try:
        return sa.bindparam(None, bytes.fromhex(text), type_=sa.LargeBinary())
    except ValueError:
        return None


def bound_value(value: float | bytes | None) -> Element:
    """A value as the driver gave it."""
    return sa.bindparam(None, value, type_=sa.types.NullType())
