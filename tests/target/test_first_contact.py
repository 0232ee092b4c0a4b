"""What a first contact takes for a difference, whom it asks, and when it is over, by a run in this process."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from contact_messages import THEN, compared_at_once, config, order, send, table

from target_zoho_crm.delivery.contact_report import FirstContactError
from target_zoho_crm.delivery.first_contact import FIRST_ORDERS
from zoho_crm_emulator.control import EmulatorProcess
from zoho_crm_emulator.emulator import USERS

CLERK = str(next(reversed(USERS)))
ROUNDED_BY_JOBS = {"field": "Total_Amount", "does": "round", "value": 1, "by": "jobs"}
REFUSED = {"status": "Shiped"}
IN_PROGRESS = {"status": "INPROGRESS", "resource": []}
BY_JOBS = {"bulk_rows": 50, "bulk_threshold": 20}
WITHOUT_COQL = ("modules.ALL", "settings.ALL", "org.READ", "users.READ", "bulk.ALL")


class Contact:
    """A destination that this process writes to for the first time."""

    def __init__(self, emulator: EmulatorProcess, folder: Path) -> None:
        self.emulator, self.admin, self.folder = emulator, emulator.admin, folder

    def send(self, *records: dict[str, Any], **further: Any) -> None:
        send(config(self.emulator, self.folder, lines=None, **further), records)

    def found(self, *records: dict[str, Any], **further: Any) -> dict[str, str]:
        """Field and kind of each difference that a run with these orders ends with."""
        with pytest.raises(FirstContactError) as stopped:
            self.send(*records, **further)
        return table(stopped.value)

    def crm(self) -> dict[str, dict[str, Any]]:
        return {each["parent_id"]: each for each in self.admin.records("Orders") if each.get("parent_id")}

    def has_somebodys(self, invoice: str) -> None:
        """A further unique field, a value of which somebody's record has."""
        self.admin.add_field("Orders", "Invoice_No", "text", unique=True)
        self.admin.put_records("Orders", [{"Name": "somebody's", "Invoice_No": invoice}], user=CLERK)


@pytest.fixture
def contact(zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Contact]:
    with compared_at_once(tmp_path):
        yield Contact(zoho_emulator, tmp_path)


def orders(*numbers: int) -> list[dict[str, Any]]:
    return [order(number) for number in range(*numbers)]


@pytest.mark.parametrize("way", ["calls", "jobs"])
def test_a_key_that_zoho_trims_and_a_text_of_blanks_that_is_none_to_it_are_no_differences(
    contact: Contact, way: str
) -> None:
    fields = ("parent_id", "Country")
    contact.admin.set_alterations("Orders", *({"field": each, "does": "trim", "by": way} for each in fields))
    padded = (order(number, id=f"{f'SO-{number}':12}", country=" " * 5) for number in range(110))
    contact.send(*padded, **BY_JOBS)
    assert len(contact.crm()) == 110


@pytest.mark.parametrize("text", ["Zoë ", " Zoë", "Zoë\r\n", " Zoë\t"])
def test_blanks_that_are_trimmed_at_either_end_are_a_difference(contact: Contact, text: str) -> None:
    contact.admin.set_alterations("Orders", {"field": "Customer_Name", "does": "trim"})
    assert contact.found(*(order(number, customer_name=text) for number in range(12))) == {
        "Customer_Name": "blanks trimmed"
    }


@pytest.mark.parametrize(("does", "kind"), [({"does": "lower"}, "case folded"), ({"does": "cut", "value": 2}, "cut")])
def test_what_else_becomes_of_a_padded_text_has_its_kind(contact: Contact, does: dict[str, Any], kind: str) -> None:
    altered = [{"field": "Customer_Name"} | each for each in (does, {"does": "trim"})]
    contact.admin.set_alterations("Orders", *altered)
    assert contact.found(*(order(number, customer_name=f"{'Zoë':30}") for number in range(12))) == {
        "Customer_Name": kind
    }


def test_an_order_that_changes_among_the_first_ten_is_compared_as_it_was_sent_last(contact: Contact) -> None:
    first = [*orders(9), order(9, **REFUSED)]
    contact.send(*first, THEN, order(0, status="Shipped"), order(10))
    crm = contact.crm()
    assert crm.keys() == {f"SO-{number}" for number in range(11)} - {"SO-9"}
    assert crm["SO-0"]["Status"] == "Shipped"


