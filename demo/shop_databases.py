"""Where the demo's orders and ledger lie: SQLite files, or databases of their own that are dropped at the end."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from scripts.servers import NoServerError, mariadb_database, postgresql_database

CHOICES = ("sqlite", "postgresql", "mariadb", "split")


class DemoError(Exception):
    """The demo cannot go on; the text says why and what to do."""


@dataclass(frozen=True)
class Databases:
    """The URLs that tap and target get."""

    orders_url: str
    ledger_url: str
    told: str
    """In words."""


@contextmanager
def databases(choice: str, folder: Path) -> Iterator[Databases]:
    """Fresh databases for one demo.

    Raises:
        DemoError: no server answers.
    """
    try:
        with _databases(choice, folder) as found:
            yield found
    except NoServerError as error:
        raise DemoError(str(error)) from error


@contextmanager
def _databases(choice: str, folder: Path) -> Iterator[Databases]:
    legacy = f"sqlite:///{folder / 'legacy.sqlite'}"
    if choice == "sqlite":
        yield Databases(legacy, legacy, "orders in SQLite, the ledger beside them")
    elif choice == "postgresql":
        with postgresql_database() as url:
            yield Databases(url, url, "orders in PostgreSQL, the ledger beside them")
    elif choice == "mariadb":
        with mariadb_database() as url:
            yield Databases(url, url, "orders in MariaDB, the ledger beside them")
    else:
        with postgresql_database() as url:
            ledger = f"sqlite:///{folder / 'ledger.sqlite'}"
            yield Databases(url, ledger, "orders in PostgreSQL, the ledger in SQLite")
