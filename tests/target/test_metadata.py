from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from zoho_clients import MakeClient

from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.api.metadata import Field, ModuleFields

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess


def test_fields_are_read_as_zoho_describes_them(make_client: MakeClient) -> None:
    fields = ModuleFields.fetch(make_client(), "Orders")
    key = fields.key("parent_id")
    assert (key.data_type, key.length, key.unique, key.writable) == ("text", 100, True, True)
    assert fields["Status"].picklist[:2] == ("New", "Paid")
    assert (fields["Total_Amount"].data_type, fields["Total_Amount"].decimal_place) == ("currency", 2)
    assert fields["Account"].lookup_module == "Accounts"
    assert not fields["Created_Time"].writable
    assert not fields["Name"].unique
    assert ModuleFields.fetch(make_client(), "Accounts")["Account_Name"].mandatory


def test_an_unknown_module_is_answered_with_close_names(make_client: MakeClient) -> None:
    with pytest.raises(ConfigurationError, match=r"no module Ordrs\. Did you mean Orders") as caught:
        ModuleFields.fetch(make_client(), "Ordrs")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("parent_ID", r"no field parent_ID\. Did you mean parent_id"),
        ("Name", "Name of module Orders is not unique.*Do not allow duplicate values"),
        ("id", "id of module Orders"),
    ],
)
def test_a_key_field_that_will_not_do_says_why_and_what_to_do(make_client: MakeClient, name: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        ModuleFields.fetch(make_client(), "Orders").key(name)


def test_a_missing_scope_is_told_as_such_and_not_as_a_missing_module(
    zoho_emulator: EmulatorProcess, make_client: MakeClient
) -> None:
    zoho_emulator.admin.add_fault("fields", kind="answer", canned="scope_mismatch")
    with pytest.raises(ConfigurationError, match=r"ZohoCRM\.settings\.ALL"):
        ModuleFields.fetch(make_client(), "Orders")


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        ({"unique": {}}, {"unique": False}),
        ({"unique": {"case_sensitive": True}}, {"unique": True, "case_sensitive": True}),
        ({"unique": {"casesensitive": "false"}}, {"unique": True, "case_sensitive": False}),
        ({"external": {"type": "org", "show": True}}, {"unique": True}),
        ({"external": {"type": None, "show": None}}, {"unique": False}),
        ({"read_only": True}, {"writable": True}),
        ({"operation_type": {"api_create": True, "api_update": False}}, {"writable": False}),
        ({"operation_type": {"api_create": True, "api_update": True}, "data_type": "formula"}, {"writable": False}),
        ({"lookup": {"module": "Accounts"}}, {"lookup_module": "Accounts"}),
        ({"lookup": {"module": {"api_name": "Accounts", "id": "1"}}}, {"lookup_module": "Accounts"}),
        ({"lookup": {}, "pick_list_values": None, "length": None}, {"lookup_module": None, "picklist": ()}),
        ({"pick_list_values": [{"display_value": "A", "actual_value": "a"}]}, {"picklist": ("a",)}),
    ],
)
def test_older_and_newer_spellings_are_read_alike(item: dict[str, Any], expected: dict[str, Any]) -> None:
    field = Field.from_zoho({"api_name": "X", "data_type": "text", **item})
    assert {name: getattr(field, name) for name in expected} == expected
