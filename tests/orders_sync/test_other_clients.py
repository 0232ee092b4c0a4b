"""`orders-sync doctor` says when another client wrote into the module since the last run."""

from __future__ import annotations

import json
from typing import Any

from click.testing import CliRunner
from pair_of_plugins import Shop

from orders_sync.cli import main
from zoho_crm_emulator.emulator import USERS


def warning(shop: Shop) -> dict[str, Any] | None:
    tap, target = shop.configs()
    result = CliRunner().invoke(main, ["doctor", "--json", "--tap-config", str(tap), "--target-config", str(target)])
    found = json.loads(result.output)["findings"]
    return next((each for each in found if each["subject"] == "Other clients"), None)


def test_writes_with_the_rights_of_the_tokens_user_since_the_last_run_are_a_warning(small: Shop) -> None:
    admin = small.emulator.admin
    small.insert(["SO-1", "SO-2"])
    assert small.run().code == 0
    admin.advance_clock(600)
    admin.put_records("Orders", [{"parent_id": "SO-2"}], user=str(next(reversed(USERS))))
    assert warning(small) is None, "what people change is no client of ours"
    admin.put_records("Orders", [{"parent_id": "SO-1"}])
    found = warning(small)
    assert found is not None
    assert found["result"] == "warning"
    assert found["message"].startswith("1 of the last changed records of Orders were written with the rights")
