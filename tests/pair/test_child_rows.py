"""Rows of a subform against Zoho's limit of 200 in a file, or of each order: all there, for what was foretold."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from shop_with_lines import TO_SUBFORM, ShopWithLines

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ORDERS = 620  # a whole number of calls, but for the last


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[ShopWithLines]:
    made = ShopWithLines(sqlite_url, zoho_emulator, tmp_path, write_to=dict(TO_SUBFORM))
    made.target_config["channel"] = "bulk_write"
    made.insert(f"SO-{number}" for number in range(ORDERS))
    made.add_lines({f"SO-{number}": 1 for number in range(ORDERS)})
    yield made
    made.engine.dispose()


@pytest.mark.parametrize(("per", "jobs", "credits_"), [("file", 1, 500 + 62), ("parent", 2, 1_000)])
def test_rows_of_a_subform_are_all_there_for_the_credits_foretold(
    shop: ShopWithLines, per: str, jobs: int, credits_: int
) -> None:
    shop.target_config["child_rows_per"] = per
    shop.emulator.admin.switch(child_rows_per=per)
    first = shop.run()
    assert first.code == 0, first.err
    shop.assert_whole()
    assert f"{credits_:,} credits in all" in first.err
    assert ("(`child_rows`)" in first.err) == (per == "file")
    stats = shop.emulator.admin.stats()
    assert sum(stats["jobs"].values()) == jobs
    spent = stats["credits"]["by_kind"]
    assert spent["bulk_write"] + spent.get("write", 0) == credits_
