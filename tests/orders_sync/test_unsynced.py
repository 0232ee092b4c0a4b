"""`orders-sync status` counts what no run has read yet as the tap would find it, and its health check sees that too."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from engine_fixtures import ENGINES, fresh_database
from pair_of_plugins import ORDERS, Shop

from orders_sync.cli import main
from sync_ledger.acks import Ack, Acks, write_acks
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_ledger.tables import RUN_COUNTS, AckStatus

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

KEYS = ("NEW", "CHANGED", "SYNCED", "REFUSED", "PARKED", "DUE", "DUE-LATER", "IN-A-JOB", "CHANGED-IN-A-JOB")


@pytest.fixture
def ledger(engine_url: str) -> Iterator[Ledger]:
    with opened(engine_url) as ledger:
        yield ledger


@contextmanager
def opened(url: str) -> Iterator[Ledger]:
    """A ledger with a finished run."""
    ledger = Ledger.open(url)
    ledger.ensure_tables()
    Lease.acquire(ledger, "orders").release("finished", dict.fromkeys(RUN_COUNTS, 0), credits_spent=0)
    yield ledger
    ledger.close()


def filled(url: str, ledger: Ledger, emulator: EmulatorProcess, folder: Path) -> Shop:
    """One order in each state, and two that no range of dates holds."""
    shop = Shop(url, emulator, folder, ack_url=ledger.engine.url.render_as_string(hide_password=False))
    shop.insert(KEYS)
    with ledger.connect() as connection:
        now = ledger.now(connection)
    shop.insert(["JUST-NOW"], updated_at=now + timedelta(minutes=1))
    shop.insert(["FAR-AHEAD"], updated_at=now + timedelta(days=400))
    versions = written_versions(shop)
    with ledger.begin() as connection:
        soon, due = now + timedelta(hours=1), now - timedelta(minutes=1)
        states: dict[str, tuple[AckStatus, dict[str, Any]]] = {
            "CHANGED": (AckStatus.SYNCED, {}),
            "SYNCED": (AckStatus.SYNCED, {}),
            "REFUSED": (AckStatus.REJECTED, {}),
            "PARKED": (AckStatus.PARKED, {}),
            "DUE": (AckStatus.REJECTED, {"next_attempt_at": due}),
            "DUE-LATER": (AckStatus.REJECTED, {"next_attempt_at": soon}),
            "IN-A-JOB": (AckStatus.SUBMITTED, {}),
            "CHANGED-IN-A-JOB": (AckStatus.SUBMITTED, {}),
        }
        acks = [
            Ack("orders", key, versions[key], status, now, content_form="settled", **more)
            for key, (status, more) in states.items()
        ]
        write_acks(connection, ledger.tables.ack, Acks.of(acks))
    shop.change(["CHANGED", "CHANGED-IN-A-JOB"])
    return shop


def written_versions(shop: Shop) -> dict[str, str]:
    """Versions as the database writes them."""
    text = sa.cast(ORDERS.c.updated_at, sa.String(40) if shop.engine.dialect.name != "sqlite" else sa.Text)
    with shop.engine.connect() as connection:
        return {key: version for key, version in connection.execute(sa.select(ORDERS.c.order_id, text))}  # noqa: C416


def status(shop: Shop, *options: str, code: int = 0) -> Any:
    tap, _ = shop.configs()
    result = ask(shop, "--tap-config", str(tap), "--json", *options)
    assert result.exit_code == code, result.output
    return json.loads(result.stdout)


def ask(shop: Shop, *options: str) -> Result:
    return CliRunner().invoke(main, ["status", "--ack-url", shop.ack_url, *options])


@pytest.mark.parametrize("place", ["beside", "elsewhere"])
@pytest.mark.parametrize("engine", ENGINES)
def test_it_counts_what_the_tap_would_send_and_what_waits(
    engine: str,
    place: str,
    zoho_emulator: EmulatorProcess,
    tmp_path: Path,
) -> None:
    elsewhere = f"sqlite:///{tmp_path / 'elsewhere.sqlite'}"
    with fresh_database(engine, tmp_path) as url, opened(url if place == "beside" else elsewhere) as ledger:
        shop = filled(url, ledger, zoho_emulator, tmp_path)
        shop.tap_config = {"page_size": 2}
        (stream,) = status(shop)["streams"]
        backlog = stream["backlog"]
        sent = [line for line in shop.tap().out.splitlines() if '"RECORD"' in line]
        assert backlog["new_or_changed"] + backlog["due"] == len(sent) == 4
        assert (backlog["due"], backlog["behind_a_job"], backlog["settling"]) == (1, 1, 1)
        assert stream["unsynced"] == 6
        assert backlog["oldest"]["key"] == "NEW"
        shop.engine.dispose()


def test_the_health_check_sees_orders_that_no_run_has_read(
    ledger: Ledger, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = Shop(ledger.engine.url.render_as_string(hide_password=False), zoho_emulator, tmp_path)
    assert status(shop, "--max-age", "15m")["streams"][0]["oldest_unsynced_seconds"] is None
    with ledger.connect() as connection:
        twenty_minutes_ago = ledger.now(connection) - timedelta(minutes=20)
    shop.insert(["A-1"], updated_at=twenty_minutes_ago)
    document = status(shop, "--max-age", "15m", code=1)
    assert document["complaints"] == ["stream orders: order A-1 is unsynced and was changed 20 min ago"]
    assert 1200 <= document["streams"][0]["oldest_unsynced_seconds"] < 1300
    assert status(shop, "--max-age", "1h")["healthy"] is True
    assert status(shop, "--max-age", "15m", "--ledger-only")["streams"][0]["unsynced"] is None
    tap, _ = shop.configs()
    told = ask(shop, "--tap-config", str(tap)).output
    assert "unsynced: 1 = 1 new or changed" in told
    assert "the oldest unsynced: A-1, changed at" in told
    assert "20 min ago" in told


def test_without_settings_of_the_tap_it_says_what_is_not_counted(
    ledger: Ledger, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = Shop(ledger.engine.url.render_as_string(hide_password=False), zoho_emulator, tmp_path)
    result = ask(shop, "--max-age", "15m")
    assert result.exit_code == 0
    assert (
        "orders that no run has read yet are not counted: no settings of the tap (LEGACY_DATABASE_URL" in result.output
    )


def test_a_ledger_that_is_not_the_taps_is_not_mixed_with_its_orders(
    ledger: Ledger, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    shop = Shop(ledger.engine.url.render_as_string(hide_password=False), zoho_emulator, tmp_path)
    shop.tap_config = {"ack_url": f"sqlite:///{tmp_path / 'other.sqlite'}"}
    (stream,) = status(shop)["streams"]
    assert (stream["unsynced"], stream["not_counted"]) == (None, "the tap's settings name another ledger")
    assert not (tmp_path / "other.sqlite").exists()


def test_a_table_that_does_not_answer_in_time_is_a_complaint_and_not_waited_for(
    ledger: Ledger, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    elsewhere = Ledger.open(f"sqlite:///{tmp_path / 'elsewhere.sqlite'}")
    elsewhere.ensure_tables()
    Lease.acquire(elsewhere, "orders").release("finished", dict.fromkeys(RUN_COUNTS, 0), credits_spent=0)
    url = elsewhere.engine.url.render_as_string()
    shop = Shop(ledger.engine.url.render_as_string(hide_password=False), zoho_emulator, tmp_path, ack_url=url)
    shop.insert(["A-1"])
    lock = {"sqlite": "BEGIN EXCLUSIVE", "postgresql": "LOCK TABLE orders"}.get(
        shop.engine.dialect.name, "LOCK TABLES orders WRITE"
    )
    with shop.engine.connect() as connection:
        connection.exec_driver_sql(lock)
        document = status(shop, "--within", "1s", "--max-age", "15m", code=1)
        connection.rollback()
        connection.invalidate()
    (complaint,) = document["complaints"]
    assert complaint.startswith("stream orders: unsynced orders cannot be counted: ")
    assert "took over 1 s" in complaint
    elsewhere.close()
