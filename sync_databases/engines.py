"""Every database engine that we know, and what is true of each: the one place that names them.

Nobody else compares a dialect's name: a fact is asked for by `engine_of(dialect).fact`, and code that differs is chosen
by `engine_of(dialect).family`. So the steps to add an engine are:

1. Here: an `Engine` in `ENGINES`, and a `Family` of its own unless it writes SQL as one that is there.
2. `pyproject.toml`: the extra that installs its driver.
3. `columns.py`: its own types, where SQLAlchemy does not derive them from the common ones.
4. `value_sql.py`: how its values become text and come back, without losing a digit.
5. `exact_text.py` and `table_types.py`: the types of the ledger's columns, if the common ones do not fit.
6. Where the common way is slow or wrong: `sync_ledger/acks.py`, `sync_ledger/partitions.py`, `flag_statements.py`,
   `tap_legacy_orders/json_sql.py`, `orders_sync/checks/query_plans.py`. Each has a table by family.
7. `tests/engine_fixtures.py`: a server to try all this on; `tests/databases/test_engines.py` says what is missing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from functools import reduce
from typing import Any

from sqlalchemy.engine import Dialect

from sync_databases.database_errors import DatabaseError

BUSY_SECONDS = 60
"""How long a query waits for a writer on SQLite, for a locked table elsewhere."""

LOCK_SECONDS = 30
"""How long a write waits for another session's lock; MySQL and MariaDB would wait a day for a locked table."""

IDLE_SECONDS = 45
"""PostgreSQL ends a silent owner's transaction before its run counts as dead."""


class Family(Enum):
    """Engines that write SQL in one way."""

    SQLITE = "SQLite"
    POSTGRESQL = "PostgreSQL"
    MYSQL = "MySQL and MariaDB"
    SQL_SERVER = "SQL Server"
    ORACLE = "Oracle"


class PartialIndexes(Enum):
    """Which rows an index can be limited to."""

    NONE = "all rows only"
    PLAIN = "those of conditions without OR"
    ANY = "those of any condition"


@dataclass(frozen=True, slots=True, kw_only=True)
class Engine:
    """What is true of one engine; the defaults are the common or the cautious case."""

    # How it is reached
    name: str
    """The dialect's name in SQLAlchemy, with which URLs begin."""
    family: Family
    driver: str | None
    """The driver that our extra installs, for a URL that names none; None where Python brings it along."""
    extra: str | None
    """The extra of `orders-sync` that installs it."""
    other_names: tuple[str, ...] = ()
    """What else URLs may begin with."""
    encoding_option: tuple[str, str] | None = None
    """What makes our driver speak UTF-8, whatever the database's encoding: in any other one some text, such as the
    bound of a page, cannot be written. The server converts."""
    tls_options: str | None = None
    """How a URL asks its driver for TLS, for messages."""
    is_server: bool = True
    """Whether others may query it while we wait; SQLite is a file in our own process."""

    # Limits
    keys_per_lookup: int = 900
    """Keys in one IN list. Oracle takes 1,000 values in a list, SQL Server 2,100 parameters in a statement."""

    # Sessions
    clock_query: str
    """Gives the database's clock as text: naive UTC, in ISO 8601 with a blank."""
    pinned_settings: tuple[str, ...] = ()
    """What the texts of values depend on: set alike wherever a version is rendered or compared."""
    read_only_settings: tuple[str, ...] = ()
    write_limits: tuple[str, ...] = ()
    """Keeps a session that locks a table, or one that was frozen in a transaction, from blocking others for ever."""
    sets_per_transaction: bool = False
    """Whether settings hold for one transaction alone (SET LOCAL): a pooler lends one session to many clients. They are
    then written without SET, and a transaction that only reads begins as READ ONLY."""
    reads_in_autocommit: bool = False
    """Whether each query is to see what is committed by then: a snapshot would last as long as a transaction."""
    statement_time_limit: str | None = None
    """Makes the server end a statement that takes too long; takes {seconds} and {milliseconds}."""
    index_scan_setting: str | None = None
    """Makes a planner that knows too little of a table read it by an index all the same."""

    # Values
    values_have_types: bool = False
    """Whether each value has a type of its own and a column only an affinity: times are then texts in any shape."""
    has_booleans: bool = False
    """Whether a boolean is true and false; elsewhere it is 1 and 0."""
    pads_texts: bool = False
    """Whether a text of a type of fixed length (CHAR) is read with the blanks that fill it up."""
    reads_hex: bool = True
    """Whether SQL turns hexadecimal text back into bytes; where not, bytes are bound as such."""
    exact_collation: str | None = None
    """The collation that compares byte by byte, case and trailing blanks included; None where text is compared so."""
    keys_as_bytes: bool = False
    """Whether every collation ignores trailing blanks, so that exact texts are kept as bytes."""

    inserts_under_lock: bool = True
    """Whether INSERT ... SELECT can keep the rows that it reads from changing until the transaction ends."""

    # Tables
    partial_indexes: PartialIndexes = PartialIndexes.NONE
    indexes_endless_texts: bool = False
    """Whether texts and bytes without a length may stand in an index; elsewhere not, or by their beginning alone."""
    fill_factor: str | None = None
    """Leaves place in each page of a table; takes %(fullname)s, as SQLAlchemy's DDL does, and {percent}."""
    builds_indexes_beside: bool = False
    """Whether an index can be built without a lock that writes wait for; others do so by themselves, or are quick."""
    needs_statistics: bool = False
    """Whether the planner takes a new table for empty until somebody has its statistics taken."""
    has_materialized_views: bool = False
    views_take_updates: bool = True
    touches_timestamps: bool = False
    """Whether an UPDATE may set a column that it does not name (ON UPDATE CURRENT_TIMESTAMP)."""
    notifies: bool = False
    """Whether a trigger can tell a waiting session of a change."""


