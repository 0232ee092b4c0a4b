"""What an org makes of lines is seen as what it makes of orders is: by calls, by jobs, and in a module of their own."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contact_messages import compared_at_once, config, order, send, table

from target_zoho_crm.delivery import first_contact
from target_zoho_crm.delivery.contact_report import FirstContactError
from zoho_crm_emulator.control import EmulatorProcess

if TYPE_CHECKING:
    from collections.abc import Mapping

KINDS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "rounded decimals": ("Quantity", "rounded", {"does": "round", "value": 1}),
    "shifted zone": ("Packed_At", "shifted time", {"does": "shift", "value": -7200}),
    "cut text": ("Note", "cut", {"does": "cut", "value": 4}),
    "pick list replaced": ("Size", "other choice", {"does": "set", "value": "Small"}),
    "automation overwrites a field": ("Sku", "overwritten", {"does": "set", "value": "Elsewhere"}),
    "blanks trimmed": ("Product", "blanks trimmed", {"does": "trim"}),
    "null kept": ("Line_Number", "kept", {"does": "keep", "value": 7}),
}
WAYS = {
    "calls": ("Lines", "calls", 30, {}),
    "jobs": ("Lines", "jobs", 110, {"bulk_rows": 50, "bulk_threshold": 20, "child_rows_per": "parent"}),
    "module": ("Order_Lines", "calls", 30, {"lines": {"key_property": "line"}}),
}


def contact(folder: Path, way: str) -> tuple[dict[str, str], int]:
    """What a first contact shows where an org does all of it to lines; and how many orders are written."""
    module, by, count, further = WAYS[way]
    with EmulatorProcess() as emulator, compared_at_once(folder):
        admin = emulator.admin
        admin.add_field(module, "Size", "picklist", pick_list=["Large", "Small"])
        admin.add_field(module, "Packed_At", "datetime")
        admin.set_alterations(module, *({"field": field, "by": by, **made} for field, _, made in KINDS.values()))
        admin.set_alterations("Orders", {"field": "Lines", "does": "reverse", "by": by})
        with pytest.raises(FirstContactError) as stopped:
            send(config(emulator, folder, **further), map(order, range(count)))
        return table(stopped.value), sum(1 for _ in admin.records("Orders"))


@pytest.fixture(scope="module", params=WAYS)
def seen(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, dict[str, str], int]:
    return request.param, *contact(tmp_path_factory.mktemp(request.param), request.param)


@pytest.mark.parametrize("what", KINDS)
def test_a_difference_of_lines_is_shown(what: str, seen: tuple[str, dict[str, str], int]) -> None:
    way, shown, written = seen
    field, kind, _ = KINDS[what]
    assert shown.get(f"{WAYS[way][0]}.{field}") == kind
    assert written == first_contact.FIRST_ORDERS + (50 if way == "jobs" else 0)


def test_nothing_else_is_shown_but_the_order_of_rows(seen: tuple[str, dict[str, str], int]) -> None:
    way, shown, _ = seen
    module = WAYS[way][0]
    order_of_rows = {} if way == "module" else {"Lines": "line order"}
    assert shown == {f"{module}.{field}": kind for field, kind, _ in KINDS.values()} | order_of_rows


@pytest.mark.parametrize("way", WAYS)
def test_lines_that_hold_what_was_sent_stop_nothing(tmp_path: Path, way: str) -> None:
    module, _, count, further = WAYS[way]
    with EmulatorProcess() as emulator, compared_at_once(tmp_path):
        emulator.admin.add_field(module, "Size", "picklist", pick_list=["Large", "Small"])
        emulator.admin.add_field(module, "Packed_At", "datetime")
        send(config(emulator, tmp_path, **further), map(order, range(count)))
        assert sum(1 for _ in emulator.admin.records("Orders")) == count
