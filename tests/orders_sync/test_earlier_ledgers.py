"""A ledger of another version: `doctor` and `init` name it and what it becomes, and `init` brings it up to date."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pair_of_plugins import Shop

from orders_sync.cli import main
from sync_ledger.ledger import Ledger
from sync_ledger.versions import LEDGER_VERSION

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(engine_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(engine_url, zoho_emulator, tmp_path)
    assert orders_sync(made, "init", "--yes").exit_code == 0
    yield made
    made.engine.dispose()


def orders_sync(shop: Shop, command: str, *options: str) -> Result:
    tap, target = shop.configs()
    files = ["--tap-config", str(tap), "--target-config", str(target)]
    return CliRunner().invoke(main, [command, *files, *options])


def ledger_rights(shop: Shop) -> dict[str, str]:
    found = json.loads(orders_sync(shop, "doctor", "--json").output)["findings"]
    return next(each for each in found if each["subject"] == "Ledger rights")


@pytest.fixture
def ledger(shop: Shop) -> Iterator[Ledger]:
    made = Ledger.open(shop.engine.url.render_as_string(hide_password=False))
    yield made
    made.close()


def note_version(ledger: Ledger, version: int) -> None:
    with ledger.begin() as connection:
        connection.execute(sa.update(ledger.tables.version).values(version=version))


@pytest.mark.parametrize("lacks_a_table", [True, False])
def test_a_ledger_of_an_earlier_version_is_named_and_brought_up_to_date(
    shop: Shop, ledger: Ledger, *, lacks_a_table: bool
) -> None:
    note_version(ledger, LEDGER_VERSION - 1)
    if lacks_a_table:
        with ledger.begin() as connection:
            ledger.tables.plan.drop(connection)
    found = ledger_rights(shop)
    assert found["result"] == "ok"
    assert (
        f"is of version {LEDGER_VERSION - 1}, `orders-sync init` or the next run makes it version {LEDGER_VERSION},"
        in (found["message"])
    )
    assert "not there" not in found["message"]
    shown = orders_sync(shop, "init", "--dry-run").output
    assert f"it is of version {LEDGER_VERSION - 1}, and is to become version {LEDGER_VERSION}" in shown
    assert ledger.version() == LEDGER_VERSION - 1
    assert "The ledger is brought up to date." in orders_sync(shop, "init", "--yes").output
    assert (ledger.version(), ledger.missing_tables()) == (LEDGER_VERSION, [])


def test_a_ledger_of_a_later_version_is_an_error(shop: Shop, ledger: Ledger) -> None:
    note_version(ledger, LEDGER_VERSION + 1)
    found = ledger_rights(shop)
    assert found["result"] == "error"
    assert f"it has version {LEDGER_VERSION + 1}" in found["message"]
