"""Validation rules and dependent pick lists: the same refusal on both channels, and over the whole record."""

from __future__ import annotations

from typing import Any

import pytest
from emulator_client import Client

from zoho_crm_emulator.control import EmulatorError

RULE = {
    "field": "Total_Amount",
    "message": "A paid order has an amount.",
    "criteria": {
        "group_operator": "and",
        "group": [
            {"field": {"api_name": "Status"}, "comparator": "equal", "value": "Paid"},
            {"field": {"api_name": "Total_Amount"}, "comparator": "equal", "value": None},
        ],
    },
}
DEPENDENCY = {"parent": "Channel", "child": "Status", "values": {"Shop": ["Paid", "Returned"], "Web": ["New"]}}


def outcome(crm: Client, record: dict[str, Any]) -> tuple[str, str | None]:
    item = crm.upsert([record]).json()["data"][0]
    return item["code"], item["details"].get("api_name")


def in_a_job(crm: Client, *records: dict[str, str]) -> list[tuple[str, str]]:
    names = list(dict.fromkeys(name for record in records for name in record))
    rows = [names, *([record.get(name, "") for name in names] for record in records)]
    return [(row[-3], row[-1]) for row in crm.bulk(rows)[1]]


def test_a_validation_rule_refuses_what_meets_its_criteria(crm: Client) -> None:
    crm.emulator.admin.set_validations("Orders", RULE)
    assert outcome(crm, {"parent_id": "A", "Status": "New"}) == ("SUCCESS", None)
    assert outcome(crm, {"parent_id": "B", "Status": "Paid"}) == ("CANNOT_PROCESS", "Total_Amount")
    assert outcome(crm, {"parent_id": "B", "Status": "Paid", "Total_Amount": 1}) == ("SUCCESS", None)
    # The record as it would be counts, not only what the call says of it.
    assert outcome(crm, {"parent_id": "A", "Status": "Paid"}) == ("CANNOT_PROCESS", "Total_Amount")
    assert outcome(crm, {"parent_id": "B", "Total_Amount": None}) == ("CANNOT_PROCESS", "Total_Amount")
    assert outcome(crm, {"parent_id": "B", "Country": "Peru"}) == ("SUCCESS", None)
    message = crm.upsert([{"parent_id": "C", "Status": "Paid"}]).json()["data"][0]["message"]
    assert message == RULE["message"]
    crm.emulator.admin.set_validations("Orders")
    assert outcome(crm, {"parent_id": "C", "Status": "Paid"}) == ("SUCCESS", None)


def test_a_job_skips_what_a_rule_refuses(crm: Client) -> None:
    crm.emulator.admin.set_validations("Orders", RULE)
    told = in_a_job(
        crm, {"parent_id": "A", "Status": "Paid", "Total_Amount": "1"}, {"parent_id": "B", "Status": "Paid"}
    )
    assert told == [("added", ""), ("skipped", "CANNOT_PROCESS-Total_Amount")]


def test_a_value_must_go_with_the_one_it_depends_on(crm: Client) -> None:
    crm.emulator.admin.set_dependencies("Orders", DEPENDENCY)
    assert outcome(crm, {"parent_id": "A", "Channel": "Shop", "Status": "Paid"}) == ("SUCCESS", None)
    assert outcome(crm, {"parent_id": "A", "Channel": "Web"}) == ("DEPENDENT_MISMATCH", "Status")
    assert outcome(crm, {"parent_id": "B", "Status": "Paid"}) == ("DEPENDENT_FIELD_MISSING", "Status")
    assert outcome(crm, {"parent_id": "B", "Channel": "Phone", "Status": "Packed"}) == ("SUCCESS", None)
    told = in_a_job(crm, {"parent_id": "C", "Channel": "Web", "Status": "Paid"}, {"parent_id": "D", "Channel": "Web"})
    assert told == [("skipped", "DEPENDENT_MISMATCH-Status"), ("added", "")]


def test_the_codes_nobody_has_proved_are_switches(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.set_validations("Orders", RULE)
    admin.set_dependencies("Orders", DEPENDENCY)
    admin.switch(validation_rule_code="INVALID_DATA", dependency_code="MAPPING_MISMATCH")
    assert outcome(crm, {"parent_id": "B", "Channel": "Shop", "Status": "Paid"}) == ("INVALID_DATA", "Total_Amount")
    assert outcome(crm, {"parent_id": "B", "Channel": "Web", "Status": "Paid"}) == ("MAPPING_MISMATCH", "Status")


def test_rules_that_make_no_sense_are_refused(crm: Client) -> None:
    admin = crm.emulator.admin
    with pytest.raises(EmulatorError, match="not available"):
        admin.set_validations("Orders", {**RULE, "criteria": {"field": "No", "comparator": "equal", "value": 1}})
    with pytest.raises(EmulatorError, match="no pick list"):
        admin.set_dependencies("Orders", {**DEPENDENCY, "child": "Country"})