@pytest.mark.parametrize("lasts", [False, True])
def test_a_run_that_lasts_does_not_compare_its_first_job_once_more_at_its_end(contact: Contact, lasts: bool) -> None:  # noqa: FBT001 - a parameter of the test
    admin = contact.admin
    second_job = admin.add_fault("bulk_create", kind="hold_before", after=1)

    def people_change_all() -> None:
        admin.wait_held(second_job)
        admin.put_records("Orders", [{"parent_id": key, "Status": "Returned"} for key in contact.crm()], user=CLERK)
        admin.release(second_job)

    changing = threading.Thread(target=people_change_all)
    changing.start()
    given = BY_JOBS | ({"max_age_seconds": 600} if lasts else {})
    try:
        if lasts:
            contact.send(*orders(110), **given)
        else:
            assert contact.found(*orders(110), **given) == {"Status": "other choice"}
    finally:
        changing.join()
    assert len(contact.crm()) == 110


def granted(contact: Contact, *scopes: str) -> dict[str, str]:
    """The setting of a token that may do no more than this, and upload files."""
    given = [f"ZohoCRM.{scope}" for scope in scopes]
    return {"refresh_token": contact.admin.grant([*given, "ZohoFiles.files.ALL"])}


def test_a_token_without_coql_compares_what_it_can(contact: Contact) -> None:
    contact.has_somebodys("I-500")
    token = granted(contact, *WITHOUT_COQL)
    contact.admin.set_alterations("Orders", ROUNDED_BY_JOBS)
    assert contact.found(*orders(110), **BY_JOBS, **token) == {"Total_Amount": "rounded"}
    assert len(contact.crm()) == FIRST_ORDERS + 50


@pytest.mark.parametrize(
    "canned", ["no_permission", "license_limit", pytest.param("unavailable", marks=pytest.mark.nightly)]
)
def test_whether_another_ledger_writes_there_is_not_worth_a_run(contact: Contact, canned: str) -> None:
    question = contact.admin.add_fault("coql", kind="answer", canned=canned)
    contact.send(*orders(12))
    assert contact.admin.fired(question) > 0
    assert len(contact.crm()) == 12


@pytest.mark.parametrize("operation", ["insert", "update", "upsert"])
def test_a_value_of_another_unique_field_that_is_taken_is_a_refusal_where_no_record_is_matched_by_it(
    contact: Contact, operation: str
) -> None:
    if operation == "update":
        contact.admin.put_records("Orders", [{"Name": "there", "parent_id": f"SO-{number}"} for number in range(12)])
        contact.admin.advance_clock(3)
    contact.has_somebodys("I-3")
    if operation == "upsert":
        assert contact.found(*orders(12)) == {"Invoice_No": "other match"}
        return
    contact.send(*orders(12), operation=operation)
    written = {key for key, each in contact.crm().items() if each.get("Total_Amount") is not None}
    assert written == {f"SO-{number}" for number in range(12)} - {"SO-3"}


def test_a_first_job_that_is_left_to_the_next_run_leaves_it_the_contact_too(contact: Contact) -> None:
    at_work = contact.admin.add_fault("bulk_poll", kind="answer", status=200, body=IN_PROGRESS)
    contact.send(*orders(60), **BY_JOBS, job_wait_seconds=0)
    contact.admin.remove_fault(at_work)
    contact.admin.set_alterations("Orders", ROUNDED_BY_JOBS)
    assert contact.found(*orders(60, 110), **BY_JOBS) == {"Total_Amount": "rounded"}


def test_a_job_of_an_earlier_run_is_not_taken_for_the_first_one(contact: Contact) -> None:
    at_work = contact.admin.add_fault("bulk_poll", kind="answer", status=200, body=IN_PROGRESS)
    contact.send(*orders(60), **BY_JOBS, job_wait_seconds=0)
    contact.admin.remove_fault(at_work)
    contact.admin.add_fault("bulk_poll", kind="answer", status=200, body=IN_PROGRESS, times=3)
    contact.admin.set_alterations("Orders", ROUNDED_BY_JOBS)
    # One batch in two parts: those with notes are few, and go by calls.
    many = [{name: each for name, each in order(number).items() if name != "notes"} for number in range(65, 110)]
    assert contact.found(*orders(60, 65), *many, **BY_JOBS) == {"Total_Amount": "rounded"}
    assert [job["status"] for job in contact.admin.jobs()] == ["COMPLETED"] * 2
