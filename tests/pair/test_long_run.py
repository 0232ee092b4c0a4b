"""A run of more than a minute says how far it has come, while it waits too."""

from __future__ import annotations

import re
import threading

import pytest
from pair_of_plugins import Finished, Shop

LONG_SECONDS = 75


@pytest.mark.nightly
def test_a_run_that_waits_for_zoho_says_how_far_it_has_come(shop: Shop) -> None:
    shop.insert([f"SO-{number}" for number in range(250)])
    admin = shop.emulator.admin
    hold = admin.add_fault("upsert", kind="hold_before", times=1)
    ended: list[Finished] = []
    run = threading.Thread(target=lambda: ended.append(shop.run()))
    run.start()
    admin.wait_held(hold)
    run.join(LONG_SECONDS)
    admin.release(hold)
    run.join()
    assert ended[0].code == 0, ended[0].err
    lines = [line for line in ended[0].err.splitlines() if "so far: 250 read, " in line]
    assert len(lines) == 1, ended[0].err
    assert re.search(r"\b(50|100) wait for it", lines[0]), "one call of the three was held"
