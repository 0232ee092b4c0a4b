"""Composite keys: one text, reversible, the same in SQL and in Python; rows that no key identifies."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_shop import LONG_AGO, Shop, run

from sync_databases.keys import join_key, split_key
from sync_ledger.tables import AckStatus

AWKWARD = ["", "|", "\\", "a|b", "a\\", "\\|", "é ", "A", "x" * 100]


@given(st.lists(st.one_of(st.sampled_from(AWKWARD), st.text()), min_size=2, max_size=4))
def test_a_joined_key_gives_its_parts_back(parts: list[str]) -> None:
    assert split_key(join_key(parts), len(parts)) == tuple(parts)


@given(st.text())
def test_a_single_column_is_its_own_key(text: str) -> None:
    assert join_key([text]) == text
    assert split_key(text, 1) == (text,)


@pytest.mark.parametrize("text", ["a", "a\\", "a|b|c", "a\\|b"])
def test_what_is_no_joined_key_is_told_apart(text: str) -> None:
    assert split_key(text, 2) is None


def test_sql_joins_keys_as_python_does_and_pages_run_through_them(shop: Shop) -> None:
    shop.sql("DROP TABLE orders")
    binary = " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" if "mysql" in shop.url else ""
    shop.sql(
        f"CREATE TABLE orders (region VARCHAR(120){binary}, number INTEGER, updated_at TIMESTAMP NOT NULL,"
        " PRIMARY KEY (region, number))"
    )
    rows = [{"r": region, "n": number} for region in AWKWARD for number in (-1, 20)]
    shop.sql("INSERT INTO orders VALUES (:r, :n, '2024-01-01 00:00:00')", *rows)
    expected = sorted(join_key([row["r"], str(row["n"])]) for row in rows)
    for size in (1, 5, 100):
        assert sorted(shop.run(page_size=size).keys) == expected
    first = shop.run()
    shop.ack_all(first)
    assert shop.run().keys == []
    for key in expected[:4]:
        shop.ack(key, first.versions[key], AckStatus.REJECTED, due=LONG_AGO)
    assert sorted(shop.run(first.state).keys) == expected[:4]


def test_keys_differing_only_in_case_or_blanks_are_different_orders(shop: Shop) -> None:
    shop.sql("DROP TABLE orders")
    binary = " CHARACTER SET utf8mb4 COLLATE utf8mb4_nopad_bin" if "mysql" in shop.url else ""
    shop.sql(f"CREATE TABLE orders (code VARCHAR(20){binary} PRIMARY KEY, updated_at TIMESTAMP NOT NULL)")
    shop.sql("INSERT INTO orders VALUES (:c, '2024-01-01 00:00:00')", *({"c": c} for c in ("A1", "a1", "A1 ")))
    first = shop.run()
    shop.ack("a1", first.versions["a1"])
    assert sorted(shop.run().keys) == ["A1", "A1 "]


def test_a_due_retry_finds_its_order_under_a_collation_that_folds_case(mariadb_url: str) -> None:
    with Shop.opened(mariadb_url) as shop:
        shop.sql("DROP TABLE orders")
        shop.sql("CREATE TABLE orders (code VARCHAR(20) PRIMARY KEY, updated_at TIMESTAMP NOT NULL)")
        shop.sql("INSERT INTO orders VALUES ('a1', '2024-01-01 00:00:00')")
        first = shop.run()
        shop.ack("a1", first.versions["a1"])
        shop.ack("A1", "gone", AckStatus.REJECTED, due=LONG_AGO)
        assert shop.run().keys == []


def test_a_retry_whose_key_fits_the_column_no_more_stops_nothing(shop: Shop) -> None:
    shop.put((1, 1))
    for key in ("one", "1|2", "99999999999999999999999", "1.5"):
        shop.ack(key, "v", AckStatus.REJECTED, due=LONG_AGO)
    assert shop.run().keys == ["1"]


def test_orders_without_a_key_are_counted_aloud_and_the_others_go_out(
    either_shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop = either_shop
    shop.sql("DROP TABLE orders")
    shop.sql("CREATE TABLE orders (code TEXT, updated_at DATETIME NOT NULL)")
    codes = ["a", None, "", "x" * 256, "b", None]
    shop.sql("INSERT INTO orders VALUES (:c, '2024-01-01 00:00:00')", *({"c": code} for code in codes))
    output = run(shop.config | {"key_column": "code", "page_size": 2})
    assert output.keys == ["a", "b"]
    assert "4 orders have no usable key in code" in caplog.text


def test_binary_keys_travel_as_hexadecimal(shop: Shop) -> None:
    shop.sql("DROP TABLE orders")
    kind = {"postgresql": "BYTEA", "mysql": "VARBINARY(16)"}.get(shop.engine.dialect.name, "BLOB")
    shop.sql(f"CREATE TABLE orders (code {kind} PRIMARY KEY, updated_at TIMESTAMP NOT NULL)")
    shop.sql("INSERT INTO orders VALUES (:c, '2024-01-01 00:00:00')", *({"c": bytes([n, 255])} for n in (0, 1, 2)))
    output = shop.run(page_size=1)
    assert output.keys == ["00ff", "01ff", "02ff"]
    shop.ack_all(output)
    shop.ack("01ff", output.versions["01ff"], AckStatus.REJECTED, due=LONG_AGO)
    assert shop.run(output.state).keys == ["01ff"]
