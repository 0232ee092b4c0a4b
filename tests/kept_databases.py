"""PostgreSQL databases that the tests of one process use in turn: to empty one takes a tenth of making one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import sqlalchemy as sa

from scripts.servers import postgresql_database

OTHERS = "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
SCHEMAS = r"SELECT nspname FROM pg_namespace WHERE nspname NOT LIKE 'pg\_%%' AND nspname <> 'information_schema'"
NEW_OWNER = 150_000
"""From this version on `public` belongs to the database's owner, and not everybody may make tables in it."""

_free: list[str] = []
_made = ExitStack()


@contextmanager
def empty_postgresql_database() -> Iterator[str]:
    """Give the URL of an empty database; it goes to the next test when this one is through."""
    url = _free.pop() if _free else _made.enter_context(postgresql_database())
    try:
        yield url
    finally:
        _empty(url)
    _free.append(url)  # not reached where it could not be emptied: it is dropped with the others, and used no more


def drop_kept_databases() -> None:
    """Leave none behind."""
    _free.clear()
    _made.close()


def _empty(url: str) -> None:
    """End what is connected, and take away what a test has made or set, as far as it lies in this database."""
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT", poolclass=sa.NullPool)
    quote = engine.dialect.identifier_preparer.quote_identifier
    with engine.connect() as connection:
        while connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {OTHERS}").all():
            pass
        for schema in connection.exec_driver_sql(SCHEMAS).scalars().all():
            connection.exec_driver_sql(f"DROP SCHEMA {quote(schema)} CASCADE")
        new = connection.exec_driver_sql("SHOW server_version_num").scalar_one() >= str(NEW_OWNER)
        connection.exec_driver_sql("CREATE SCHEMA public" + (" AUTHORIZATION pg_database_owner" if new else ""))
        connection.exec_driver_sql(f"GRANT {'USAGE' if new else 'ALL'} ON SCHEMA public TO PUBLIC")
        connection.exec_driver_sql(f"ALTER DATABASE {quote(engine.url.database or '')} RESET ALL")
