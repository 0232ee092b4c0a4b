"""One place names the engines: what a new one lacks is said by name, and nobody else compares names."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from sync_databases.columns import Kind, kind_of
from sync_databases.database_errors import DatabaseError
from sync_databases.drivers import create_engine, database_url
from sync_databases.engines import (
    ENGINES,
    MARIADB,
    SUPPORTED,
    Engine,
    Family,
    PartialIndexes,
    engine_of,
    find_engine,
    server_of,
)
from sync_databases.exact_text import ExactText, exact_key
from sync_databases.table_types import any_text_type, blob_type, long_text_type, timestamp_type
from sync_databases.value_sql import value_sql_for
from sync_databases.writable_database import writable_engine
from sync_ledger.tables import ledger_tables

ROOT = Path(__file__).parents[2]
PRODUCT = ("sync_processes", "sync_ledger", "tap_legacy_orders", "target_zoho_crm", "orders_sync")
NAMES = frozenset(name for engine in ENGINES for name in (engine.name, *engine.other_names))


def dialect_of(engine: Engine) -> sa.Dialect:
    """Made without a connection and, where a driver is not installed, without the driver."""
    return sa.make_url(f"{engine.name}://").get_dialect()()


def sources() -> Iterator[Path]:
    return (path for package in PRODUCT for path in sorted((ROOT / package).rglob("*.py")))


def named_engines(path: Path) -> list[str]:
    """Where a file asks for an engine by its name, as `line: what`."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and node.value in NAMES:
            found.append(f"{node.lineno}: {node.value!r}")
        if (
            isinstance(node, ast.Attribute)
            and node.attr in {"name", "driver"}
            and ast.unparse(node.value).endswith("dialect")
        ):
            found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


def test_nobody_else_asks_for_an_engine_by_name() -> None:
    found = {path.name: found for path in sources() if (found := named_engines(path))}
    found.pop("meltano_answer.py")  # of Meltano's own database, by Meltano's own Python, which has nothing of ours
    assert found == {}


@pytest.mark.parametrize("text", ['x = "mariadb"', "connection.dialect.name", "engine.dialect.driver"])
def test_an_engine_asked_for_by_name_is_found(tmp_path: Path, text: str) -> None:
    path = tmp_path / "file.py"
    path.write_text(text, encoding="utf-8")
    assert len(named_engines(path)) == 1


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_each_engine_has_all_that_tap_and_ledger_need(engine: Engine) -> None:
    dialect = dialect_of(engine)
    assert engine_of(dialect) is engine
    assert value_sql_for(dialect).engine is engine
    assert kind_of(sa.Integer(), engine) is Kind.INTEGER
    made = (timestamp_type(engine), blob_type(engine), long_text_type(engine), any_text_type(engine, 10), ExactText(10))
    assert all(each.compile(dialect=dialect) for each in made)
    for table in ledger_tables(engine).metadata.sorted_tables:
        assert table.name in str(sa.schema.CreateTable(table).compile(dialect=dialect))
    assert exact_key(sa.column("key"), dialect).compile(dialect=dialect)
    if engine.statement_time_limit is not None:
        assert re.fullmatch(
            r"(SET )?.*= \d+(\.\d+)?", engine.statement_time_limit.format(seconds=1.5, milliseconds=1500)
        )


@pytest.mark.parametrize("engine", ENGINES, ids=lambda engine: engine.name)
def test_a_url_without_a_driver_gets_the_one_that_its_extra_installs(engine: Engine) -> None:
    extras = dict(re.findall(r'^(\w+) = \["(\w+)', (ROOT / "pyproject.toml").read_text(encoding="utf-8"), re.MULTILINE))
    for name in (engine.name, *engine.other_names):
        driver = database_url(f"{name}://").get_driver_name()
        if engine.driver is None or engine.extra is None:
            assert (engine.extra, find_engine(name)) == (None, engine)
        else:
            assert driver == engine.driver
            assert extras[engine.extra] == driver
    assert database_url(f"{engine.name}+other://").get_driver_name() == "other"


def test_every_family_is_some_engines() -> None:
    assert {engine.family for engine in ENGINES} == set(Family)
    assert len(NAMES) == sum(1 + len(engine.other_names) for engine in ENGINES)
    assert {engine.family for engine in ENGINES if engine.partial_indexes is PartialIndexes.ANY} == {
        Family.SQLITE,
        Family.POSTGRESQL,
    }


def test_an_engine_that_is_none_of_ours_is_refused_by_name() -> None:
    class Dialect:
        name = "dusty"

    with pytest.raises(DatabaseError, match=rf"^the engine 'dusty' is not supported; supported are {SUPPORTED[0]}, "):
        engine_of(Dialect())  # type: ignore[arg-type]
    with pytest.raises(DatabaseError, match=r"^no database engine is called 'dusty'$"):
        writable_engine("dusty://host/database")


def test_a_driver_that_is_not_installed_is_named_with_its_extra() -> None:
    with pytest.raises(
        DatabaseError, match=r"^the driver for mysql is not installed; run: pip install 'orders-sync\[mysql\]'$"
    ):
        create_engine(sa.make_url("mysql+cymysql://"))


def test_mariadb_behind_a_mysql_url_is_known_once_it_was_met(mariadb_url: str) -> None:
    engine = sa.create_engine(sa.make_url(mariadb_url).set(drivername="mysql+pymysql"))
    assert server_of(engine.dialect).name == "mysql"
    with engine.connect():
        assert server_of(engine.dialect) is MARIADB
        assert engine_of(engine.dialect).name == "mysql"
    engine.dispose()
