"""A module with a field of every type, in the emulator, and orders sent to it by either channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

FIELDS: dict[str, dict[str, Any]] = {
    "Text": {"data_type": "text"},
    "Short": {"data_type": "text", "length": 8},
    "Area": {"data_type": "textarea", "length": 2000},
    "Email": {"data_type": "email"},
    "Phone": {"data_type": "phone"},
    "Website": {"data_type": "website"},
    "Status": {"data_type": "picklist", "pick_list": ["New", "Shipped", "Lost"], "pick_list_open": False},
    "Channel": {"data_type": "picklist", "pick_list": ["Web", "Shop"]},
    "Kind": {"data_type": "picklist", "pick_list": ["Plain", "Gift"], "pick_list_open": False},
    "Marks": {"data_type": "multiselectpicklist", "pick_list": ["gift", "express"], "pick_list_open": False},
    "Day": {"data_type": "date"},
    "Moment": {"data_type": "datetime"},
    "Whole": {"data_type": "integer"},
    "Big": {"data_type": "bigint"},
    "Money": {"data_type": "currency", "decimal_place": 2},
    "Double": {"data_type": "double", "decimal_place": 9},
    "Rounded": {"data_type": "double", "decimal_place": 3},
    "Share": {"data_type": "percent", "decimal_place": 2},
    "Flag": {"data_type": "boolean"},
    "Account": {"data_type": "lookup", "lookup": "Accounts"},
    "Clerk": {"data_type": "userlookup"},
    "Must": {"data_type": "text", "length": 20, "system_mandatory": True},
}
OPTIONS: dict[str, dict[str, Any]] = {
    "Short": {"on_too_long": "truncate"},
    "Channel": {"on_unknown_picklist": "add"},
    "Kind": {"on_unknown_picklist": "default", "default": "Plain"},
    "Rounded": {"on_too_long": "truncate"},
    "Flag": {"default": False},
    "Country": {"default": "Peru"},
}
LINKED = ("Partners", "Clerks", "Tag")
"""Fields that hold several records, users or names, and that no CSV of orders holds."""
KEY = {"api_name": "parent_id", "data_type": "text", "length": 40, "unique": True}
OWN = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time", "Layout", "Tag", "Name")


def add_module(emulator: EmulatorProcess, name: str) -> None:
    """Add a module with a field of every type that one CSV can hold."""
    fields = [{"api_name": api_name, **field} for api_name, field in FIELDS.items()]
    country = {"api_name": "Country", "data_type": "text"}
    layout = {"api_name": "Layout", "data_type": "layout", "system": True, "custom": False}
    owner = {"api_name": "Owner", "data_type": "ownerlookup", "system": True, "custom": False}
    emulator.admin.add_module(name, [KEY, *fields, country, owner, layout])


def add_multiple(emulator: EmulatorProcess, module: str) -> None:
    """Add the fields of a module that no CSV of its records can hold; every module has tags."""
    emulator.admin.add_subform(module, "Partners", data_type="multiselectlookup", lookup="Accounts")
    emulator.admin.add_subform(module, "Clerks", data_type="multiuserlookup")


def stored(emulator: EmulatorProcess, module: str) -> dict[str, dict[str, Any]]:
    """The records of a module by key, without what Zoho itself fills in; of several linked records their ids."""
    return {
        record["parent_id"]: {
            name: _names(name, value) if name in LINKED else value
            for name, value in record.items()
            if name not in OWN or name in {"Owner", "Tag"}
        }
        for record in emulator.admin.records(module)
    }


def _names(field: str, rows: list[dict[str, Any]]) -> list[str]:
    """What names the rows, in an order of its own: they are a set, and one channel may add them one by one."""
    return sorted(row["name"] if field == "Tag" else row[field]["id"] for row in rows)
