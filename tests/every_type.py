"""A module with a field of every type, in the emulator, and orders sent to it by either channel."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

from zoho_clients import ended

from target_zoho_crm.bodies import upsert_body
from target_zoho_crm.client import ZohoClient
from target_zoho_crm.csv_files import job_body, write_bulk_zip
from target_zoho_crm.field_settings import read_fields
from target_zoho_crm.mapping import Mapping, compile_mapping
from target_zoho_crm.metadata import ModuleFields
from target_zoho_crm.outcomes import Outcome, Status, refused_by_us, upsert_outcomes
from target_zoho_crm.result_files import job_outcomes

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
KEY = {"api_name": "parent_id", "data_type": "text", "length": 40, "unique": True}
OWN = ("id", "Owner", "Created_By", "Modified_By", "Created_Time", "Modified_Time", "Layout", "Tag", "Name")


def add_module(emulator: EmulatorProcess, name: str) -> None:
    """Add a module with a field of every type that one CSV can hold."""
    fields = [{"api_name": api_name, **field} for api_name, field in FIELDS.items()]
    country = {"api_name": "Country", "data_type": "text"}
    layout = {"api_name": "Layout", "data_type": "layout", "system": True, "custom": False}
    owner = {"api_name": "Owner", "data_type": "ownerlookup", "system": True, "custom": False}
    emulator.admin.add_module(name, [KEY, *fields, country, owner, layout])


def mapping_to(
    client: ZohoClient,
    module: str,
    properties: dict[str, dict[str, Any]],
    options: dict[str, Any] | None = None,
    *,
    validate: bool = True,
) -> Mapping:
    """The mapping of properties named like the fields."""
    fields: dict[str, Any] = {"Account": {}, "Clerk": {}, "Owner": {}, **(OPTIONS if options is None else options)}
    return compile_mapping(
        properties,
        ModuleFields.fetch(client, module),
        key_field="parent_id",
        key_properties=[],
        settings=read_fields(fields),
        timezone=timezone.utc,
        validate=validate,
    )


def by_upsert(
    client: ZohoClient, module: str, mapping: Mapping, keys: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> dict[str, Outcome]:
    """What became of up to 100 records sent by one call."""
    body, refused = upsert_body(mapping, keys, rows)
    sent = [key for key in keys if key not in refused]
    found = {key: refused_by_us(key, "v", refusal) for key, refusal in refused.items()}
    if sent:
        answer = client.upsert(module, body, records=len(sent))
        found |= {each.key: each for each in upsert_outcomes(sent, ["v"] * len(sent), answer.status, answer.body)}
    return found


def by_job(
    client: ZohoClient,
    module: str,
    mapping: Mapping,
    keys: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    folder: Path,
) -> dict[str, Outcome]:
    """What became of records sent by one bulk write job."""
    file = write_bulk_zip(folder / "f.zip", mapping, keys, rows)
    found = {key: refused_by_us(key, "v", refusal) for key, refusal in file.refusals.items()}
    sent = {key: "v" for key in keys if key not in file.refusals}
    if sent:
        job = client.create_job(job_body(module, client.upload(file.path), mapping))
        client.download(ended(client, job).download_url or "", folder / "r.zip")
        found |= {each.key: each for each in job_outcomes(folder / "r.zip", sent)}
    return found


def fate(outcome: Outcome) -> tuple[str, str | None, frozenset[str]]:
    """What both channels must agree on: whether it is in the CRM, and else the code and the fields."""
    status = "synced" if outcome.status is Status.SYNCED else "refused"
    return status, outcome.code, frozenset((outcome.field or "").split(",")) - {""}


def stored(emulator: EmulatorProcess, module: str) -> dict[str, dict[str, Any]]:
    """The records of a module by key, without what Zoho itself fills in."""
    return {
        record["parent_id"]: {name: value for name, value in record.items() if name not in OWN or name == "Owner"}
        for record in emulator.admin.records(module)
    }
