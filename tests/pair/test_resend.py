"""`orders-sync resend`: synced orders are written once more, those that are meant and no others."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from pair_of_plugins import ORDERS, Shop

from orders_sync.cli import main
from sync_ledger import resending
from sync_processes.exit_codes import ExitCode

KEYS = [f"SO-{number}" for number in range(7)]


def resend(shop: Shop, *arguments: str, code: int = ExitCode.OK, typed: str = "") -> str:
    ended = CliRunner().invoke(main, ["resend", *arguments, "--ack-url", shop.ack_url], input=typed)
    assert ended.exit_code == code, ended.output
    return ended.output


def overwrite(shop: Shop) -> None:
    """Let a person change every record in the CRM."""
    edits = [{"parent_id": key, "Notes": "by hand"} for key in KEYS]
    shop.emulator.admin.put_records("Orders", edits)


def written_by_hand(shop: Shop) -> list[str]:
    return sorted(key for key, record in shop.crm().items() if record.get("Notes") == "by hand")


def load(shop: Shop) -> None:
    shop.target_config["skip_unchanged"] = True
    shop.insert(KEYS)
    assert shop.run().summary["synced"] == len(KEYS)
    overwrite(shop)


@pytest.fixture
def loaded(shop: Shop) -> Shop:
    """Seven synced orders, which a person has changed in the CRM."""
    load(shop)
    assert shop.run().summary["read"] == 0
    return shop


def test_named_orders_are_written_once_more_although_nothing_changed(loaded: Shop) -> None:
    assert "2 orders are due" in resend(loaded, "SO-1", "SO-4", "--yes")
    assert loaded.run().summary["synced"] == 2
    assert written_by_hand(loaded) == sorted({*KEYS} - {"SO-1", "SO-4"})
    assert loaded.run().summary["read"] == 0


def test_all_orders_are_made_due_in_several_transactions(any_shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    load(any_shop)
    monkeypatch.setattr(resending, "ROWS_AT_A_TIME", 3)
    assert "7 orders are due" in resend(any_shop, "--all", typed="y\n")
    assert any_shop.run().summary["synced"] == 7
    assert written_by_hand(any_shop) == []


def test_orders_of_one_run_and_orders_since_a_time_are_those_and_no_others(loaded: Shop) -> None:
    before = datetime.now(timezone.utc) + timedelta(hours=1)
    assert "0 orders are due" in resend(loaded, "--since", before.isoformat(), "--yes")
    loaded.change(["SO-2", "SO-3"], notes="changed")
    loaded.run()
    (run, *_) = json.loads(status(loaded))["streams"][0]["runs"]
    assert "2 orders are due" in resend(loaded, "--run", run["run_id"][:12], "--yes")
    assert "5 orders are due" in resend(loaded, "--since", "2026-01-01", "--yes")
    assert loaded.run().summary["synced"] == 7


def test_a_dry_run_and_a_no_change_nothing_and_name_the_price(loaded: Shop) -> None:
    assert "7 synced orders, for about 1 credits" in resend(loaded, "--all", "--dry-run")
    resend(loaded, "--all", code=ExitCode.FAILED, typed="n\n")
    assert loaded.run().summary["read"] == 0


def test_what_cannot_be_meant_is_named(loaded: Shop) -> None:
    output = resend(loaded, "SO-1", "SO-99", "--yes", code=ExitCode.FAILED)
    assert "SO-99 is left as it is: not in the ledger" in output
    assert "no run has this id" in resend(loaded, "--run", "zz", code=ExitCode.FAILED)
    assert "is no time" in resend(loaded, "--since", "yesterday", code=ExitCode.SET_UP)
    assert "is no time" in resend(loaded, "--since", "9999-12-31T23:59:59-14:00", code=ExitCode.SET_UP)
    assert "id is needed" in resend(loaded, "--run", "", "--yes", code=ExitCode.SET_UP)  # "$ID", and no such variable
    assert "is no text" in resend(loaded, "SO-\udcff", code=ExitCode.SET_UP)  # as a shell gives a byte of LATIN1
    resend(loaded, code=ExitCode.SET_UP)
    resend(loaded, "SO-1", "--all", code=ExitCode.SET_UP)
    assert loaded.run().summary["synced"] == 1


def test_orders_that_left_the_table_are_named_until_somebody_dismisses_them(any_shop: Shop) -> None:
    load(any_shop)
    resend(any_shop, "SO-1", "SO-4", "--yes")
    with any_shop.engine.begin() as connection:
        connection.execute(sa.delete(ORDERS).where(ORDERS.c.order_id == "SO-1"))
    ended = any_shop.run()
    assert ended.summary["synced"] == 1
    line = (
        "1 orders are due again, and orders has none of them (deleted, or left out by `filter`): 'SO-1'; `orders-sync"
    )
    assert line in ended.err
    assert line in any_shop.run().err
    CliRunner().invoke(main, ["dismiss", "SO-1", "--ack-url", any_shop.ack_url])
    assert "are due again" not in any_shop.run().err


def status(shop: Shop) -> Any:
    return CliRunner().invoke(main, ["status", "--json", "--ack-url", shop.ack_url]).output
