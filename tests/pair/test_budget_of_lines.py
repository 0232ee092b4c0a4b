"""A credit budget that ends between an order and its lines: the run ends well, and later runs finish the order."""

from __future__ import annotations

from pathlib import Path

import pytest
from shop_with_lines import ShopWithLines

from zoho_crm_emulator.control import EmulatorProcess

WAYS = [("module", "upsert"), ("subform", "upsert"), ("module", "bulk_write"), ("subform", "bulk_write")]


def spent(emulator: EmulatorProcess) -> int:
    return int(emulator.admin.stats()["credits"]["spent"])


@pytest.mark.nightly
@pytest.mark.parametrize(("way", "channel"), WAYS)
def test_orders_whose_lines_cannot_be_paid_are_left_to_later_runs(
    sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path, way: str, channel: str
) -> None:
    shop = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to={"write_to": way})
    shop.target_config["channel"] = channel
    keys = [f"SO-{number}" for number in range(30)]
    shop.insert_whole(keys, most_lines=8)
    assert shop.run().code == 0
    shop.change_lines(keys)
    job = 500 if channel == "bulk_write" else 0
    left = 0
    for more in range(8, 20, 2):
        shop.target_config["credit_budget"] = job + more
        start = spent(zoho_emulator)
        ended = shop.run()
        assert ended.code == 0, ended.err
        assert spent(zoho_emulator) - start <= job + more
        left += "are left to the next run: this one may spend no more credits" in ended.err
    assert left
    del shop.target_config["credit_budget"]
    assert shop.run().code == 0
    shop.assert_whole()
    shop.engine.dispose()
