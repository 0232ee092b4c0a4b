"""Database URLs that cannot work are refused before a connection, in one line without any part of a password."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from sync_databases.database_errors import DatabaseError
from sync_databases.drivers import create_engine, database_url
from sync_databases.url_options import tls_hint


def _objection(url: str) -> str:
    with pytest.raises(DatabaseError) as refused:
        create_engine(database_url(url))
    return str(refused.value)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://clerk:se@cret@db.example:5432/shop",
        "postgresql://clerk:se@cr/et@db.example/shop",
        "mysql://clerk:se@cr:et@db.example/shop",
        "mysql://clerk:se@cr?et@db.example/shop",
        "mssql://clerk:@secret@db.example/shop",
        "oracle://clerk@se@cret/shop",
    ],
)
def test_a_password_with_an_at_sign_of_its_own_is_refused_and_no_part_of_it_is_repeated(url: str) -> None:
    objection = _objection(url)
    assert "URL" in objection
    assert not [part for part in ("se@", "cret", "cr", "et@", "clerk") if part in objection]


@pytest.mark.parametrize(
    ("url", "named"),
    [
        ("postgresql://db.example/shop?ssl=true", "sslmode=verify-full"),
        ("postgresql://db.example/shop?tls=true", "sslmode=verify-full"),
        ("mysql://db.example/shop?ssl=true", "ssl_ca=FILE"),
        ("mysql://db.example/shop?ssl_mode=REQUIRED", "ssl_ca=FILE"),
        ("mariadb://db.example/shop?sslmode=require", "ssl_ca=FILE"),
        ("mssql://db.example/shop?encrypt=yes", "encryption=require"),
    ],
)
def test_an_option_for_tls_of_another_driver_is_answered_with_this_drivers(url: str, named: str) -> None:
    assert named in _objection(url)


@pytest.mark.parametrize("option", ["cursorclass", "conv", "defer_connect"])
def test_an_option_that_no_url_can_hold_is_named(option: str) -> None:
    assert f"?{option}=" in _objection(f"mysql://db.example/shop?{option}=1")


@pytest.mark.parametrize("engine", ["postgresql", "mysql", "mssql", "oracle"])
def test_an_unknown_option_is_named_and_nothing_is_said_of_tls(engine: str) -> None:
    objection = _objection(f"{engine}://db.example/shop?colour=red")
    assert "?colour=" in objection
    assert "TLS" not in objection


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user@tenant:secret@db.example/shop",
        "postgresql:///shop?host=/run/postgresql&options=-c%20a%3Db&connect_timeout=3",
        "postgresql://db.example/shop?sslmode=verify-full&sslrootcert=/a.pem",
        "mysql://clerk:se%40cret@db.example/shop?charset=utf8mb4&ssl_ca=/a.pem&read_timeout=5",
        "mysql://db.example/shop?unix_socket=/run/mysql.sock&ssl_check_hostname=false",
        "mariadb://db.example/shop?ssl_verify_cert=true&ssl_verify_identity=true",
        "mssql://clerk:secret@db.example/shop?charset=cp1252&tds_version=7.4",
        "oracle://clerk:secret@db.example/?service_name=shop",
        "sqlite:////tmp/a@b@c.db?timeout=5",
    ],
)
def test_urls_that_work_are_taken(url: str) -> None:
    create_engine(database_url(url)).dispose()


def test_a_driver_that_fails_on_a_value_is_no_traceback() -> None:
    engine = create_engine(database_url("mysql://root@127.0.0.1:3306/mysql?auth_plugin_map=no"))
    with pytest.raises(DatabaseError, match="pymysql cannot use the options"):
        engine.connect()
    assert "a value that it cannot have" in _objection("sqlite:////tmp/a.db?timeout=soon")


def test_how_to_ask_for_tls_is_said_where_the_trouble_is_tls_alone() -> None:
    url = sa.make_url("postgresql://db.example/shop")
    assert "sslmode" in tls_hint(url, "server does not support SSL, but SSL was required")
    assert not tls_hint(url, "password authentication failed")
