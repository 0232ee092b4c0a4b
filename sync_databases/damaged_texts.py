"""Texts of a PostgreSQL database in SQL_ASCII: bytes of any encoding, which nobody checks when they are written.

The server refuses a reading in which one is no UTF-8. Read as they are, such bytes become halves of characters, one a
byte, which no valid text holds. So one of them costs the record that it stands in, and not the reading.
"""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa

NO_SUCH_CHARACTER = "22021"
_TEXTS = ("text", "varchar", "bpchar", "name")


def is_of_damaged_text(connection: sa.Connection, error: sa.exc.DBAPIError) -> bool:
    """Whether a statement failed for bytes that are no UTF-8, in a database that keeps bytes of any kind."""
    if getattr(error.orig, "sqlstate", None) != NO_SUCH_CHARACTER:
        return False
    driver: Any = connection.connection.dbapi_connection
    return bool(driver.info.parameter_status("server_encoding") == "SQL_ASCII")


def read_any_bytes(connection: sa.Connection) -> None:
    """Begin a transaction, after one that failed, whose texts are read as they are; the next one reads as before."""
    connection.rollback()
    driver: Any = connection.connection.dbapi_connection
    for name in _TEXTS:
        driver.adapters.register_loader(name, _loader())
    connection.exec_driver_sql("SET LOCAL client_encoding TO 'SQL_ASCII'")


def is_whole(text: str) -> bool:
    """Whether a text has no half of a character."""
    try:
        return text.isascii() or bool(text.encode())
    except UnicodeEncodeError:
        return False


def _loader() -> type:
    from psycopg.adapt import Loader  # noqa: PLC0415 - the driver is an extra, and there where a connection is

    class DamagedText(Loader):
        """Decodes what it can."""

        def load(self, data: Any) -> str:
            return bytes(data).decode("utf-8", "surrogateescape")

    return DamagedText
