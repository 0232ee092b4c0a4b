"""Where nobody has proved how Zoho behaves, the target writes every order right under each position."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin, get_type_hints

import forked
import pytest
from probed_org import combination

from orders_sync.probing.profiles import write_profile
from target_zoho_crm.org_profile import OrgProfile
from zoho_crm_emulator.switches import Switches

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

FREE = {
    "retry_after": 1,
    "cost_upload": 1,
    "cost_bulk_poll": 1,
    "cost_bulk_result": 1,
    "time_zone": "Asia/Kolkata",
    "zgid": "60098765432",
}
FREE |= {
    "search_lag_seconds": 0,
    "default_date_format": "dd.MM.yyyy",
    "default_datetime_format": "dd.MM.yyyy HH:mm",
    "max_rows": 2,
    "child_rows": 100,
    "max_read_rows": 2,
}
NOT_ABOUT_WRITING = {"max_rows"}  # a limit that a setting has to match


def worlds() -> list[dict[str, Any]]:
    """Positions of all switches together, so that each position but the default one stands in one of them."""
    usual = Switches()
    others: dict[str, list[Any]] = {}
    for name, hint in get_type_hints(Switches).items():
        if name not in NOT_ABOUT_WRITING:
            choices = get_args(hint) if get_origin(hint) is Literal else (FREE[name],)
            others[name] = [choice for choice in choices if choice != getattr(usual, name)]
    most = max(map(len, others.values()))
    return [{name: choices[turn % len(choices)] for name, choices in others.items()} for turn in range(most)]


SCHEMA = {
    "parent_id": {"type": "string"},
    "Customer_Name": {"type": ["string", "null"]},
    "Status": {"type": ["string", "null"]},
    "Total_Amount": {"type": ["number", "null"]},
    "Loyalty_Points": {"type": ["integer", "null"]},
    "Order_Date": {"type": ["string", "null"], "format": "date"},
    "Ordered_At": {"type": ["string", "null"], "format": "date-time"},
    "Is_Gift": {"type": ["boolean", "null"]},
    "Partners": {},
}


def order(number: int) -> dict[str, Any]:
    return {
        "parent_id": f"O-{number}",
        "Customer_Name": "Ann",
        "Status": "Paid",
        "Total_Amount": 12.25,
        "Loyalty_Points": 123456789012345678,
        "Order_Date": "2026-01-31",
        "Ordered_At": "2026-01-31T08:30:15+00:00",
        "Is_Gift": True,
    }


def assert_written_right(
    zoho_emulator: EmulatorProcess, tmp_path: Path, channel: str, world: Mapping[str, Any], **more: Any
) -> None:
    """Write orders twice by this channel in this world; `more` are further settings."""
    admin = zoho_emulator.admin
    partners = admin.put_records("Accounts", [{"Account_Name": name} for name in "AB"])
    admin.add_subform("Orders", "Partners", data_type="multiselectlookup", lookup="Accounts")
    admin.switch(**world)
    config = {
        "client_id": zoho_emulator.client_id,
        "client_secret": zoho_emulator.client_secret,
        "refresh_token": zoho_emulator.refresh_token,
        **dict.fromkeys(("accounts_url", "api_url", "upload_url"), zoho_emulator.base_url),
        "ack_url": f"sqlite:///{tmp_path}/ledger.sqlite",
        "channel": channel,
        "fields": {"Partners": {}},
        **more,
    }
    orders = [{**order(number), "Partners": partners} for number in range(3)]
    orders.append({**order(9), "parent_id": "bad", "Status": "Shiped", "Partners": []})
    head = {"type": "SCHEMA", "stream": "orders", "schema": {"properties": SCHEMA}, "key_properties": ["parent_id"]}
    lines = [head, *({"type": "RECORD", "stream": "orders", "record": one} for one in orders)]
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "in.singer").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    arguments = ["--config", tmp_path / "config.json", "--input", tmp_path / "in.singer"]
    command = forked.command("target-zoho-crm", arguments)
    for _ in range(2):  # the second time all of it is there
        ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
        assert ended.returncode == 0, ended.stderr
        assert "read 4 = 3 synced" in ended.stderr
        assert "1 rejected" in ended.stderr
        admin.revoke_tokens()
    held = {record["parent_id"]: record for record in admin.records("Orders")}
    assert set(held) == {"O-0", "O-1", "O-2"}
    assert {(r["Order_Date"], str(r["Total_Amount"]), r["Loyalty_Points"]) for r in held.values()} == {
        ("2026-01-31", "12.25", "123456789012345678")
    }
    assert all([row["Partners"]["id"] for row in record["Partners"]] == partners for record in held.values())


@pytest.mark.parametrize("world", worlds(), ids=("first", "second", "third"))
@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_orders_are_written_right_under_each_position(
    zoho_emulator: EmulatorProcess, tmp_path: Path, channel: str, world: dict[str, Any]
) -> None:
    assert_written_right(zoho_emulator, tmp_path, channel, world)


@pytest.mark.nightly
@pytest.mark.parametrize("profiled", [False, True], ids=["without_profile", "with_profile"])
@pytest.mark.parametrize("seed", range(200))
def test_orders_are_written_right_under_each_combination_that_a_probe_may_find(
    zoho_emulator: EmulatorProcess, tmp_path: Path, seed: int, *, profiled: bool
) -> None:
    world = combination(seed)
    profile = tmp_path / "zoho-profile.json"
    write_profile(profile, OrgProfile(positions=world))
    more = {"profile": str(profile)} if profiled else {}
    assert_written_right(zoho_emulator, tmp_path, ("upsert", "bulk_write")[seed % 2], world, **more)
