"""Two writes for one order are never under way together, since Zoho orders neither calls nor jobs."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from some_tap import Sales

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

PATIENCE_SECONDS = 30


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_newer_version_waits_until_the_older_one_has_landed(
    zoho_emulator: EmulatorProcess, tmp_path: Path, channel: str
) -> None:
    sales, admin = Sales(zoho_emulator, tmp_path), zoho_emulator.admin
    hold = admin.add_fault("upsert" if channel == "upsert" else "bulk_create", kind="hold_before", times=1)
    orders = [("A", "old"), ("B", "old"), ("A", "new"), ("C", "new")]
    records = [{"id": key, "notes": notes} for key, notes in orders]
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(sales.send, *records, channel=channel, bulk_rows=2)
        admin.wait_held(hold)
        end = time.monotonic() + PATIENCE_SECONDS
        while "C" not in sales.crm() and time.monotonic() < end:
            time.sleep(0.01)
        others = set(sales.crm())
        admin.release(hold)
        run.result()
    assert others == {"C"}
    assert {key: order["Notes"] for key, order in sales.crm().items()} == {"A": "new", "B": "old", "C": "new"}
