"""`orders-sync status` over several streams: one can be chosen, and one that nobody counted is not called well."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from pair_of_plugins import Shop

from orders_sync.cli import main
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import AckStatus

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    """Its ledger has two streams, each with a run that has just finished; the tap's settings are of `orders`."""
    made = Shop(sqlite_url, zoho_emulator, tmp_path)
    ledger = Ledger.open(made.ack_url)
    ledger.ensure_tables()
    for stream in ("orders", "customers"):
        Lease.acquire(ledger, stream).release("finished", {}, 0)
    yield made
    ledger.close()
    made.engine.dispose()


def status(shop: Shop, *options: str, tap: bool = True) -> tuple[int, Any]:
    config, _ = shop.configs()
    files = ["--tap-config", str(config)] if tap else []
    done = CliRunner().invoke(main, ["status", "--ack-url", shop.ack_url, *files, "--json", *options])
    return done.exit_code, json.loads(done.stdout) if done.stdout.startswith("{") else done.output


def test_one_stream_can_be_chosen(shop: Shop) -> None:
    code, found = status(shop, "--stream", "customers")
    assert (code, [each["stream"] for each in found["streams"]]) == (0, ["customers"])
    code, output = status(shop, "--stream", "custmers")
    assert code == 1
    assert "the ledger has no stream 'custmers'; it has customers, orders" in output


def test_a_stream_that_was_not_counted_is_not_called_well(shop: Shop) -> None:
    code, found = status(shop, "--max-age", "1h")
    assert (code, found["healthy"]) == (1, False)
    (complaint,) = found["complaints"]
    assert complaint.startswith(
        "stream customers: unsynced orders cannot be counted: the tap's settings are of another"
    )
    assert status(shop, "--max-age", "1h", "--stream", "orders")[0] == 0
    assert status(shop, "--max-age", "1h", "--ledger-only")[0] == 0


def test_where_no_settings_of_a_tap_are_known_the_ledger_alone_decides(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LEGACY_DATABASE_URL", shop.url)  # and no table: these are not settings of a tap
    code, found = status(shop, "--max-age", "1h", tap=False)
    assert (code, found["complaints"]) == (0, [])
    assert "no settings of the tap (LEGACY_ORDERS_TABLE" in found["streams"][0]["not_counted"]


def test_problems_say_how_to_see_the_keys_that_are_left_out(shop: Shop) -> None:
    ledger = Ledger.open(shop.ack_url)
    with ledger.begin() as connection:
        now = ledger.now(connection) - timedelta(seconds=1)
        refused = [
            Ack(stream="orders", record_key=f"K{number}", version="1", status=AckStatus.REJECTED, acked_at=now)
            for number in range(7)
        ]
        write_acks(connection, ledger.tables.ack, Acks.of(refused))
    ledger.close()
    done = CliRunner().invoke(main, ["problems", "--ack-url", shop.ack_url, "--stream", "orders"])
    assert "K0, K1, K2, K3, K4, and 2 more: `--samples 7`, or `--export FILE`" in done.output
