"""Each kind of difference between what was sent and what the CRM holds is seen before the eleventh order is written."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from contact_messages import compared_at_once, config, order, send, table

from target_zoho_crm.delivery import first_contact
from target_zoho_crm.delivery.contact_report import FirstContactError
from zoho_crm_emulator.control import EmulatorProcess
from zoho_crm_emulator.emulator import USERS

if TYPE_CHECKING:
    from collections.abc import Mapping

OTHER_USER = next(reversed(USERS))
KINDS: Mapping[str, tuple[str, str, dict[str, Any]]] = {
    "rounded decimals": ("Total_Amount", "rounded", {"does": "round", "value": 1}),
    "shifted zone": ("Ordered_At", "shifted time", {"does": "shift", "value": -7200}),
    "cut text": ("Notes", "cut", {"does": "cut", "value": 12}),
    "pick list replaced": ("Status", "other choice", {"does": "set", "value": "Returned"}),
    "owner replaced": ("Owner", "other user", {"does": "set", "value": OTHER_USER}),
    "automation overwrites a field": ("Country", "overwritten", {"does": "set", "value": "Elsewhere"}),
    "another unique field matched": ("Invoice_No", "other match", {}),
    "Name filled by Zoho": ("Name", "filled", {"does": "set", "value": "Order of today"}),
    "case folded key": ("parent_id", "case folded", {"does": "lower"}),
    "blanks trimmed": ("Customer_Name", "blanks trimmed", {"does": "trim"}),
    "null kept": ("Item_Count", "kept", {"does": "keep", "value": 7}),
    "line order": ("Lines", "line order", {"does": "reverse"}),
}


def contact(folder: Path, *, by: str, matched: int, count: int, **further: Any) -> tuple[dict[str, str], int]:
    """What a first contact shows where an org does all of it to writes of one way; and how many orders are written."""
    with EmulatorProcess() as emulator, compared_at_once(folder):
        admin = emulator.admin
        admin.switch(bulk_duplicate_checks="all")
        admin.add_field("Orders", "Invoice_No", "text", unique=True)
        admin.put_records("Orders", [{"Name": "a person's", "Invoice_No": f"I-{matched}"}], user=str(OTHER_USER))
        admin.set_alterations("Orders", *({"field": f, "by": by, **made} for f, _, made in KINDS.values() if made))
        with pytest.raises(FirstContactError) as stopped:
            send(config(emulator, folder, **further), map(order, range(count)))
        return table(stopped.value), sum(bool(each.get("parent_id")) for each in admin.records("Orders"))


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int]:
    return contact(tmp_path_factory.mktemp("calls"), by="calls", matched=3, count=30)


@pytest.fixture(scope="module")
def seen_of_jobs(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, str], int]:
    """The same of jobs alone; lines follow by jobs of their own."""
    folder = tmp_path_factory.mktemp("jobs")
    return contact(folder, by="jobs", matched=23, count=110, bulk_rows=50, bulk_threshold=20, lines=None)


@pytest.mark.parametrize("what", KINDS)
def test_a_difference_is_shown_before_the_eleventh_order_is_written(
    what: str, seen: tuple[dict[str, str], int]
) -> None:
    shown, written = seen
    field, kind, _ = KINDS[what]
    assert shown.get(field) == kind
    assert written <= first_contact.FIRST_ORDERS


@pytest.mark.parametrize("what", sorted(KINDS.keys() - {"line order"}))
def test_a_difference_that_only_jobs_make_is_shown_before_the_second_job(
    what: str, seen_of_jobs: tuple[dict[str, str], int]
) -> None:
    shown, written = seen_of_jobs
    field, kind, _ = KINDS[what]
    assert shown.get(field) == kind
    assert written == first_contact.FIRST_ORDERS + 50


def test_nothing_else_is_shown(seen: tuple[dict[str, str], int]) -> None:
    assert set(seen[0]) == {field for field, _, _ in KINDS.values()}
