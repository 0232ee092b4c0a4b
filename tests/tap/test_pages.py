"""The law of pages: for each type of each engine, each order is read once and none is left, or its column is refused.

ORDER BY, a page's bound, the way of a value to text and back, and equality agree. `NIGHTLY=all` tries all page sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Self

import pytest
from depth import BY_NIGHT
from engine_fixtures import fresh_database
from page_types import OF_ENGINE, PageType
from small_shop import LONG_AGO, Shop
from walked_pages import Tables, Walk, differs, key_table, position_table

from sync_ledger.tables import AckStatus
from tap_legacy_orders.tap_errors import TapConfigError

PARTITIONS = 3
CASES = [(engine, kind) for engine, kinds in OF_ENGINE.items() for kind in kinds if BY_NIGHT or kind.in_short]


@pytest.fixture(scope="module")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Tables]]:
    """One database of each engine, opened when it is first needed."""
    folder = tmp_path_factory.mktemp("pages")
    with _Databases(folder) as opened:
        yield opened


class _Databases(dict[str, Tables]):
    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._open: list[object] = []

    def __enter__(self) -> Self:
        return self

    def __missing__(self, engine: str) -> Tables:
        database = fresh_database(engine, self._folder)
        tables = Tables.opened(database.__enter__())
        self[engine] = opened = tables.__enter__()
        self._open += [database, tables]
        return opened

    def __exit__(self, *_: object) -> None:
        for each in reversed(self._open):
            each.__exit__(None, None, None)  # type: ignore[attr-defined]


def _sizes(name: str) -> list[int]:
    return list(range(1, 8)) if BY_NIGHT else [1 + len(name) % 3]


KEYS = (["k", "n"], ["k"], ["n", "k"])
KEY_CASES = [
    (engine, kind, key)
    for number, (engine, kind) in enumerate(CASES)
    for key in (KEYS if BY_NIGHT else [KEYS[number % len(KEYS)]])
    if BY_NIGHT or (number % 2 and not kind.ties)
]
"""By day every second type is tried as a key, but those with ties, which are slow; the others as a position."""
POSITION_CASES = [case for number, case in enumerate(CASES) if BY_NIGHT or number % 2 == 0 or case[1].ties]


@pytest.mark.parametrize(
    ("engine", "kind", "key"),
    KEY_CASES,
    ids=[f"{engine}, {kind.name}, {'+'.join(key)}" for engine, kind, key in KEY_CASES],
)
def test_each_order_is_read_once_whatever_its_key_is(
    databases: dict[str, Tables],
    engine: str,
    kind: PageType,
    key: list[str],
    record_property: Callable[[str, object], None],
) -> None:
    tables = databases[engine]
    tables.prepare(kind)
    table = key_table(tables, kind, key)
    if kind.refused:
        with pytest.raises(TapConfigError, match=r"'k' of orders.* is of type .*: name another"):
            Walk(tables, table, key_column=key, replication_key="at")
        return
    with Walk.opened(tables, table, key_column=key, replication_key="at") as walk:
        expected = walk.keys(100)
        assert len(set(expected)) == len(expected) == tables.count(table)
        for size in _sizes(f"{kind.name} {key}"):
            assert differs(walk.keys(size), expected) is None, size
        walk.ack(expected, AckStatus.SYNCED)
        assert walk.keys(3) == []
        walk.ack(expected, AckStatus.REJECTED)
        assert differs(walk.keys(3), expected) is None, "retries"
        walk.ack((), AckStatus.SYNCED)
        _record(record_property, engine, kind, {"pages": walk.pages_read, "retries": len(expected)})
    if BY_NIGHT or (key == ["k", "n"] and len(kind.name) % 4 == 0):
        assert differs(_of_partitions(tables, table, key), expected) is None


def _of_partitions(tables: Tables, table: str, key: list[str]) -> list[str]:
    """The keys that the taps of all partitions read."""
    read = []
    for index in range(1, PARTITIONS + 1):
        part = {"index": index, "of": PARTITIONS}
        with Walk.opened(tables, table, key_column=key, replication_key="at", partition=part) as walk:
            read += walk.keys(2)
    return read


@pytest.mark.parametrize(
    ("engine", "kind"), POSITION_CASES, ids=[f"{engine}, {kind.name}" for engine, kind in POSITION_CASES]
)
def test_each_order_is_read_once_whatever_its_position_is(
    databases: dict[str, Tables], engine: str, kind: PageType, record_property: Callable[[str, object], None]
) -> None:
    tables = databases[engine]
    tables.prepare(kind)
    table = position_table(tables, kind)
    if kind.refused:
        with pytest.raises(TapConfigError, match=r"'at' of orders.* is of type .*: name another"):
            Walk(tables, table, replication_key="at")
        return
    with Walk.opened(tables, table, replication_key="at") as walk:
        expected = [str(number) for number in range(tables.count(table))]
        for size in _sizes(kind.name):
            walk.ack((), AckStatus.SYNCED)
            pages = walk.pages(size)
            assert differs([key for keys, _ in pages for key in keys], expected) is None, size
            # Whatever bookmark a page gave: a run that begins there takes it, and finds what was not read before it.
            read: set[str] = set()
            for number, (keys, bookmark) in enumerate(pages):
                read |= set(keys)
                if bookmark is not None and (BY_NIGHT or number in {len(pages) // 2, len(pages) - 1}):
                    assert read | set(walk.keys(100, walk.since(bookmark))) == set(expected), (size, bookmark)
            walk.ack(expected, AckStatus.SYNCED)
            assert walk.keys(size, walk.since(pages[-1][1])) == []
        walk.ack((), AckStatus.SYNCED)
        followed = walk.follow()
        found = [key for page in followed.full_pass(None) for key in page.columns[page.key_at]]
        assert differs(found, expected) is None
        walk.ack(expected, AckStatus.SYNCED)
        assert [key for page in followed.new_pages() for key in page.columns[page.key_at]] == []
        _record(record_property, engine, kind, {"positions": len(expected), "pages": walk.pages_read})


def _record(
    record_property: Callable[[str, object], None], engine: str, kind: PageType, counts: dict[str, int]
) -> None:
    """Leave what was tried for the counts of `make nightly`."""
    record_property("type", f"{engine}: {kind.name}")
    for name, count in {"values": len(kind.values), **counts}.items():
        record_property(name, count)


def test_orders_of_one_second_are_read_whatever_channel_is_part_of_their_key(mariadb_url: str) -> None:
    with Shop.opened(mariadb_url) as shop:
        shop.sql("DROP TABLE orders")
        shop.sql(
            "CREATE TABLE orders (channel ENUM('web', 'pos'), id INT, updated_at DATETIME NOT NULL,"
            " PRIMARY KEY (channel, id))"
        )
        for channel, count in (("web", 12_000), ("pos", 500)):
            shop.sql(f"INSERT INTO orders SELECT '{channel}', seq, '2024-03-01 10:00:00' FROM seq_1_to_{count}")
        assert len(set(shop.run().keys)) == 12_500


def test_orders_are_read_whose_key_folds_case(postgresql_url: str) -> None:
    with Shop.opened(postgresql_url) as shop:
        shop.sql("CREATE EXTENSION citext")
        shop.sql("DROP TABLE orders")
        shop.sql("CREATE TABLE orders (code citext PRIMARY KEY, updated_at TIMESTAMP NOT NULL)")
        shop.sql(
            "INSERT INTO orders SELECT (CASE WHEN n % 10 = 0 THEN 'so-' ELSE 'SO-' END) || n, '2024-03-01'"
            " FROM generate_series(1, 12500) n"
        )
        assert len(set(shop.run().keys)) == 12_500


def test_numbers_among_text_dates_are_read_and_found_again_when_they_change(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.sql(
            "INSERT INTO orders VALUES (1, 'a', '2024-03-01 10:00:00'), (2, 'b', 1709294400), (3, 'c', '2024-03-02')"
        )
        first = shop.run()
        assert sorted(first.keys) == ["1", "2", "3"]
        shop.ack_all(first)
        assert shop.run(first.state).keys == []
        shop.sql("UPDATE orders SET updated_at = 1709294401 WHERE id = 2")
        assert shop.run(first.state).keys == ["2"]


def test_an_order_whose_key_is_no_utf_8_is_sent_once_and_found_when_due(sqlite_url: str) -> None:
    with Shop.opened(sqlite_url) as shop:
        shop.sql("DROP TABLE orders")
        shop.sql("CREATE TABLE orders (code TEXT PRIMARY KEY, updated_at DATETIME NOT NULL)")
        shop.sql(
            "INSERT INTO orders VALUES (CAST(x'41ff' AS TEXT), '2024-03-01 10:00:00'),"
            " ('A\\xff', '2024-03-01 10:00:00'), (x'41ff', '2024-03-01 10:00:00')"
        )
        first = shop.run(page_size=1)
        assert sorted(first.keys) == ["41ff", "A\\x5cxff", "A\\xff"]
        shop.ack_all(first)
        assert shop.run().keys == []
        shop.ack("A\\xff", first.versions["A\\xff"], AckStatus.REJECTED, due=LONG_AGO)
        assert shop.run(first.state).keys == ["A\\xff"]


def test_a_key_that_the_column_cannot_hold_any_more_stops_no_other_retry(postgresql_url: str) -> None:
    with Shop.opened(postgresql_url) as shop:
        shop.sql("CREATE TYPE channel AS ENUM ('web', 'pos')")
        shop.sql("DROP TABLE orders")
        shop.sql("CREATE TABLE orders (k channel PRIMARY KEY, updated_at TIMESTAMP NOT NULL)")
        shop.sql("INSERT INTO orders VALUES ('web', '2024-03-01'), ('pos', '2024-03-01')")
        first = shop.run()
        for key in ("fax", "pos", "web", "phone"):
            shop.ack(key, first.versions["pos"], AckStatus.REJECTED, due=LONG_AGO)
        assert sorted(shop.run(first.state).keys) == ["pos", "web"]
