"""Org, users, modules, fields and layouts as the API tells them.

The unchanging parts of each document lie in `shapes/`, one JSON file a document.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.emulator import CURRENT_USER, ORG_ID, USERS, ZGID, user_reference
from zoho_crm_emulator.refusals import Refused, problem
from zoho_crm_emulator.schema import Catalog, Field, ModuleView

SHAPES = Path(__file__).parent / "shapes"
PROFILE = {"name": "Administrator", "id": "4876876000000000401"}

JSON_TYPES = {
    "integer": "integer", "currency": "double", "double": "double", "percent": "double", "boolean": "boolean",
    "lookup": "jsonobject", "ownerlookup": "jsonobject", "multiselectpicklist": "jsonarray",
}  # fmt: skip


@lru_cache(maxsize=16)
def _text(name: str) -> bytes:
    return (SHAPES / f"{name}.json").read_bytes()


def shape(name: str) -> dict[str, Any]:
    """A fresh copy of a document's unchanging part."""
    document: dict[str, Any] = msgspec.json.decode(_text(name))
    return document


def _pick_list(field: Field) -> list[dict[str, Any]]:
    return [
        {
            "colour_code": None,
            "actual_value": value,
            "reference_value": value,
            "display_value": value,
            "type": "used",
            "id": str(field.id * 1000 + number),
            "sequence_number": number,
        }
        for number, value in enumerate(field.pick_list, start=1)
    ]


def _lookup(field: Field, catalog: Catalog) -> dict[str, Any] | None:
    if field.data_type != "lookup":
        return None
    target = catalog.get(field.lookup or "")
    return {
        "display_label": field.label or field.api_name,
        "api_name": field.api_name,
        "query_details": {"query_id": None},
        "module": {"api_name": field.lookup, "id": str(target.id if target else 0)},
        "id": str(field.id),
        "revalidate_filter_during_edit": False,
        "show_fields": [],
    }


def field_document(field: Field, view: ModuleView, catalog: Catalog, number: int, spelling: str) -> dict[str, Any]:
    """One field as the fields call tells it. `layout_mandatory` is not told here."""
    document = shape("field")
    module = {"api_name": view.name, "id": str(view.id)}
    label = field.label or field.api_name.replace("_", " ")
    document |= {
        "associated_module": module,
        "api_name": field.api_name,
        "data_type": field.data_type,
        "json_type": JSON_TYPES.get(field.data_type, "string"),
        "id": str(field.id),
        "field_label": label,
        "display_label": label,
        "column_name": field.api_name.upper(),
        "length": field.max_length,
        "decimal_place": field.decimal_place,
        "system_mandatory": field.system_mandatory,
        "custom_field": field.custom,
        "display_field": field.api_name == view.module.own_field,
        "sequence_number": number,
        "quick_sequence_number": str(number),
        "field_read_only": not field.writable,
        "read_only": not field.writable,
        "operation_type": {
            "web_create": field.api_create,
            "web_update": field.api_update,
            "api_create": field.api_create,
            "api_update": field.api_update,
        },
        "unique": {spelling: field.case_sensitive} if field.unique else {},
        "external": {"show": True, "type": field.external} if field.external else {"show": None, "type": None},
        "pick_list_values": _pick_list(field),
        "lookup": _lookup(field, catalog) or {},
        "multiselectlookup": {},
        "subform": None,
        "auto_number": {},
        "formula": {},
        "currency": {"rounding_option": "normal", "precision": field.decimal_place or 2}
        if field.data_type == "currency"
        else {},
        "textarea": {"type": field.textarea_type} if field.data_type == "textarea" else {},
    }
    return document


def _fields(view: ModuleView, call: Call) -> list[dict[str, Any]]:
    catalog, spelling = call.emulator.catalog, call.switches.unique_spelling
    return [
        field_document(field, view, catalog, number, spelling)
        for number, field in enumerate(view.fields.values(), start=1)
    ]


def _asked_module(call: Call) -> ModuleView:
    name = call.query.get("module")
    if not name:
        raise Refused("REQUIRED_PARAM_MISSING", {"param": "module", "param_name": "module"})
    view = call.emulator.catalog.get(name)
    if view is None:
        raise Refused("INVALID_MODULE", {"api_name": "module"})
    return view


