"""Owners and other users by e-mail: the same in both channels, and nobody unknown or gone."""

from __future__ import annotations

from typing import Any

import pytest
from pair_of_plugins import Shop

CHANNELS = ["upsert", "bulk_write"]
ADMIN, CLERK, FORMER = "emuladmin@shops.com", "emulclerk@shops.com", "formerclerk@shops.com"


@pytest.fixture
def owned(shop: Shop) -> Shop:
    """A shop whose orders name their owner in `customer_name`, and in `notes` who packs them."""
    shop.emulator.admin.add_field("Orders", "Packed_By", "userlookup")
    sources = {"Owner": "customer_name", "Packed_By": "notes"}
    shop.target_config = {"fields": {name: {"source": by, "find_by": "email"} for name, by in sources.items()}}
    return shop


def people(shop: Shop) -> dict[str, tuple[Any, Any]]:
    """The ids of owner and packer by the order's key."""
    crm = shop.crm()
    return {key: (record["Owner"]["id"], (record.get("Packed_By") or {}).get("id")) for key, record in crm.items()}


@pytest.mark.parametrize("channel", CHANNELS)
def test_users_are_found_by_their_e_mail(owned: Shop, channel: str) -> None:
    owned.target_config["channel"] = channel
    for key, email in {"A": ADMIN, "B": f" {CLERK.upper()} ", "C": None}.items():
        owned.insert([key], customer_name=email, notes=email)
    ended = owned.run()
    assert ended.code == 0, ended.err
    admin, clerk = "4876876000000000301", "4876876000000000302"
    assert people(owned) == {"A": (admin, admin), "B": (clerk, clerk), "C": (admin, None)}


@pytest.mark.parametrize("channel", CHANNELS)
def test_an_unknown_user_and_one_who_left_refuse_the_order(owned: Shop, channel: str) -> None:
    owned.target_config["channel"] = channel
    for key, email in {"A": ADMIN, "B": "emulclerk@shop.com", "C": FORMER}.items():
        owned.insert([key], customer_name=email, notes=None)
    ended = owned.run()
    assert ended.code == 0, ended.err
    assert set(people(owned)) == {"A"}
    acks = owned.acks()
    told = {key: (acks[key].status, acks[key].error_code, acks[key].error_field) for key in "BC"}
    assert told == dict.fromkeys("BC", ("rejected", "INVALID_DATA", "Owner"))
    assert acks["B"].error_message == (
        "Owner is not the e-mail of a user: nobody in the org has 'emulclerk@shop.com'. Did you mean "
        f"{CLERK} or {ADMIN}?"
    )
    assert acks["C"].error_message == f"Owner is not the e-mail of an active user: {FORMER!r} is not active"
