from __future__ import annotations

from emulator_client import ZGID, Client

from zoho_crm_emulator.inventory import STANDARD

WITH_LINE_ITEMS = [name for each in STANDARD for name in (each.name, each.items)]


def test_the_org_has_a_zgid_that_is_not_its_id(crm: Client) -> None:
    org = crm.get("/crm/v8/org").json()["org"][0]
    assert org["zgid"] == ZGID
    assert org["id"] != org["zgid"]


def test_the_current_user_is_one_of_the_users(crm: Client) -> None:
    everybody = crm.get("/crm/v8/users").json()["users"]
    current = crm.get("/crm/v8/users?type=CurrentUser").json()["users"]
    assert len(everybody) == 3
    assert current == everybody[:1]


def test_orders_have_a_field_of_every_scalar_type(crm: Client) -> None:
    told = {f["api_name"]: f for f in crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]}
    types = {name: field["data_type"] for name, field in told.items()}
    assert {
        "text", "textarea", "email", "phone", "website", "picklist", "multiselectpicklist", "date", "datetime",
        "integer", "bigint", "currency", "double", "percent", "boolean", "lookup", "ownerlookup", "layout",
        "subform",
    } == set(types.values())  # fmt: skip
    assert told["parent_id"]["unique"] == {"case_sensitive": False}
    assert told["Status"]["unique"] == {}
    assert told["Account"]["lookup"]["module"]["api_name"] == "Accounts"
    assert told["Total_Amount"]["json_type"] == "double"
    assert told["Loyalty_Points"]["json_type"] == "string"
    assert told["Created_Time"]["operation_type"]["api_create"] is False
    assert told["Owner"]["operation_type"]["api_update"] is True
    assert [value["actual_value"] for value in told["Status"]["pick_list_values"]][:2] == ["New", "Paid"]


def test_a_field_mandatory_by_layout_is_told_by_the_layout_only_and_demanded_all_the_same(crm: Client) -> None:
    crm.emulator.admin.alter_field("Orders", "Country", layout_mandatory=True)
    fields = {f["api_name"]: f for f in crm.get("/crm/v8/settings/fields?module=Orders").json()["fields"]}
    layout = crm.get("/crm/v8/settings/layouts?module=Orders").json()["layouts"][0]
    required = {f["api_name"] for section in layout["sections"] for f in section["fields"] if f["required"]}
    assert fields["Country"]["system_mandatory"] is False
    assert required == {"Country"}
    item = crm.upsert([{"parent_id": "A"}]).json()["data"][0]
    assert (item["code"], item["details"]["api_name"]) == ("MANDATORY_NOT_FOUND", "Country")


def test_modules_and_fields_can_be_added_altered_and_removed(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.add_module("Shipments", [{"api_name": "Number", "data_type": "text", "unique": True}], own_field="Number")
    admin.add_field("Shipments", "Weight", "double", decimal_place=2)
    admin.alter_field("Shipments", "Weight", system_mandatory=True)
    names = [module["api_name"] for module in crm.get("/crm/v8/settings/modules").json()["modules"]]
    own = ["Orders", "Accounts", "Order_Lines", "Lines", "Contacts", "Products", "Vendors"]
    assert names == [*own, *WITH_LINE_ITEMS, "Shipments"]
    item = crm.upsert([{"Number": "1"}], "Shipments", duplicate_check_fields=["Number"]).json()["data"][0]
    assert item["code"] == "MANDATORY_NOT_FOUND"
    admin.remove_field("Shipments", "Weight")
    answer = crm.upsert([{"Number": "1"}], "Shipments", duplicate_check_fields=["Number"])
    assert answer.json()["data"][0]["action"] == "insert"
    assert next(admin.records("Shipments"))["Number"] == "1"


def test_metadata_of_an_unknown_module_or_of_none_is_refused(crm: Client) -> None:
    assert crm.get("/crm/v8/settings/fields?module=Nothing").json()["code"] == "INVALID_MODULE"
    assert crm.get("/crm/v8/settings/fields").json()["code"] == "REQUIRED_PARAM_MISSING"
    assert crm.get("/crm/v8/settings/layouts").json()["code"] == "REQUIRED_PARAM_MISSING"
    assert crm.get("/crm/v8/settings/modules/Nothing").json()["code"] == "INVALID_MODULE"
