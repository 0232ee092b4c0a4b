"""What the tap does in follow mode, look by look: what is found once, twice, late, and at what price."""

# ruff: noqa: SLF001 - a look that is not due yet is made due

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from small_shop import LONG_AGO, Shop
from sqlalchemy import event

from sync_ledger.partitions import Partition
from sync_ledger.tables import AckStatus
from tap_legacy_orders.followed_orders import FollowedOrders
from tap_legacy_orders.pages import Page
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError


class Look:
    """A tap that follows, looked at from outside: `new` is one look."""

    def __init__(self, shop: Shop, **config: Any) -> None:
        settings = {**shop.config, "follow": True, "settle_seconds": 0, **config}
        self.tap = TapLegacyOrders(config=settings)
        stream = self.tap.streams["orders"]
        self.source = self.tap.orders_source("orders", stream._columns, None)
        self.contents = stream._contents(self.source)
        self.orders = FollowedOrders(self.source, self.contents)
        self.sent: dict[str, str] = {}

    def first(self, bookmark: str | None = None) -> list[str]:
        return self._keys(self.orders.full_pass(bookmark))

    def new(self) -> list[str]:
        return self._keys(self.orders.new_pages())

    def wide(self) -> list[str]:
        """A look as far back as the lookback allows."""
        self.orders._wide_at = 0.0
        return self.new()

    def _keys(self, pages: Iterator[Page]) -> list[str]:
        found: list[str] = []
        for page in pages:
            keys, versions = page.columns[-2:]
            self.sent.update(zip(keys, versions, strict=True))
            found += keys
        return found

    def acked(self, shop: Shop, *keys: str) -> None:
        for key in keys:
            shop.ack(key, self.sent[key])


@pytest.fixture
def looking(shop: Shop) -> Iterator[Callable[..., Look]]:
    made: list[Look] = []

    def look(at: Shop | None = None, **config: Any) -> Look:
        made.append(Look(at or shop, **config))
        return made[-1]

    yield look
    for each in made:
        each.orders.forget_connections()


def statements(engine: sa.Engine) -> list[str]:
    """The statements to come, without those that begin a transaction."""
    seen: list[str] = []

    def note(*call: Any) -> None:
        if not call[2].startswith("BEGIN"):
            seen.append(call[2])

    event.listen(engine, "before_cursor_execute", note)
    return seen


def test_an_order_is_emitted_once_while_its_ack_is_awaited_and_again_when_it_changes(
    shop: Shop, looking: Callable[..., Look]
) -> None:
    look = looking()
    shop.put((1, 0), (2, 1))
    assert look.first() == ["1", "2"]
    assert look.new() == look.wide() == []
    shop.put((3, 2))
    assert look.new() == ["3"]
    shop.put((1, 3))
    assert look.new() == ["1"]
    assert look.wide() == []
    look.acked(shop, "1", "2", "3")
    assert look.wide() == []
    assert look.orders._sent.in_flight == {}  # what is settled is remembered no longer


