"""A server reads the next page while one is written out; what is sent, and what the next run sends, stays the same."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
import sqlalchemy as sa
from small_shop import Shop

from tap_legacy_orders.pages import Page
from tap_legacy_orders.read_ahead import reading_ahead
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.unsynced_reader import UnsyncedOrders

SECONDS = 300
"""Until a test gives up waiting: for hangs alone."""


class Reading:
    """A run's reading of a shop, page by page, and how many statements have brought pages."""

    def __init__(self, shop: Shop, page_size: int) -> None:
        self._tap = TapLegacyOrders(config=shop.config | {"page_size": page_size})
        self._read = 0
        sa.event.listen(self._tap.engine, "after_cursor_execute", self._note)

    def _note(self, _connection: object, _cursor: object, statement: str, *_: object) -> None:
        self._read += "LIMIT" in statement and "ORDER BY o.updated_at, o.id" in statement

    def pages(self) -> Iterator[Page]:
        columns = self._tap.orders_table.columns
        return UnsyncedOrders(self._tap.orders_source("orders", columns, None)).pages(None)

    def read(self, at_least: int) -> int:
        """How many pages were read; waits for so many."""
        ends = time.monotonic() + SECONDS
        while self._read < at_least and time.monotonic() < ends:
            time.sleep(0.01)
        return self._read

    def close(self) -> None:
        self._tap.engine.dispose()


def test_a_server_reads_one_page_ahead_and_sqlite_none(engine_url: str) -> None:
    with Shop.opened(engine_url) as shop:
        shop.put(*((number, number) for number in range(1, 8)))
        ahead = 0 if shop.engine.dialect.name == "sqlite" else 1
        with closing(Reading(shop, page_size=2)) as reading:
            pages = enumerate(reading.pages(), 1)
            counts = [(page.columns[0], reading.read(min(number + ahead, 4))) for number, page in pages]
    assert counts == [((1, 2), 1 + ahead), ((3, 4), 2 + ahead), ((5, 6), 3 + ahead), ((7,), 4)]


def test_an_order_changed_after_it_was_read_ahead_goes_in_the_next_run_again(postgresql_url: str) -> None:
    with Shop.opened(postgresql_url) as shop:
        shop.put((1, 1), (2, 2), (3, 3), (4, 4))
        with closing(Reading(shop, page_size=2)) as reading:
            pages = reading.pages()
            sent = [next(pages)]
            assert reading.read(2) == 2
            shop.put((3, 50))
            sent += pages
        assert [page.columns[0] for page in sent] == [(1, 2), (3, 4), ()]
        for page in sent:
            for key, version in zip(*page.columns[page.key_at :], strict=True):
                shop.ack(key, version)
        bookmark = sent[-1].bookmark
        assert bookmark is not None
        assert bookmark < str(shop.moment(50))
        bookmarks = {"orders": {"replication_key": "updated_at", "replication_key_value": bookmark}}
        assert shop.run({"bookmarks": bookmarks}).keys == ["3"]


def test_what_goes_wrong_is_told_when_the_rows_are_wanted() -> None:
    def fetch(_: str) -> list[Any]:
        raise ConnectionError("gone")

    with reading_ahead(fetch, by_server=True) as ask:
        coming = ask("a page")
        with pytest.raises(ConnectionError, match="gone"):
            coming()


def test_nothing_is_read_any_more_once_the_reading_was_left() -> None:
    began, go_on, over = threading.Event(), threading.Event(), threading.Event()

    def fetch(_: str) -> None:
        began.set()
        assert go_on.wait(SECONDS)
        over.set()

    def leave() -> None:
        with reading_ahead(fetch, by_server=True) as ask:
            ask("a page that nobody waits for")
            assert began.wait(SECONDS)

    leaving = threading.Thread(target=leave)
    leaving.start()
    assert began.wait(SECONDS)
    assert leaving.is_alive()
    go_on.set()
    leaving.join(SECONDS)
    assert over.is_set()


def test_a_value_that_cannot_be_written_as_json_is_met_on_a_page_read_ahead(postgresql_url: str) -> None:
    with Shop.opened(postgresql_url) as shop:
        shop.sql("ALTER TABLE orders ADD COLUMN paid NUMERIC(12, 2)")
        rows = [{"i": number, "u": shop.moment(number), "p": number} for number in range(1, 7)]
        shop.sql("INSERT INTO orders VALUES (:i, 'x', :u, :p)", *rows)
        shop.sql("UPDATE orders SET paid = 'NaN' WHERE id = 3")
        paid = [record["paid"] for record in shop.run(page_size=2).records]
    assert paid == [1, 2, None, 4, 5, 6]