def fields(call: Call) -> Answer:
    """GET /crm/v8/settings/fields?module=."""
    return Answer({"fields": _fields(_asked_module(call), call)})


def field_by_id(call: Call) -> Answer:
    """GET /crm/v8/settings/fields/{id}?module=."""
    found = [one for one in _fields(_asked_module(call), call) if one["id"] == call.path["field"]]
    return Answer({"fields": found}) if found else Answer(None, 204)


def module_document(view: ModuleView, number: int) -> dict[str, Any]:
    """One module as the modules call tells it."""
    own = view.own_key
    return shape("module") | {
        "api_name": view.name,
        "module_name": view.name,
        "id": str(view.id),
        "singular_label": view.module.singular,
        "plural_label": view.module.plural,
        "generated_type": "custom" if view.module.custom else "default",
        "sequence_number": number,
        "modified_by": user_reference(CURRENT_USER),
        "profiles": [PROFILE],
        "display_field": {"api_name": own.api_name, "id": str(own.id)} if own else None,
        "status": "visible",
    }


def modules(call: Call) -> Answer:
    """GET /crm/v8/settings/modules."""
    views = call.emulator.catalog.modules.values()
    return Answer({"modules": [module_document(view, number) for number, view in enumerate(views, start=1)]})


def module_by_name(call: Call) -> Answer:
    """GET /crm/v8/settings/modules/{module}, by name or id."""
    wanted = call.path["name"]
    views = call.emulator.catalog.modules.values()
    for number, view in enumerate(views, start=1):
        if wanted in {view.name, str(view.id)}:
            return Answer({"modules": [module_document(view, number)]})
    return Answer(problem("INVALID_MODULE", details={"resource_path_index": 2}), 400, note={"code": "INVALID_MODULE"})


def layouts(call: Call) -> Answer:
    """GET /crm/v8/settings/layouts?module=; here, and only here, a field mandatory by layout is told."""
    view = _asked_module(call)
    section = shape("section") | {"id": str(view.module.layout_id + 10**6)}
    section["fields"] = [
        {
            **shape("layout_field"),
            **document,
            "required": field.system_mandatory or field.layout_mandatory,
            "section_id": 1,
        }
        for document, field in zip(_fields(view, call), view.fields.values(), strict=True)
    ]
    person = user_reference(CURRENT_USER)
    layout = shape("layout") | {
        "id": str(view.module.layout_id),
        "created_for": person,
        "created_by": person,
        "modified_by": person,
        "profiles": [shape("profile") | PROFILE | {"default": True}],
        "sections": [section],
    }
    return Answer({"layouts": [layout]})


def org(call: Call) -> Answer:
    """GET /crm/v8/org; uploads need `zgid`, which is not `id`."""
    document = shape("org") | {
        "id": str(ORG_ID),
        "zgid": ZGID,
        "time_zone": call.switches.time_zone,
    }
    document["license_details"] |= {
        "paid_type": call.emulator.credits.edition,
        "users_license_purchased": call.emulator.credits.users,
    }
    return Answer({"org": [document]})


def users(call: Call) -> Answer:
    """GET /crm/v8/users; `type=CurrentUser` tells who calls."""
    only = {CURRENT_USER} if call.query.get("type") == "CurrentUser" else set(USERS)
    listed = [
        shape("user")
        | {
            "id": str(user),
            "zuid": str(user % 10**11),
            "first_name": person["first"],
            "last_name": person["last"],
            "full_name": f"{person['first']} {person['last']}",
            "email": person["email"],
            "created_by": user_reference(CURRENT_USER),
            "Modified_By": {
                **user_reference(CURRENT_USER),
                "first_name": USERS[CURRENT_USER]["first"],
                "last_name": USERS[CURRENT_USER]["last"],
            },
        }
        for user, person in USERS.items()
        if user in only
    ]
    info = {"per_page": 200, "count": len(listed), "page": 1, "more_records": False}
    return Answer({"users": listed, "info": info})
