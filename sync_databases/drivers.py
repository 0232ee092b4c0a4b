"""From a database URL to an engine of SQLAlchemy, with the driver that our extras install."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import NoSuchModuleError, SQLAlchemyError

from sync_databases.database_errors import DatabaseError
from sync_databases.engines import find_engine
from sync_databases.transaction_start import begin_for_poolers, options_for_poolers
from sync_databases.url_options import refuse_hidden_host, refuse_unknown_options


def database_url(text: str) -> sa.URL:
    """Read a database URL and name the driver that we install where it names none.

    Raises:
        DatabaseError: the text is no URL, or an `@` in it hides the host.
    """
    try:
        if not text.isprintable():
            raise ValueError("a character that no URL has")  # noqa: TRY301 - reported as the others
        url = sa.make_url(text)
        refuse_hidden_host(text, url)
    except (SQLAlchemyError, ValueError) as error:
        raise DatabaseError(
            "the database URL cannot be read; expected e.g. postgresql://user:password@host:5432/database"
        ) from error
    engine = find_engine(url.drivername)  # none where the URL names a driver as well
    return url if engine is None or engine.driver is None else url.set(drivername=f"{engine.name}+{engine.driver}")


def create_engine(url: sa.URL, **options: Any) -> sa.Engine:
    """Make an engine, or say which extra is missing. Our own drivers speak UTF-8, whatever the URL says.

    Raises:
        DatabaseError: unknown engine or option, or the driver is not installed.
    """
    facts = find_engine(url.get_backend_name())
    if facts is not None and facts.encoding_option is not None and url.get_driver_name() == facts.driver:
        options["connect_args"] = {**options.get("connect_args", {}), **dict([facts.encoding_option])}
    try:
        engine = sa.create_engine(url, **options_for_poolers(url, options))
    except NoSuchModuleError as error:
        raise DatabaseError(f"no database engine is called {url.drivername!r}") from error
    except ModuleNotFoundError as error:
        raise driver_missing(url.get_backend_name()) from error
    except ValueError as error:
        raise DatabaseError(f"an option of the database URL has a value that it cannot have: {error}") from error
    refuse_unknown_options(engine, url)
    event.listen(engine, "do_connect", _connect)
    begin_for_poolers(engine)
    return engine


def _connect(dialect: Dialect, _record: object, arguments: Sequence[Any], options: Mapping[str, Any]) -> Any:
    """Connect as SQLAlchemy does; what a driver raises that is none of its own errors comes of the URL's options."""
    try:
        return dialect.connect(*arguments, **options)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        raise DatabaseError(
            f"the driver {dialect.driver} cannot use the options of the database URL ({error}); check them"
        ) from error


def driver_missing(name: str) -> DatabaseError:
    """The error of an engine, known by its name, whose driver is not installed."""
    engine = find_engine(name)
    extra = engine and engine.extra
    return DatabaseError(f"the driver for {name} is not installed; run: pip install 'orders-sync[{extra or ''}]'")
