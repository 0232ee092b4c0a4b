"""Each kind of difference between what was sent and what the CRM holds is seen before the eleventh order is written."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from target_zoho_crm.delivery import first_contact
from target_zoho_crm.delivery.contact_report import FirstContactError
from target_zoho_crm.target import TargetZohoCRM
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


def order(number: int) -> dict[str, Any]:
    lines = [{"line": f"{number}-{line}", "product": f"thing {line}"} for line in range(3)]
    return {
        "id": f"SO-{number}",
        "total_amount": "12.34",
        "ordered_at": "2026-01-02T03:04:05+00:00",
        "notes": "please ring twice",
        "status": "Paid",
        "owner": str(next(iter(USERS))),
        "country": "Iceland",
        "invoice_no": f"I-{number}",
        "customer_name": "  Zoë",
        "item_count": None,
        "lines": lines,
    }


def config(emulator: EmulatorProcess, folder: Path, **further: Any) -> dict[str, Any]:
    secrets = {name: getattr(emulator, name) for name in ("client_id", "client_secret", "refresh_token")}
    return {
        **secrets,
        **dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url),
        "ack_url": f"sqlite:///{folder}/ledger.sqlite",
        "fields": {"Owner": {}},
        "lines": {"write_to": "subform", "key_property": "line"},
    } | further


def send(settings: dict[str, Any], count: int) -> None:
    line = {"type": "object", "properties": {"line": {"type": "string"}, "product": {"type": "string"}}}
    properties = {name: {"type": ["string", "null"]} for name in order(0)}
    properties |= {"ordered_at": {"type": "string", "format": "date-time"}, "lines": {"type": "array", "items": line}}
    head = {"type": "SCHEMA", "stream": "orders", "schema": {"properties": properties}, "key_properties": ["id"]}
    records = ({"type": "RECORD", "stream": "orders", "record": order(number)} for number in range(count))
    messages = "".join(f"{json.dumps(each)}\n" for each in (head, *records))
    given = {name: value for name, value in settings.items() if value is not None}
    TargetZohoCRM(config=given).listen(io.StringIO(messages))


def table(error: FirstContactError) -> dict[str, str]:
    """Field and kind of the rows of an error's table."""
    rows = [re.split(" {2,}", text.strip()) for text in error.lines if text.startswith("  ")]
    return {name: kind for name, kind, *_ in rows[1:]}


def contact(folder: Path, *, by: str, matched: int, count: int, **further: Any) -> tuple[dict[str, str], int]:
    """What a first contact shows where an org does all of it to writes of one way; and how many orders are written."""
    with EmulatorProcess() as emulator, pytest.MonkeyPatch.context() as patched:
        admin = emulator.admin
        patched.setenv("XDG_CACHE_HOME", str(folder))
        patched.setattr(first_contact, "FIRST_CONTACT_SECONDS", 0.0)
        admin.switch(bulk_duplicate_checks="all")
        admin.add_field("Orders", "Invoice_No", "text", unique=True)
        admin.put_records("Orders", [{"Name": "a person's", "Invoice_No": f"I-{matched}"}], user=str(OTHER_USER))
        admin.set_alterations("Orders", *({"field": f, "by": by, **made} for f, _, made in KINDS.values() if made))
        with pytest.raises(FirstContactError) as stopped:
            send(config(emulator, folder, **further), count)
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
