"""What a database URL may not say: characters that hide the host, and options that its driver does not know.

Found before a connection is tried: drivers meet unknown options with tracebacks, and a password's tail that was taken
for the host's name would stand in their messages.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from sync_databases.database_errors import DatabaseError
from sync_databases.engines import Engine, Family, find_engine

_OBJECT = re.compile(r"ssl|ssl\[.*\]|cursorclass|conv|defer_connect")
"""Options of PyMySQL that are objects in Python, and cannot be written in a URL."""

_ABOUT_TLS = re.compile(r"ssl|tls|encrypt|certificate", re.IGNORECASE)


def refuse_hidden_host(text: str, url: sa.URL) -> None:
    """Refuse a URL with a second `@` after the one that ends the password: the first one was part of it.

    Raises:
        DatabaseError: it has one; the message has no part of the URL.
    """
    engine = find_engine(url.get_backend_name())
    rest = text.partition("://")[2]
    after_password = re.sub(r"^[^:/@]*(@[^:/@]*(?=:))?(:[^@]*)?@", "", rest)
    if engine is not None and engine.is_server and "@" in after_password:
        raise DatabaseError(
            "the database URL has an `@` within the user name, the password or an option; write it as %40 there "
            "(and : as %3A, / as %2F, ? as %3F, # as %23, % as %25)"
        )


def refuse_unknown_options(made: sa.Engine, url: sa.URL) -> None:
    """Refuse options after the `?` that the driver of `made` does not know.

    Raises:
        DatabaseError: there is one; the message names it, and how TLS is asked for with this driver.
    """
    engine = find_engine(url.get_backend_name())
    if engine is None or url.get_driver_name() != engine.driver:
        return
    _, given = made.dialect.create_connect_args(url)
    unknown = [name for name in url.query if name in given and not _is_known(engine, made, name, given)]
    if unknown:
        hint = tls_hint(url, unknown[0])
        raise DatabaseError(f"the database URL has ?{unknown[0]}=, which {engine.driver} does not know{hint}")


def tls_hint(url: sa.URL, about: str) -> str:
    """How TLS is asked for, to be added to a message that is `about` it; nothing where it is not."""
    engine = find_engine(url.get_backend_name())
    if engine is None or engine.tls_options is None or not _ABOUT_TLS.search(about):
        return ""
    return f"; for TLS write {engine.tls_options}"


def _is_known(engine: Engine, made: sa.Engine, name: str, given: Mapping[str, Any]) -> bool:
    driver = made.dialect.loaded_dbapi
    if engine.family is Family.POSTGRESQL:
        try:
            driver.conninfo.make_conninfo(**{name: given[name]})
        except driver.ProgrammingError:
            return False
        return True
    if isinstance(given[name], str) and _OBJECT.fullmatch(name):
        return False
    return name in inspect.signature(driver.connect).parameters
