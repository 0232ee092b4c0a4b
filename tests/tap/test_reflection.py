"""Tables and columns of kinds that nobody expects are found, read or left out, and no library complains of them."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest
import sqlalchemy as sa
from pair_of_plugins import BIN
from small_shop import run


def config(url: str, table: str = "orders") -> dict[str, object]:
    return {"sqlalchemy_url": url, "orders_table": table, "settle_seconds": 0}


def test_a_spatial_column_costs_no_order_and_no_warning_of_a_library(engine_url: str, tmp_path: Path) -> None:
    engine = sa.create_engine(engine_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "CREATE TABLE orders (id INT PRIMARY KEY, updated_at TIMESTAMP NOT NULL, place POINT, note VARCHAR(20))"
        )
        connection.exec_driver_sql("INSERT INTO orders (id, updated_at, note) VALUES (1, '2026-01-01 00:00:00', 'a')")
        place = "'(1,2)'" if engine.dialect.name != "mysql" else "ST_GeomFromText('POINT(1 2)')"
        connection.exec_driver_sql(f"INSERT INTO orders VALUES (2, '2026-01-02 00:00:00', {place}, 'b')")
    engine.dispose()
    settings = tmp_path / "tap.json"
    settings.write_text(json.dumps(config(engine_url)), encoding="utf-8")
    ended = subprocess.run(
        [BIN / "tap-legacy-orders", "--config", settings], capture_output=True, text=True, check=False
    )
    assert '"note":"a"' in ended.stdout
    assert ('"place":"(1,2)"' in ended.stdout) != ('"place":"POINT(1 2)"' in ended.stdout)
    assert "Warning" not in ended.stderr
    assert ended.returncode == 0


def test_a_foreign_table_is_a_table(postgresql_url: str) -> None:
    url = sa.make_url(postgresql_url)
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        where = f"host '{url.host or url.query['host']}', port '{url.port or 5432}', dbname '{url.database}'"
        for statement in (
            "CREATE TABLE kept (id INT PRIMARY KEY, updated_at TIMESTAMP NOT NULL)",
            "INSERT INTO kept VALUES (7, '2026-01-01')",
            "CREATE EXTENSION IF NOT EXISTS postgres_fdw",
            f"CREATE SERVER there FOREIGN DATA WRAPPER postgres_fdw OPTIONS ({where})",
            f"CREATE USER MAPPING FOR CURRENT_USER SERVER there OPTIONS (user '{url.username}')",
            "CREATE FOREIGN TABLE orders (id INT, updated_at TIMESTAMP) SERVER there OPTIONS (table_name 'kept')",
        ):
            try:
                connection.exec_driver_sql(statement)
            except sa.exc.NotSupportedError as error:
                pytest.skip(f"this PostgreSQL has no postgres_fdw: {error.orig}")
    try:
        assert run({**config(postgresql_url), "key_column": "id"}).keys == ["7"]
    finally:
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP EXTENSION postgres_fdw CASCADE")
        engine.dispose()