SQLITE = Engine(
    name="sqlite",
    family=Family.SQLITE,
    driver=None,
    extra=None,
    is_server=False,
    keys_per_lookup=5_000,  # it takes 32,766 parameters in a statement
    clock_query="SELECT strftime('%Y-%m-%d %H:%M:%f', 'now')",
    read_only_settings=("PRAGMA query_only = ON",),
    values_have_types=True,
    reads_hex=False,  # unhex() came with version 3.41
    exact_collation="BINARY",
    partial_indexes=PartialIndexes.ANY,
    indexes_endless_texts=True,
    views_take_updates=False,
)
POSTGRESQL = Engine(
    name="postgresql",
    family=Family.POSTGRESQL,
    driver="psycopg",
    extra="postgres",
    other_names=("postgres",),
    encoding_option=("client_encoding", "utf8"),
    tls_options="?sslmode=verify-full&sslrootcert=FILE, or ?sslmode=require, which does not check the server",
    keys_per_lookup=5_000,  # it takes 65,535 parameters in a statement
    clock_query="SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')",
    pinned_settings=(
        "TIME ZONE 'UTC'",
        "datestyle = 'ISO, YMD'",
        "intervalstyle = 'postgres'",
        "extra_float_digits = 3",
        "bytea_output = 'hex'",
        "array_nulls = on",
    ),
    read_only_settings=(f"lock_timeout = '{BUSY_SECONDS}s'",),
    write_limits=(f"lock_timeout = '{LOCK_SECONDS}s'", f"idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'"),
    sets_per_transaction=True,
    statement_time_limit="statement_timeout = {milliseconds}",
    index_scan_setting="enable_seqscan = off",
    has_booleans=True,
    pads_texts=True,
    exact_collation="C",
    partial_indexes=PartialIndexes.ANY,
    indexes_endless_texts=True,
    fill_factor="ALTER TABLE %(fullname)s SET (fillfactor = {percent})",
    builds_indexes_beside=True,
    needs_statistics=True,
    has_materialized_views=True,
    notifies=True,
)
_CHANGING_MODES = (
    *("NO_ZERO_IN_DATE", "NO_ZERO_DATE", "TRADITIONAL", "PAD_CHAR_TO_FULL_LENGTH", "EMPTY_STRING_IS_NULL"),
    "ORACLE",
)
"""Modes under which MySQL and MariaDB take a date that a table holds for NULL, write a text otherwise, or read SQL as
another database does."""

