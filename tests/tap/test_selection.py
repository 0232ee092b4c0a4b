"""Which orders are streamed, on every engine, by the rules of docs/database.md."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

import pytest
from small_shop import FAR_OFF, LONG_AGO, Shop

from sync_ledger.tables import AckStatus
from tap_legacy_orders.tap_errors import TapConfigError


def test_an_order_without_an_ack_is_streamed_and_one_acked_at_its_version_is_not(shop: Shop) -> None:
    shop.put((1, 1), (2, 2.5), (3, 3.123456))
    first = shop.run()
    assert first.keys == ["1", "2", "3"]
    shop.ack_all(first)
    assert shop.run().keys == []


def test_a_changed_order_is_streamed_again_in_its_new_version_only(shop: Shop) -> None:
    shop.put((1, 1), (2, 2))
    first = shop.run()
    shop.ack_all(first)
    shop.put((1, 1.000001))
    second = shop.run(first.state)
    assert second.keys == ["1"]
    assert second.versions["1"] != first.versions["1"]


@pytest.mark.parametrize("status", [AckStatus.SYNCED, AckStatus.REJECTED, AckStatus.PARKED])
def test_a_settled_ack_holds_an_order_back_until_it_changes(shop: Shop, status: AckStatus) -> None:
    shop.put((1, 1))
    first = shop.run()
    shop.ack_all(first, status)
    assert shop.run().keys == []
    shop.put((1, 2))
    assert shop.run().keys == ["1"]


def test_a_rejected_order_is_streamed_when_its_next_attempt_is_due_and_once_only(shop: Shop) -> None:
    shop.put((1, 1), (2, 2), (3, 3))
    first = shop.run()
    versions = first.versions
    shop.ack("1", versions["1"], AckStatus.REJECTED, due=LONG_AGO)
    shop.ack("2", versions["2"], AckStatus.REJECTED, due=FAR_OFF)
    shop.ack("3", "an older version", AckStatus.REJECTED, due=LONG_AGO)
    # Far past the orders: due retries do not depend on the range.
    assert sorted(shop.run(first.state, lookback_seconds=0).keys) == ["1", "3"]
    assert sorted(shop.run().keys) == ["1", "3"]


def test_an_order_in_flight_is_left_alone_whatever_its_version(shop: Shop) -> None:
    shop.put((1, 1), (2, 2))
    shop.ack("1", shop.run().versions["1"], AckStatus.SUBMITTED)
    shop.ack("2", "an older version", AckStatus.SUBMITTED)
    assert shop.run().keys == []


def test_the_bookmark_never_passes_an_order_that_was_left_out(shop: Shop) -> None:
    shop.put((1, 1), (2, 2), (3, 3), (4, 4), (5, 5))
    versions = shop.run().versions
    shop.ack("2", "an older version", AckStatus.SUBMITTED)
    shop.ack("4", "an older version", AckStatus.SUBMITTED)
    run = shop.run(page_size=1)
    assert run.keys == ["1", "3", "5"]
    assert run.bookmark() == versions["2"]
    reached = [state["bookmarks"]["orders"]["replication_key_value"] for state in run.states]
    assert reached == [versions["1"], versions["2"], versions["2"]]
    for key in "135":
        shop.ack(key, versions[key])
    for key in "24":
        shop.ack(key, "an older version", AckStatus.SYNCED)
    assert shop.run(run.state, lookback_seconds=0).keys == ["2", "4"]


def test_the_bookmark_passes_an_order_in_flight_at_its_current_version(shop: Shop) -> None:
    shop.put((1, 1), (2, 2))
    versions = shop.run().versions
    shop.ack("1", versions["1"], AckStatus.SUBMITTED)
    assert shop.run().bookmark() == versions["2"]


def test_pages_meet_without_gap_or_double_where_many_orders_share_one_moment(shop: Shop) -> None:
    shop.put(*((number, 1 if number < 8 else number) for number in range(1, 12)))
    for size in (1, 2, 3, 7, 11, 100):
        assert shop.run(page_size=size).keys == [str(number) for number in range(1, 12)]


def test_state_follows_each_page_and_a_resumed_run_finds_the_rest(shop: Shop) -> None:
    shop.put(*((number, number + 0.000001) for number in range(1, 8)))
    whole = shop.run(page_size=3)
    kinds = [message["type"] for message in whole.messages]
    assert kinds == ["SCHEMA", *["RECORD"] * 3, "STATE", *["RECORD"] * 3, "STATE", "RECORD", "STATE", "STATE"]
    for state in whole.states:
        rest = shop.run(state, lookback_seconds=0)
        # The bound is inclusive: an order at the bookmark itself is read again unless its ack says otherwise.
        reached = state["bookmarks"]["orders"]["replication_key_value"]
        assert rest.keys == [key for key in whole.keys if whole.versions[key] >= reached]


def test_an_order_committed_late_is_found_within_the_lookback(shop: Shop) -> None:
    shop.put((1, 1), (2, 1000))
    first = shop.run()
    shop.ack_all(first)
    shop.put((3, 699), (4, 698))  # the lookback, and a tick: these times are whole seconds
    assert shop.run(first.state).keys == ["3"]
    assert shop.run(first.state, lookback_seconds=302).keys == ["4", "3"]
    assert sorted(shop.run().keys) == ["3", "4"]


def test_an_order_without_a_replication_value_is_a_candidate_in_every_run(shop: Shop) -> None:
    shop.put((1, 1), (2, None), (3, None), (4, None))
    first = shop.run(page_size=2)
    assert sorted(first.keys) == ["1", "2", "3", "4"]
    assert first.versions["2"] == "-"
    shop.ack("2", "-")
    assert sorted(shop.run(first.state, lookback_seconds=0).keys) == ["1", "3", "4"]


def test_an_order_changed_just_now_waits_and_one_dated_far_ahead_does_not_drag_the_bookmark(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    shop.put((1, 1))
    shop.put_at(2, now + timedelta(seconds=1))
    shop.put_at(3, now + timedelta(hours=20))
    shop.put_at(4, now + timedelta(days=400))
    first = shop.run(settle_seconds=30)
    assert sorted(first.keys) == ["1", "4"]
    assert first.bookmark() == first.versions["1"]
    assert "2 orders changed after" in caplog.text
    assert "ahead of the database's clock, and wait until then: is `timezone` the one" in caplog.text
    assert "more than a day ahead of the database's clock: they are sent" in caplog.text
    shop.ack_all(first)
    assert shop.run(first.state, settle_seconds=30).keys == []


def test_a_due_retry_that_changed_just_now_waits_until_it_is_of_age(shop: Shop) -> None:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    shop.put((1, 1))
    shop.put_at(2, now)
    shop.ack("2", "an older version", AckStatus.REJECTED, due=LONG_AGO)
    assert shop.run(settle_seconds=60).keys == ["1"]
    assert sorted(shop.run(settle_seconds=0, timezone="Etc/GMT-1").keys) == ["1", "2"]


def test_a_full_table_run_reconciles_everything_and_resends_nothing(shop: Shop) -> None:
    shop.put((1, 1), (2, 2000))
    first = shop.run()
    shop.ack_all(first)
    shop.put((3, 5))
    assert shop.run(first.state).keys == []
    assert shop.run().keys == ["3"]


def test_a_version_column_decides_where_the_replication_key_stays_the_same(shop: Shop) -> None:
    shop.put((1, 1), (2, 2))
    first = shop.run(version_column="name", page_size=1)
    assert first.versions == {"1": "order 1 at 1", "2": "order 2 at 2"}
    assert first.bookmark() is not None
    shop.ack_all(first)
    shop.sql("UPDATE orders SET name = 'renamed' WHERE id = 2")
    second = shop.run(first.state, version_column="name", page_size=1)
    assert second.versions == {"2": "renamed"}


def test_the_filter_chooses_orders_and_its_names_never_meet_the_ledgers(shop: Shop) -> None:
    shop.sql("ALTER TABLE orders ADD status VARCHAR(10)")
    shop.sql("INSERT INTO orders VALUES (1, 'a%b', '2024-01-01 00:00:00', 'open')")
    shop.sql("INSERT INTO orders VALUES (2, 'a:b', '2024-01-01 00:00:01', 'draft')")
    assert shop.run(filter="status = 'open' AND name LIKE 'a%'").keys == ["1"]
    assert shop.run(filter="status = 'draft' OR name = ':x'").keys == ["2"]


def test_acks_of_another_stream_do_not_count(shop: Shop) -> None:
    shop.put((1, 1))
    version = shop.run().versions["1"]
    shop.ack("1", version, stream="returns")
    assert shop.run().keys == ["1"]
    assert shop.run(stream_name="returns").keys == []


def test_a_version_that_the_ledger_cannot_hold_is_refused_and_a_key_that_is_none_is_told_of(
    shop: Shop, caplog: pytest.LogCaptureFixture
) -> None:
    shop.sql("ALTER TABLE orders ADD doc TEXT")
    shop.sql("INSERT INTO orders VALUES (1, 'same', '2024-01-01 00:00:00', :d)", {"d": "x" * 256})
    shop.sql("INSERT INTO orders VALUES (2, 'same', '2024-01-01 00:00:00', 'y')")
    with pytest.raises(TapConfigError, match=r"version_column: 'doc' holds texts longer than 255"):
        shop.run(version_column="doc")
    assert shop.run(key_column="name").keys == ["same", "same"]
    assert "'same' stands for more than one row of orders" in caplog.text
