"""CHAR columns: the blanks that databases pad them with are read nowhere, be it in records, lines or contents."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from unittest import mock

import msgspec
import pytest
import sqlalchemy as sa
from made_up_tables import contents, lines
from small_shop import Output, Shop
from test_windows import acked

from sync_databases import reflection
from sync_ledger.content_forms import ContentForm
from sync_ledger.stream_contract import OTHER_CONTENT, SAME_CONTENT

BOTH_WAYS = [pytest.param(True, id="by the database"), pytest.param(False, id="by the tap")]
LINES = {"table": "order_lines", "parent_key": "order_id"}
WINDOW = {"lookback_seconds": 86_400 * 3_650}
BEFORE = {"code": "abc", "letter": "", "word": "as it is  "}


@pytest.fixture
def shop(engine_url: str) -> Iterator[Shop]:
    """Orders and lines with texts of fixed length, and one of any length."""
    with Shop.opened(engine_url) as shop:
        more = "code CHAR(10), letter NCHAR(3) NOT NULL DEFAULT '', word VARCHAR(20)"
        for definition in more.split(", "):
            shop.sql(f"ALTER TABLE orders ADD COLUMN {definition}")
        shop.sql(f"CREATE TABLE order_lines (line_no INTEGER PRIMARY KEY, order_id INTEGER, {more})")
        yield shop


def put(shop: Shop, number: int, **values: Any) -> None:
    """Insert or change an order and its one line, under the same version."""
    row = {"n": number, "u": "2024-03-01 12:00:00", **BEFORE, **values}
    for statement in (
        "DELETE FROM orders WHERE id = :n",
        "DELETE FROM order_lines WHERE line_no = :n",
        "INSERT INTO orders VALUES (:n, 'é', :u, :code, :letter, :word)",
        "INSERT INTO order_lines VALUES (:n, :n, :code, :letter, :word)",
    ):
        shop.sql(statement, row)


def texts(record: dict[str, Any]) -> dict[str, Any]:
    return {name: record[name] for name in BEFORE}


def read(shop: Shop, *, rendered: bool, **config: Any) -> list[dict[str, Any]]:
    written, by_database = lines(shop.url, rendered=rendered, **config)
    assert by_database is (rendered and shop.engine.dialect.name != "sqlite")
    return [json.loads(line)["record"] for line in written.splitlines()]


@pytest.mark.parametrize("rendered", BOTH_WAYS)
def test_a_text_of_fixed_length_is_read_without_its_padding(shop: Shop, rendered: bool) -> None:  # noqa: FBT001
    put(shop, 1)
    put(shop, 2, code="  é\t  ", letter="x y", word="")
    put(shop, 3, code=None)
    records = read(shop, rendered=rendered, lines=LINES)
    kept = {"sqlite": "  é\t  "}.get(shop.engine.dialect.name, "  é\t")  # SQLite pads nothing
    expected = [BEFORE, {"code": kept, "letter": "x y", "word": ""}, BEFORE | {"code": None}]
    assert list(map(texts, records)) == expected
    assert [texts(line) for record in records for line in record["lines"]] == expected


def test_both_ways_write_it_alike_and_have_one_content_of_it(shop: Shop) -> None:
    put(shop, 1)
    put(shop, 2, code=" x", letter="é")
    written = [lines(shop.url, rendered=rendered, lines=LINES)[0] for rendered in (True, False)]
    assert written[0] == written[1]
    ways = [contents(shop.url, rendered=each, page_size=5, lines=LINES) for each in (True, False)]
    assert ways[0] == ways[1]
    assert all(ways[0].values())


@pytest.mark.parametrize("rendered", BOTH_WAYS)
def test_a_domain_and_a_text_that_only_postgresql_knows_are_trimmed_too(
    postgresql_url: str,
    rendered: bool,  # noqa: FBT001
) -> None:
    with Shop.opened(postgresql_url) as shop:
        shop.sql("CREATE DOMAIN code AS CHAR(5)")
        shop.sql("CREATE DOMAIN country AS code")
        shop.sql("ALTER TABLE orders ADD COLUMN code code, ADD COLUMN country country, ADD COLUMN free bpchar")
        shop.sql("INSERT INTO orders VALUES (1, '', '2024-03-01', 'a', 'b', 'c  ')")
        (record,) = read(shop, rendered=rendered)
    assert (record["code"], record["country"], record["free"]) == ("a", "b", "c")


def test_a_key_that_is_padded_keeps_its_text(shop: Shop) -> None:
    put(shop, 1)
    record = shop.run(key_column="code").records[0]
    assert (record["_sync_key"], record["code"]) == ("abc", "abc")


def padding_read(shop: Shop, state: dict[str, Any] | None = None, **config: Any) -> Output:
    """A run that takes the padding for a part of the values."""
    with mock.patch.object(reflection, "padded_length", return_value=None):
        return shop.run(state, **config)


def remember_form(shop: Shop, output: Output) -> None:
    """Note what the contents of a run are made of, as the target does."""
    schema = next(message for message in output.messages if message["type"] == "SCHEMA")["schema"]
    form = ContentForm(**schema["x-sync-content"])
    described = {"form": form.id, "described": msgspec.json.encode(form).decode()}
    with shop.ledger.begin() as connection:
        connection.execute(sa.insert(shop.ledger.tables.content_form), described)


def marks(output: Output) -> dict[str, str]:
    return {record["_sync_key"]: record["_sync_content"][32:] for record in output.records}


@pytest.mark.parametrize("lines_too", [False, True])
def test_a_ledger_that_knows_padded_contents_has_no_order_sent_again(shop: Shop, lines_too: bool) -> None:  # noqa: FBT001
    further = WINDOW | ({"lines": LINES} if lines_too else {})
    for number in (1, 2, 3):
        put(shop, number, letter="é")
    put(shop, 4, code=None)
    first = padding_read(shop, **further)
    acked(shop, first)
    remember_form(shop, first)
    put(shop, 2, code="abd", letter="é")
    put(shop, 3, code="abc", letter="e")
    second = shop.run(first.state, **further)
    noted = {} if shop.engine.dialect.name != "postgresql" else {"1": SAME_CONTENT, "4": SAME_CONTENT}
    assert marks(second) == {"2": OTHER_CONTENT, "3": OTHER_CONTENT, **noted}
    acked(shop, second)
    assert shop.run(second.state, **further).keys == []


def test_a_longer_column_of_the_same_texts_changes_no_order(shop: Shop) -> None:
    if shop.engine.dialect.name == "sqlite":
        pytest.skip("SQLite pads nothing")
    put(shop, 1)
    first = shop.run(lines=LINES, **WINDOW)
    acked(shop, first)
    change = "ALTER COLUMN code TYPE CHAR(20)" if shop.engine.dialect.name == "postgresql" else "MODIFY code CHAR(20)"
    for table in ("orders", "order_lines"):
        shop.sql(f"ALTER TABLE {table} {change}")
    assert shop.run(first.state, lines=LINES, **WINDOW).keys == []
