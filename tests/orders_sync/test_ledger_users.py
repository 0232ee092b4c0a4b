"""`orders-sync doctor` and `init`, where a database user may not write the ledger."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from pair_of_plugins import Shop
from reading_user import reader_of

from orders_sync.cli import main
from sync_ledger.ledger import Ledger

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


@pytest.fixture
def shop(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(postgresql_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()


def run(shop: Shop, command: str, *options: str) -> Result:
    tap, target = shop.configs()
    return CliRunner().invoke(main, [command, "--tap-config", str(tap), "--target-config", str(target), *options])


def errors(shop: Shop) -> dict[str, str]:
    """What doctor says of each error, with its remedy."""
    found = json.loads(run(shop, "doctor", "--json").output)["findings"]
    return {each["subject"]: f"{each['message']} {each['remedy']}" for each in found if each["result"] == "error"}


def test_a_user_without_the_right_to_create(shop: Shop, postgresql_url: str) -> None:
    with reader_of(postgresql_url) as reader_url:
        shop.tap_config["ack_url"] = shop.target_config["ack_url"] = reader_url
        found = errors(shop)
        assert set(found) == {"Ledger rights"}
        assert "permission denied" in found["Ledger rights"]
        assert "may create and write tables there" in found["Ledger rights"]


def test_tables_that_may_only_be_read(shop: Shop, postgresql_url: str) -> None:
    ledger = Ledger.open(postgresql_url)
    ledger.ensure_tables()
    ledger.close()
    with reader_of(postgresql_url) as reader_url:
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("GRANT SELECT ON ALL TABLES IN SCHEMA public TO PUBLIC")
        shop.tap_config["ack_url"] = shop.target_config["ack_url"] = reader_url
        found = errors(shop)
        assert set(found) == {"Ledger rights"}
        assert "permission denied" in found["Ledger rights"]


def test_a_tap_without_ack_url_opens_the_ledger_as_a_user_who_may_only_read_the_orders(
    shop: Shop, postgresql_url: str
) -> None:
    with reader_of(postgresql_url) as reader_url:
        with shop.engine.begin() as connection:
            connection.exec_driver_sql("GRANT SELECT ON orders TO PUBLIC")
        shop.tap_config["sqlalchemy_url"] = reader_url
        shop.tap_config["ack_url"] = None
        shop.target_config["ack_url"] = postgresql_url
        found = errors(shop)
        assert set(found) == {"Ledger rights of the tap"}
        assert "the tap has no `ack_url`" in found["Ledger rights of the tap"]
        assert "the same `ack_url` as the target" in found["Ledger rights of the tap"]
        # The ledger is the target's first: `init` makes it as that user.
        assert "The ledger's tables are made." in run(shop, "init", "--yes").output
