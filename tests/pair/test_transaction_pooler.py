"""Through a transaction pooler, on the one session that the shop's own writes go by too: nothing is left on it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from flag_shop import FlagShop
from following_pair import FOLLOW, following, until
from pair_of_plugins import BIN, ORDERS, Shop
from pgbouncer import PROGRAM, pgbouncer
from transaction_pooler import State, dsn, pooled, state_of_session

from orders_sync.set_up.notify_trigger import notify_statements

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

SETTINGS = (
    "default_transaction_read_only", "TimeZone", "DateStyle", "IntervalStyle", "extra_float_digits", "lock_timeout",
    "statement_timeout", "idle_in_transaction_session_timeout", "enable_seqscan", "search_path",
)  # fmt: skip


@pytest.fixture(params=["ours", "pgbouncer"])
def pooler(request: pytest.FixtureRequest, postgresql_url: str) -> Iterator[str]:
    """Where a pooler before the database answers."""
    if request.param == "pgbouncer":
        if PROGRAM is None:
            pytest.skip("pgbouncer is not installed (Debian: apt install pgbouncer); our own pooler is")
        with pgbouncer(postgresql_url) as url:
            yield url
    else:
        with pooled(postgresql_url) as made:
            yield made.url


def through(shop: Shop, pooler: str) -> Shop:
    """Both plugins reach orders and ledger by the pooler only; the test itself goes to the server."""
    shop.tap_config = {"sqlalchemy_url": pooler, "ack_url": pooler}
    shop.target_config = {"ack_url": pooler}
    return shop


@pytest.fixture
def shop(postgresql_url: str, pooler: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = through(Shop(postgresql_url, zoho_emulator, tmp_path), pooler)
    yield made
    made.engine.dispose()


def shown(url: str) -> dict[str, str]:
    with psycopg.connect(dsn(sa.make_url(url)), autocommit=True, prepare_threshold=None) as connection:
        return {name: str(connection.execute(f"SHOW {name}".encode()).fetchone()) for name in SETTINGS}


def assert_session_as_new(pooler: str, shop: Shop) -> None:
    """The shared session is as a fresh one, and the shop can write by it."""
    fresh: State = state_of_session(shop.url)
    assert state_of_session(pooler) == fresh
    assert fresh["settings"] == fresh["prepared statements"] == []
    assert shown(pooler) == shown(shop.url)
    with psycopg.connect(dsn(sa.make_url(pooler)), autocommit=True, prepare_threshold=None) as connection:
        written = connection.execute("UPDATE orders SET notes = notes")
        assert written.rowcount == len(shop.orders())


def test_the_pooler_shares_one_session_and_keeps_transactions_apart(postgresql_url: str, pooler: str) -> None:
    """What the tests below rest on."""
    connect: Any = lambda: psycopg.connect(dsn(sa.make_url(pooler)), prepare_threshold=None)  # noqa: E731
    with connect() as one, connect() as other:
        one.autocommit = other.autocommit = True
        (server,) = one.execute("SELECT pg_backend_pid()").fetchone()
        assert other.execute("SELECT pg_backend_pid()").fetchone() == (server,)
        assert server not in {one.info.backend_pid, other.info.backend_pid}
        one.execute("SET enable_seqscan = off")
        assert other.execute("SHOW enable_seqscan").fetchone() == ("off",)
        assert state_of_session(pooler)["settings"] == [("enable_seqscan", "off")]
        assert state_of_session(postgresql_url)["settings"] == []
        with pytest.raises(psycopg.errors.SyntaxError):
            one.execute("SELECT FROM WHERE")
        one.execute("BEGIN; SET LOCAL TIME ZONE 'Asia/Tokyo'; CREATE TABLE half_done (id int)")
        one.pgconn.finish()  # in the middle of its transaction, which is rolled back
        assert other.execute("SELECT to_regclass('half_done')").fetchone() == (None,)
        with other.pipeline():
            cursors = [other.execute("SELECT %s::int", [number]) for number in range(50)]
        assert [cursor.fetchone() for cursor in cursors] == [(number,) for number in range(50)]


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_run_leaves_nothing_on_a_shared_session(shop: Shop, pooler: str, channel: str) -> None:
    shop.target_config["channel"] = channel
    shop.tap_config["page_size"] = 100
    shop.insert(f"SO-{number}" for number in range(1_200))
    ended = shop.run()
    assert ended.code == 0, ended.err
    shop.assert_all_synced()
    assert_session_as_new(pooler, shop)
    shop.change([f"SO-{number}" for number in range(150)])
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == 150
    shop.assert_all_synced()
    assert_session_as_new(pooler, shop)


def test_a_flag_is_set_by_a_shared_session_that_stays_as_it_was(
    postgresql_url: str, pooler: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = FlagShop.open(postgresql_url, zoho_emulator, tmp_path)
    through(shop, pooler)
    shop.by_flag()
    shop.target_config["orders_url"] = pooler
    shop.insert(f"SO-{number}" for number in range(300))
    ended = shop.run()
    assert ended.code == 0, ended.err
    shop.assert_all_flagged()
    assert_session_as_new(pooler, shop)
    shop.engine.dispose()


def test_orders_are_followed_through_a_pooler_while_the_shop_writes_by_the_same_session(
    shop: Shop, pooler: str
) -> None:
    """Notifications do not come that way: the tap says so, and polls."""
    with shop.engine.begin() as connection:
        for statement in notify_statements("orders", None):
            connection.exec_driver_sql(statement)
    shop.tap_config |= FOLLOW
    shop.target_config["max_age_seconds"] = 0.2
    own = sa.create_engine(pooler, poolclass=sa.NullPool, connect_args={"prepare_threshold": None})
    with following(shop) as pair:
        for number in range(5):
            now = datetime.now(timezone.utc).replace(tzinfo=None)
            with own.begin() as connection:
                connection.execute(sa.insert(ORDERS), [shop.order(f"SO-{number}", updated_at=now)])
            until(lambda: len(shop.crm()) == number + 1, pair)  # noqa: B023 - called in this turn
        assert_session_as_new(pooler, shop)
        ended = pair.stop()
    assert ended.code == 0, ended.err
    assert ended.err.count("connection pooler") == 1
    shop.assert_all_synced()
    assert_session_as_new(pooler, shop)


@pytest.mark.parametrize(
    "command", [["status", "--within", "20s"], ["plan"], ["doctor"]], ids=["status", "plan", "doctor"]
)
def test_the_operators_commands_leave_nothing_either(shop: Shop, pooler: str, command: list[str]) -> None:
    shop.insert(f"SO-{number}" for number in range(20))
    assert shop.run().code == 0
    shop.insert(["SO-20"])
    tap, target = shop.configs()
    files = ["--tap-config", tap] if command[0] == "status" else ["--tap-config", tap, "--target-config", target]
    ledger = ["--ack-url", pooler] if command[0] == "status" else []
    ended = subprocess.run(
        [BIN / "orders-sync", *command, *files, *ledger], capture_output=True, text=True, check=False, timeout=120
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert_session_as_new(pooler, shop)
