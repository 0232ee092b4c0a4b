"""Follow mode: orders are in the CRM moments after they were saved, whatever happens to the pair meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from following_pair import FOLLOW, following, until
from pair_of_plugins import ORDERS, Shop


class LiveShop:
    """Changes made now, as an application makes them."""

    def __init__(self, shop: Shop) -> None:
        self.shop = shop
        shop.tap_config = dict(FOLLOW)
        shop.target_config = {"max_age_seconds": 0.2}

    def insert(self, *keys: str, **values: Any) -> None:
        for key in keys:
            self.shop.insert([key], updated_at=now(), **values)

    def change(self, *keys: str, **values: Any) -> None:
        for key in keys:
            self.shop.change([key], updated_at=now(), **values)

    def notes(self) -> dict[str, Any]:
        return {key: record.get("Notes") for key, record in self.shop.crm().items()}

    def more_than(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.shop.crm()) > count

    def synced(self) -> int:
        return sum(ack.status == "synced" for ack in self.shop.acks().values())

    def arrived(self, count: int) -> Callable[[], bool]:
        return lambda: len(self.shop.crm()) == count


def now() -> datetime:
    return datetime.now(timezone.utc).replace(tzinfo=None)


@pytest.fixture
def live(shop: Shop) -> LiveShop:
    return LiveShop(shop)


def test_without_an_age_the_target_sends_at_once_since_the_tap_says_that_it_follows(live: LiveShop) -> None:
    live.shop.target_config = {}
    with following(live.shop) as pair:
        live.insert("SO-1")
        until(live.arrived(1), pair)
        live.insert("SO-2")
        until(live.arrived(2), pair)
    assert live.shop.state.exists(), "the next life begins with a STATE, before any SCHEMA"
    with following(live.shop) as pair:
        live.insert("SO-3")
        until(live.arrived(3), pair)


def test_orders_saved_while_the_pair_runs_are_in_the_crm_on_every_engine(any_shop: Shop) -> None:
    live, shop = LiveShop(any_shop), any_shop
    live.insert("SO-1")
    with following(shop) as pair:
        until(live.arrived(1), pair)
        live.insert("SO-2", "SO-3")
        until(live.arrived(3), pair)
        live.change("SO-1", notes="second thoughts")
        until(lambda: live.notes()["SO-1"] == "second thoughts", pair)
        ended = pair.stop()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == ended.summary["read"] == 4  # nothing was emitted twice
    shop.assert_all_synced()


def test_state_comes_while_nothing_changes_and_a_restart_goes_on_from_it(live: LiveShop) -> None:
    live.insert("SO-1")
    with following(live.shop) as pair:
        until(lambda: sum("replication_key_value" in state for state in pair.states) >= 3, pair)  # then heartbeats
        assert pair.stop().code == 0
    assert pair.states[-1] == pair.states[-2] == pair.states[-3]
    live.insert("SO-2")
    with following(live.shop) as pair:
        until(live.arrived(2), pair)
        assert pair.stop().summary["read"] == 1
    live.shop.assert_all_synced()


def test_a_pair_killed_amid_calls_loses_and_doubles_nothing(live: LiveShop) -> None:
    shop, saved = live.shop, 0
    shop.emulator.admin.settings(call_seconds={"upsert": 0.1})
    for _ in range(3):
        with following(shop) as pair:
            before = len(shop.crm())
            for _ in range(12):
                live.insert(f"SO-{saved}")
                saved += 1
            live.change("SO-0", notes=f"change {saved}")
            until(live.more_than(before), pair)
            pair.kill()
    with following(shop) as pair:
        until(live.arrived(saved), pair)
        until(lambda: bool(pair.states) and live.synced() == saved, pair)
        assert live.notes()["SO-0"] == f"change {saved}"
        assert pair.stop().code == 0
    shop.assert_all_synced()


def test_what_a_pair_that_follows_has_done_is_counted_and_stays_so_when_it_is_killed(live: LiveShop) -> None:
    def counts() -> list[Any]:
        with live.shop.engine.connect() as connection:
            return list(connection.exec_driver_sql("SELECT read_count, synced_count FROM zoho_sync_run").all())

    with following(live.shop) as pair:
        live.insert("SO-1", "SO-2")
        until(live.arrived(2), pair)
        until(lambda: counts() == [(2, 2)], pair)
        pair.kill()
    assert counts() == [(2, 2)]


def test_no_key_has_two_writes_in_flight_and_the_newest_version_wins(live: LiveShop) -> None:
    shop = live.shop
    live.insert("SO-1")
    with following(shop) as pair:
        until(live.arrived(1), pair)
        hold = shop.emulator.admin.add_fault("upsert", kind="hold_before", times=1)
        live.change("SO-1", notes="first")
        shop.emulator.admin.wait_held(hold)
        live.change("SO-1", notes="second")
        live.insert("SO-2")  # others are not held up
        until(live.arrived(2), pair)
        assert live.notes()["SO-1"] != "second"
        shop.emulator.admin.release(hold)
        until(lambda: live.notes()["SO-1"] == "second", pair)
        assert pair.stop().code == 0
    shop.assert_all_synced()


def outage(shop: Shop) -> None:
    """Let nothing get through: neither writes nor the read by which an outage is told from a call that fails."""
    for endpoint in ("upsert", "org"):
        shop.emulator.admin.add_fault(endpoint, kind="answer", canned="unavailable")


def test_sigterm_hands_over_at_once_what_cannot_be_settled(live: LiveShop) -> None:
    shop = live.shop
    live.insert("SO-1")
    with following(shop) as pair:
        until(live.arrived(1), pair)
        outage(shop)
        live.insert("SO-2")
        until(lambda: "HTTP 503" in pair.log, pair)
        ended = pair.stop()
    assert ended.code == 0, ended.err
    assert "handed over" in ended.err
    assert not ended.errors
    shop.emulator.admin.clear_faults()
    with following(shop) as pair:
        until(live.arrived(2), pair)
        assert pair.stop().code == 0
    shop.assert_all_synced()


def test_an_outage_of_zoho_is_told_and_outlived(live: LiveShop) -> None:
    shop = live.shop
    with following(shop) as pair:
        outage(shop)
        live.insert("SO-1", "SO-2")
        until(lambda: "attempt 3, the next one in" in pair.log, pair)
        shop.emulator.admin.clear_faults()
        until(live.arrived(2), pair)
        assert pair.stop().code == 0
    assert "works again" in pair.log
    shop.assert_all_synced()


def test_lost_connections_of_the_database_are_told_and_outlived(
    postgresql_url: str, zoho_emulator: Any, tmp_path: Any
) -> None:
    shop = Shop(postgresql_url, zoho_emulator, tmp_path)
    live = LiveShop(shop)
    live.insert("SO-1")
    shop.engine.dispose()
    with following(shop) as pair:
        until(live.arrived(1), pair)
        database = sa.make_url(postgresql_url)
        elsewhere = sa.create_engine(database.set(database="postgres"), isolation_level="AUTOCOMMIT")
        with elsewhere.connect() as connection:
            connection.exec_driver_sql(f'ALTER DATABASE "{database.database}" ALLOW_CONNECTIONS false')
            ours = f"FROM pg_stat_activity WHERE datname = '{database.database}'"
            connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid) {ours}")
            until(lambda: "trying again in" in pair.log, pair)
            connection.exec_driver_sql(f'ALTER DATABASE "{database.database}" ALLOW_CONNECTIONS true')
        elsewhere.dispose()
        live.insert("SO-2")
        until(live.arrived(2), pair)
        assert pair.stop().code == 0
    shop.assert_all_synced()
    assert "The database answers again" in pair.log
    shop.engine.dispose()


def test_a_retry_whose_time_has_come_is_sent_by_the_same_run(live: LiveShop) -> None:
    shop = live.shop
    with following(shop) as pair:
        shop.emulator.admin.add_fault(kind="record_error", code="RECORD_LOCKED", keys=["SO-1"], times=1)
        live.insert("SO-1")
        until(live.arrived(1), pair)
        until(lambda: shop.acks()["SO-1"].status == "synced", pair)
        ended = pair.stop()
    assert ended.summary["read"] == 2
    shop.assert_all_synced()


def test_an_order_committed_late_is_found(live: LiveShop) -> None:
    live.insert("SO-1")
    with following(live.shop) as pair:
        until(live.arrived(1), pair)
        live.shop.insert(["SO-2"], updated_at=now() - timedelta(seconds=60))
        until(live.arrived(2), pair)
        assert pair.stop().code == 0


def test_a_burst_goes_by_full_calls(live: LiveShop) -> None:
    shop = live.shop
    with following(shop) as pair:
        with shop.engine.begin() as connection:
            connection.execute(sa.insert(ORDERS), [shop.order(f"SO-{n}", updated_at=now()) for n in range(1_003)])
        until(live.arrived(1_003), pair)
        assert pair.stop().code == 0
    assert shop.emulator.admin.stats()["requests"]["upsert"] <= 12
    shop.assert_all_synced()


def test_an_order_that_breaks_its_call_holds_up_no_other_and_no_state(live: LiveShop) -> None:
    shop = live.shop
    shop.emulator.admin.add_fault(kind="poison", keys=["SO-1"])
    live.insert("SO-1", "SO-2")
    with following(shop) as pair:
        until(live.arrived(1), pair)
        until(lambda: "SO-1" in (acks := shop.acks()) and acks["SO-1"].status == "rejected", pair)
        states = len(pair.states)
        until(lambda: len(pair.states) > states, pair)
        assert pair.stop().code == 0
    shop.assert_all_synced(but=["SO-1"])