def test_a_look_that_finds_nothing_is_one_statement_and_a_wide_one_in_the_window_two(
    shop: Shop, looking: Callable[..., Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = looking(lookback_seconds=100)
    shop.put((1, 0), (2, 1))
    look.first()
    look.acked(shop, "1", "2")
    seen = statements(look.tap.engine)
    assert look.new() == look.wide() == []
    assert len(seen) == 3
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 102)
    look.wide()
    seen, ledgers = statements(look.tap.engine), statements(look.source.ledger.engine)
    for _ in range(3):
        assert look.new() == look.wide() == []
    assert len(seen) + len(ledgers) == 6


def test_an_order_committed_late_is_found_within_the_lookback_and_not_beyond(
    shop: Shop, looking: Callable[..., Look]
) -> None:
    look = looking(lookback_seconds=100)
    shop.put((1, 1_000))
    look.first()
    look.acked(shop, "1")
    shop.put((2, 950), (3, 800))
    assert look.wide() == ["2"]
    assert look.first(look.orders.bookmark) == []


def test_a_late_commit_behind_a_quick_look_is_found_by_the_next_wide_one(
    shop: Shop, looking: Callable[..., Look]
) -> None:
    look = looking(lookback_seconds=20)
    shop.put((1, 1_000))
    look.first()
    shop.put((2, 1_009))
    assert look.new() == ["2"]
    shop.put((3, 1_018), (4, 983))  # committed when the newest was 1,000
    assert look.new() == ["3"]
    assert str(look.orders.bookmark).startswith(str(shop.moment(1_000)))  # as far as the wide looks have come
    assert look.wide() == ["4"]
    assert str(look.orders.bookmark).startswith(str(shop.moment(1_018)))


def test_an_order_changed_again_in_its_tick_is_emitted_once_while_its_ack_is_awaited(
    shop: Shop, looking: Callable[..., Look]
) -> None:
    look = looking()
    shop.put((1, 0))
    look.first()
    shop.ack("1", look.sent["1"])  # the target confirms what it was sent
    with shop.ledger.begin() as connection:
        contents = {"content": "of an earlier order", "content_form": look.contents.form.id}
        connection.execute(sa.update(shop.ledger.tables.ack).values(contents))
    assert look.wide() == ["1"]
    assert look.wide() == []


def test_the_lookback_closes_while_nothing_happens(
    shop: Shop, looking: Callable[..., Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = looking(lookback_seconds=100)
    shop.put((1, 1_000))
    look.first()
    look.acked(shop, "1")
    look.wide()
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 60)
    assert look.wide() == []
    shop.put((2, 950), (3, 999))  # by the writer's clock it is 1,060 now: no commit is older than 960
    assert look.wide() == ["3"]


def test_a_due_retry_is_emitted_once_a_refusal_and_in_its_newest_version(
    shop: Shop, looking: Callable[..., Look]
) -> None:
    look = looking()
    shop.put((1, 0))
    look.first()
    shop.ack("1", look.sent["1"], AckStatus.REJECTED, LONG_AGO)
    assert look.new() == ["1"]
    assert look.new() == []
    shop.put((1, 5))
    assert look.new() == ["1"]
    assert look.new() == []
    shop.ack("1", look.sent["1"], AckStatus.REJECTED, LONG_AGO + timedelta(seconds=1))
    assert look.new() == ["1"]


def test_an_order_left_out_while_its_job_runs_is_emitted_when_the_job_is_settled(
    shop: Shop, looking: Callable[..., Look]
) -> None:
    look = looking(lookback_seconds=0)
    shop.put((1, 0), (2, 1))
    look.first()
    shop.ack("1", look.sent["1"], AckStatus.SUBMITTED)
    look.acked(shop, "2")
    shop.put((1, 2), (3, 3))
    assert look.new() == ["3"]
    shop.put((4, 9))
    assert look.new() == ["4"]
    assert str(look.orders.bookmark).startswith(str(shop.moment(2)))  # it waits for the order that was left out
    look.acked(shop, "1")
    assert look.new() == ["1"]


def test_with_the_ledger_elsewhere_the_same_orders_are_found(either_shop: Shop, looking: Callable[..., Look]) -> None:
    look = looking(either_shop)
    either_shop.put((1, 0), (2, 1))
    assert look.first() == ["1", "2"]
    assert look.new() == []
    either_shop.put((2, 2), (3, 3))
    assert look.new() == ["2", "3"]
    look.acked(either_shop, "1", "2", "3")
    assert look.wide() == []
    either_shop.ack("1", look.sent["1"], AckStatus.REJECTED, LONG_AGO)
    look.orders._ledger_at = 0.0
    assert look.new() == ["1"]


def test_an_order_whose_page_did_not_go_out_is_emitted_again(shop: Shop, looking: Callable[..., Look]) -> None:
    look = looking()
    shop.put((1, 0))
    look.first()
    shop.put((2, 1))
    pages = look.orders.new_pages()
    next(pages)
    pages.close()  # the page was given, and whoever took it failed
    assert look.new() == ["2"]


def test_orders_without_a_date_are_found_by_the_full_passes(shop: Shop, looking: Callable[..., Look]) -> None:
    look = looking()
    shop.put((1, 0))
    look.first()
    shop.put((2, None))
    assert look.wide() == []
    assert look.first(look.orders.bookmark) == ["2"]


def test_an_empty_table_is_followed_too(shop: Shop, looking: Callable[..., Look]) -> None:
    look = looking()
    assert look.first() == look.new() == []
    shop.put((1, 0))
    assert look.new() == ["1"]


def test_settling_time_holds_in_follow_mode(
    shop: Shop, looking: Callable[..., Look], monkeypatch: pytest.MonkeyPatch
) -> None:
    look = looking(settle_seconds=3600)
    shop.put((1, 0))
    look.first()
    shop.put_at(2, datetime.now(timezone.utc).replace(tzinfo=None))
    assert look.new() == []
    real = time.monotonic
    monkeypatch.setattr(time, "monotonic", lambda: real() + 3602)  # SQLite's texts are compared by whole seconds
    assert look.new() == ["2"]


def test_find_deleted_is_refused(shop: Shop) -> None:
    with pytest.raises(TapConfigError, match="find_deleted: deletions are found by runs that end"):
        shop.run(follow=True, find_deleted=True)


def test_partitions_that_follow_see_their_own_orders_alone(shop: Shop, looking: Callable[..., Look]) -> None:
    shares = [Partition(index, 3) for index in (1, 2, 3)]
    taps = [looking(partition={"index": share.index, "of": share.of}) for share in shares]
    shop.put(*((number, 0) for number in range(1, 13)))
    firsts = [tap.first() for tap in taps]
    for share, tap, found in zip(shares, taps, firsts, strict=True):
        assert found == [str(number) for number in range(1, 13) if share.holds(str(number))]
        tap.acked(shop, *found)
    shop.put(*((number, 1) for number in range(7, 10)))
    shop.ack("4", taps[0].sent.get("4", "?"), AckStatus.REJECTED, LONG_AGO)  # due in one of them
    for share, tap in zip(shares, taps, strict=True):
        expected = {str(number) for number in (4, 7, 8, 9) if share.holds(str(number))}
        assert set(tap.new()) == expected
        if not expected:
            assert tap.orders.queries == 1  # the others' changes and retries cost it nothing


def test_a_filter_that_asks_another_table_is_compared_again_without_the_bookmark(
    shop: Shop, looking: Callable[..., Look]
) -> None:
    shop.sql("CREATE TABLE released (id INTEGER PRIMARY KEY)")
    shop.put((1, 0), (2, 1), (3, 7200))
    shop.sql("INSERT INTO released VALUES (:i)", {"i": 1}, {"i": 3})
    look = looking(filter="id IN (SELECT id FROM released)", lookback_seconds=0)
    sent: list[str] = []
    begun = []

    class OnceADay:
        def due_in(self) -> float | None:
            return 86_400.0

        def begin(self) -> None:
            begun.append(True)

    stream = look.tap.streams["orders"]
    follows = stream._following(None)
    follows._comparison = OnceADay()
    for page in follows.pages(None):
        keys, versions = page.columns[-2:]
        for key, version in zip(keys, versions, strict=True):
            shop.ack(key, version)
        sent += keys
        if sent == ["1", "3"] and not begun:
            shop.sql("INSERT INTO released VALUES (2)")
            follows._compare_at = 0.0  # the day is over
        if "2" in sent:
            look.tap.wakeup.stop()
    assert sorted(sent) == ["1", "2", "3"]
    assert begun == [True]


def test_a_change_in_another_table_is_one_of_its_order(shop: Shop, looking: Callable[..., Look]) -> None:
    kind = {"mysql": "DATETIME(6)", "postgresql": "TIMESTAMP"}.get(shop.engine.dialect.name, "DATETIME")
    shop.sql(f"CREATE TABLE history (no INTEGER PRIMARY KEY, order_id INTEGER, added_at {kind})")
    changes = [{"table": "history", "parent_key": "order_id", "replication_key": "added_at"}]
    look = looking(replication_key="updated_at", changes_in=changes)
    shop.put((1, 0), (2, 1))
    assert look.first() == ["1", "2"]
    shop.sql("INSERT INTO history VALUES (1, 1, :t)", {"t": shop.moment(5)})
    assert look.new() == ["1"]
    look.acked(shop, "1", "2")
    assert look.wide() == []