_DATES_AS_THEY_STAND = reduce(lambda mode, name: f"REPLACE({mode}, '{name}', '')", _CHANGING_MODES, "@@sql_mode")
_DATES_AS_THEY_STAND = f"CONCAT({_DATES_AS_THEY_STAND}, ',ALLOW_INVALID_DATES')"

MYSQL = Engine(
    name="mysql",
    family=Family.MYSQL,
    driver="pymysql",
    extra="mysql",
    encoding_option=("charset", "utf8mb4"),
    tls_options="?ssl_ca=FILE, or ?ssl_verify_cert=true&ssl_verify_identity=true with the system's authorities",
    keys_per_lookup=5_000,
    clock_query="SELECT CAST(UTC_TIMESTAMP(6) AS CHAR)",
    pinned_settings=(f"SET SESSION time_zone = '+00:00', max_sort_length = 4096, sql_mode = {_DATES_AS_THEY_STAND}",),
    read_only_settings=("SET SESSION TRANSACTION READ ONLY", f"SET SESSION lock_wait_timeout = {BUSY_SECONDS}"),
    write_limits=(f"SET SESSION lock_wait_timeout = {LOCK_SECONDS}, innodb_lock_wait_timeout = {LOCK_SECONDS}",),
    reads_in_autocommit=True,
    statement_time_limit="SET SESSION max_execution_time = {milliseconds}",
    exact_collation="utf8mb4_0900_bin",
    touches_timestamps=True,
)
MARIADB = replace(
    MYSQL,
    name="mariadb",
    statement_time_limit="SET SESSION max_statement_time = {seconds}",
    exact_collation="utf8mb4_nopad_bin",
)
SQL_SERVER = Engine(
    name="mssql",
    family=Family.SQL_SERVER,
    driver="pymssql",
    extra="mssql",
    tls_options="?encryption=require",
    clock_query="SELECT CONVERT(VARCHAR(26), CAST(SYSUTCDATETIME() AS DATETIME2(6)), 121)",
    pinned_settings=("SET DATEFORMAT ymd",),
    pads_texts=True,
    keys_as_bytes=True,
    inserts_under_lock=False,
    partial_indexes=PartialIndexes.PLAIN,
)
ORACLE = Engine(
    name="oracle",
    family=Family.ORACLE,
    driver="oracledb",
    extra="oracle",
    clock_query="SELECT TO_CHAR(SYS_EXTRACT_UTC(SYSTIMESTAMP), 'YYYY-MM-DD HH24:MI:SS.FF6') FROM dual",
    pinned_settings=("ALTER SESSION SET TIME_ZONE = '+00:00'", "ALTER SESSION SET NLS_NUMERIC_CHARACTERS = '.,'"),
    pads_texts=True,
    inserts_under_lock=False,
)

ENGINES = (SQLITE, POSTGRESQL, MYSQL, MARIADB, SQL_SERVER, ORACLE)
SUPPORTED = tuple(engine.name for engine in ENGINES)
"""Their names, for people."""

_BY_NAME = {name: engine for engine in ENGINES for name in (engine.name, *engine.other_names)}


def find_engine(name: str) -> Engine | None:
    """The engine that a URL or a dialect names; None where we know none of that name."""
    return _BY_NAME.get(name)


def engine_of(dialect: Dialect) -> Engine:
    """The engine that a dialect is for. A MySQL URL may lead to MariaDB all the same: see `server_of`.

    Raises:
        DatabaseError: it is none of ours.
    """
    engine = find_engine(dialect.name)
    if engine is None:
        raise unsupported(dialect.name)
    return engine


def server_of(dialect: Dialect) -> Engine:
    """The engine that was met; before the first connection the one that the URL names."""
    return MARIADB if getattr(dialect, "is_mariadb", False) else engine_of(dialect)


def server_behind(engine: Engine, dbapi_connection: Any) -> Engine:
    """The engine that a new connection has met, before SQLAlchemy has asked for its version."""
    if engine is MYSQL and "MariaDB" in dbapi_connection.get_server_info():
        return MARIADB
    return engine


def unsupported(name: str) -> DatabaseError:
    """The error of an engine that we do not know."""
    return DatabaseError(f"the engine {name!r} is not supported; supported are {', '.join(SUPPORTED)}")
