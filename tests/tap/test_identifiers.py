"""Names that a user gives to tables, columns and schemas are quoted on every engine; they are no SQL."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import sqlalchemy as sa
from small_shop import run

from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus

TABLE = "or'd\"ers; DROP TABLE witness; --"
LINES = 'li`nes"; --'
KEY = "id\"; DROP TABLE witness; -- '"
UPDATED = 'updated"at %s'
SELECT = "select"
STREAM = "st'ream\"; DROP TABLE witness; --"
NOTE = 'it\'s `new` "now"; \\ --'
"""Such a column's name goes into a record, and its text into none of the statements."""


@pytest.fixture
def odd(engine_url: str) -> Iterator[sa.Engine]:
    """A table whose every name ends a statement where it is not quoted, and a table that must live on."""
    engine = sa.create_engine(engine_url)
    metadata = sa.MetaData()
    kind = sa.DateTime()
    orders = sa.Table(
        TABLE,
        metadata,
        sa.Column(KEY, sa.String(20), primary_key=True),
        sa.Column(UPDATED, kind),
        sa.Column(SELECT, sa.String(20)),
        sa.Column(NOTE, sa.String(20)),
    )
    lines = sa.Table(
        LINES, metadata, sa.Column("line; --", sa.Integer, primary_key=True), sa.Column(KEY, sa.String(20))
    )
    witness = sa.Table("witness", metadata, sa.Column("id", sa.Integer))
    metadata.create_all(engine)
    with engine.begin() as connection:
        moment = sa.func.current_timestamp()
        for key in ("A'1", 'B"2; --'):
            row = {KEY: key, SELECT: "x", NOTE: "y"}
            connection.execute(sa.insert(orders).values({orders.c[name]: value for name, value in row.items()}))
        connection.execute(sa.update(orders).values({orders.c[UPDATED]: moment}))
        connection.execute(sa.insert(lines).values({lines.c[0]: 1, lines.c[1]: "A'1"}))
    yield engine
    assert sa.inspect(engine).has_table(witness.name)
    engine.dispose()


def config(engine: sa.Engine, **more: object) -> dict[str, object]:
    url = engine.url.render_as_string(hide_password=False)
    return {
        "sqlalchemy_url": url,
        "orders_table": TABLE,
        "stream_name": STREAM,
        "replication_key": UPDATED,
        "version_column": NOTE,
        "settle_seconds": 0,
        "lookback_seconds": 0,
        **more,
    }


def test_names_that_would_end_a_statement_are_read_as_names(odd: sa.Engine) -> None:
    output = run(config(odd, lines={"table": LINES, "parent_key": KEY}, find_deleted=True))
    assert sorted(output.keys) == ["A'1", 'B"2; --']
    by_key = {record["_sync_key"]: record for record in output.records}
    assert by_key["A'1"][NOTE] == "y"
    assert by_key["A'1"][SELECT] == "x"
    assert [line["line; --"] for line in by_key["A'1"]["lines"]] == [1]


def test_a_streams_name_in_the_ledger_is_a_value(odd: sa.Engine) -> None:
    ledger = Ledger.open(odd.url.render_as_string(hide_password=False))
    ledger.ensure_tables()
    output = run(config(odd))
    with ledger.begin() as connection:
        now = ledger.now(connection)
        acks = [
            Ack(STREAM, key, version, AckStatus.SYNCED, now, content_form="x")
            for key, version in output.versions.items()
        ]
        write_acks(connection, ledger.tables.ack, Acks.of(acks))
        common = {"stream": STREAM, "status": AckStatus.SYNCED, "acked_at": now, "content_form": "x"}
        columns = {"record_key": list(output.versions), "version": list(output.versions.values())}
        write_acks(connection, ledger.tables.ack, Acks(common, columns))
    ledger.close()
    assert run(config(odd)).keys == []
    state = {"bookmarks": {STREAM: {"replication_key_value": output.bookmark(STREAM)}}}
    assert run(config(odd), state).keys == []


@pytest.mark.parametrize("name", ["nosuch; DROP TABLE witness; --", 'witness"; --', "x' OR '1'='1"])
def test_a_name_that_is_not_there_is_an_error_and_no_statement(odd: sa.Engine, name: str) -> None:
    for setting in ("orders_table", "key_column", "replication_key", "version_column"):
        with pytest.raises(Exception, match=setting):
            run(config(odd, **{setting: name}))
    with pytest.raises(Exception, match="columns"):
        run(config(odd, columns=[name]))


def test_a_column_whose_name_mariadb_quotes_is_read(mariadb_url: str) -> None:
    """SQLAlchemy gives such a name with two backticks; nothing of it is run."""
    engine = sa.create_engine(mariadb_url)
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE witness (id integer)")
        connection.exec_driver_sql(
            "CREATE TABLE orders (id integer primary key, `at``; DROP TABLE witness; --` datetime)"
        )
        connection.exec_driver_sql("INSERT INTO orders VALUES (7, '2026-01-01 00:00:00')")
    name = "at`; DROP TABLE witness; --"
    output = run({"sqlalchemy_url": mariadb_url, "orders_table": "orders", "replication_key": name})
    assert [record[name] for record in output.records] == ["2026-01-01T00:00:00+00:00"]
    assert sa.inspect(engine).has_table("witness")
    engine.dispose()


def test_a_ledgers_schema_is_quoted(postgresql_url: str) -> None:
    schema = 'le"dger; DROP TABLE witness; --'
    engine = sa.create_engine(postgresql_url)
    with engine.begin() as connection:
        connection.execute(sa.schema.CreateSchema(schema))
        connection.exec_driver_sql("CREATE TABLE witness (id integer)")
        connection.exec_driver_sql("CREATE TABLE orders (id integer primary key, updated_at timestamp)")
        connection.exec_driver_sql("INSERT INTO orders VALUES (1, '2024-03-01 12:00:00')")
    settings = {"sqlalchemy_url": postgresql_url, "orders_table": "public.orders", "ack_schema": schema}
    assert run(settings).keys == ["1"]
    ledger = Ledger.open(postgresql_url, schema)
    ledger.ensure_tables()
    ledger.close()
    assert sa.inspect(engine).has_table("zoho_sync_ack", schema)
    assert run(settings).keys == ["1"]
    assert sa.inspect(engine).has_table("witness")
    engine.dispose()
