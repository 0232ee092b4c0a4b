"""Org, taxes, users, modules, fields and layouts as the API shows them.

The unchanging parts of each document lie in `shapes/`, one JSON file a document.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.emulator import CURRENT_USER, ORG_ID, user_reference
from zoho_crm_emulator.refusals import Refused, problem
from zoho_crm_emulator.schema import PARENT, TAG, Catalog, Field, Layout, ModuleView
from zoho_crm_emulator.taxes import ORG_TAXES

SHAPES = Path(__file__).parent / "shapes"
PROFILE = {"name": "Administrator", "id": "4876876000000000401"}

JSON_TYPES = {
    "integer": "integer", "currency": "double", "double": "double", "percent": "double", "boolean": "boolean",
    "lookup": "jsonobject", "ownerlookup": "jsonobject", "userlookup": "jsonobject", "multiselectpicklist": "jsonarray",
    "layout": "jsonobject", "subform": "jsonarray", "multiselectlookup": "jsonarray", "multiuserlookup": "jsonarray",
    "linetax": "jsonarray",
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


def _lookup(field: Field, catalog: Catalog, *, module_as_text: bool) -> dict[str, Any] | None:
    if field.data_type != "lookup":
        return None
    target = catalog.get(field.lookup or "")
    return {
        "display_label": field.label or field.api_name,
        "api_name": field.api_name,
        "query_details": {"query_id": None},
        "module": field.lookup if module_as_text else {"api_name": field.lookup, "id": str(target.id if target else 0)},
        "id": str(field.id),
        "revalidate_filter_during_edit": False,
        "show_fields": [],
    }


def _unique(field: Field, spelling: str) -> dict[str, Any]:
    """What `unique` holds: nothing, or the samples' `case_sensitive`, or the OpenAPI file's `casesensitive`, a text."""
    if not field.unique:
        return {}
    return {spelling: field.case_sensitive if spelling == "case_sensitive" else str(field.case_sensitive).lower()}


def _rows(field: Field, catalog: Catalog) -> dict[str, Any]:
    """What a field of rows shows of the module of its rows."""
    if field.rows is None:
        return {}
    rows = catalog.modules[field.rows]
    module = {"api_name": rows.name, "id": str(rows.id)}
    if field.data_type == "subform":
        return {
            "associated_module": {**module, "module": rows.name},
            "subform": {"module": rows.name, "id": str(rows.id)},
        }
    connected = catalog.get(field.lookup or "")
    other = {"api_name": field.lookup or "users", "id": str(connected.id) if connected else None}
    parent, link = rows.fields[PARENT], rows.fields[field.api_name]
    return {
        field.data_type: {
            # as Zoho's own SDK reads it, then as its OpenAPI file has it
            "linking_details": {
                "module": {**module, "visibility": 1, "plural_label": rows.module.plural},
                "lookup_field": {"api_name": parent.api_name, "id": str(parent.id)},
                "connected_lookup_field": {"api_name": link.api_name, "id": str(link.id)},
            },
            "connected_details": {"module": {**other, "visibility": 1, "plural_label": other["api_name"]}},
            "display_label": field.label or field.api_name,
            "linking_module": module,
            "connected_module": other,
            "lookup_apiname": PARENT,
            "connectedlookup_apiname": field.api_name,
            "connectedfield_apiname": None,
            "api_name": field.api_name,
            "id": str(field.id),
            "record_access": False,
        }
    }


def field_document(field: Field, view: ModuleView, number: int, call: Call) -> dict[str, Any]:
    """One field as the fields call shows it. `layout_mandatory` is not shown here."""
    catalog = call.emulator.catalog
    document = shape("field")
    module = {"api_name": view.name, "id": str(view.id)}
    label = field.label or field.api_name.replace("_", " ")
    document |= {
        "associated_module": module,
        "api_name": field.api_name,
        "data_type": field.data_type,
        "json_type": "jsonarray" if field.api_name == TAG else JSON_TYPES.get(field.data_type, "string"),
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
        "unique": _unique(field, call.switches.unique_spelling),
        "external": {"show": True, "type": field.external} if field.external else None,
        "pick_list_values": _pick_list(field),
        "lookup": _lookup(field, catalog, module_as_text=call.version.lookup_module_as_text) or {},
        "multiselectlookup": {},
        "subform": None,
        "auto_number": {},
        "formula": {},
        "currency": {"rounding_option": "normal", "precision": field.decimal_place or 2}
        if field.data_type == "currency"
        else {},
        "textarea": {"type": field.textarea_type} if field.data_type == "textarea" else {},
    }
    document |= _rows(field, catalog)
    return document


def _fields(view: ModuleView, call: Call) -> list[dict[str, Any]]:
    told = [field for field in view.fields.values() if call.version.id_is_a_field or field.api_name != "id"]
    return [field_document(field, view, number, call) for number, field in enumerate(told, start=1)]


def asked_module(call: Call) -> ModuleView:
    """The module of the query parameter `module`; raises Refused where it is missing or unknown."""
    name = call.query.get("module")
    if not name:
        raise Refused("REQUIRED_PARAM_MISSING", {"param": "module", "param_name": "module"})
    view = call.module_called(name)
    if view is None:
        raise Refused("INVALID_MODULE", {"api_name": "module"})
    return view


def fields(call: Call) -> Answer:
    """GET /crm/v8/settings/fields?module=."""
    return Answer({"fields": _fields(asked_module(call), call)})


def field_by_id(call: Call) -> Answer:
    """GET /crm/v8/settings/fields/{id}?module=."""
    found = [one for one in _fields(asked_module(call), call) if one["id"] == call.path["field"]]
    return Answer({"fields": found}) if found else Answer(None, 204)


def _generated(view: ModuleView) -> str:
    if view.module.rows_of is not None:
        return "linking"  # Zoho's own list of these words has none for a subform
    return "custom" if view.module.custom else "default"


def module_document(view: ModuleView, number: int) -> dict[str, Any]:
    """One module as the modules call shows it."""
    own = view.own_key
    return shape("module") | {
        "api_name": view.name,
        "module_name": view.name,
        "id": str(view.id),
        "singular_label": view.module.singular,
        "plural_label": view.module.plural,
        "generated_type": _generated(view),
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


def _layout(call: Call, view: ModuleView, layout: Layout) -> dict[str, Any]:
    section = shape("section") | {"id": str(layout.id + 10**6)}
    section["fields"] = [
        {**shape("layout_field"), **document, "required": document["api_name"] in layout.required, "section_id": 1}
        for document in _fields(view, call)
    ]
    person = user_reference(CURRENT_USER)
    return shape("layout") | {
        "id": str(layout.id),
        "name": layout.name,
        "display_label": layout.name,
        "created_for": person,
        "created_by": person,
        "modified_by": person,
        "profiles": [shape("profile") | PROFILE | {"default": layout.id == view.module.layout_id}],
        "sections": [section],
    }


def _all_layouts(view: ModuleView) -> list[Layout]:
    """The standard layout, then the others, each with all the fields that it demands."""
    standard = Layout(name="Standard", id=view.module.layout_id, required=(*view.mandatory, *view.mandatory_rows))
    others = [Layout(name=one.name, id=one.id, required=tuple(view.layouts[one.id])) for one in view.module.layouts]
    return [standard, *others]


def layouts(call: Call) -> Answer:
    """GET /crm/v8/settings/layouts?module=; here, and only here, a field mandatory by layout is shown."""
    view = asked_module(call)
    return Answer({"layouts": [_layout(call, view, one) for one in _all_layouts(view)]})


def layout_by_id(call: Call) -> Answer:
    """GET /crm/v8/settings/layouts/{id}?module=."""
    view = asked_module(call)
    found = [one for one in _all_layouts(view) if str(one.id) == call.path["layout"]]
    return Answer({"layouts": [_layout(call, view, one) for one in found]}) if found else Answer(None, 204)


def org(call: Call) -> Answer:
    """GET /crm/v8/org; uploads need `zgid`, which is not `id`."""
    document = shape("org") | {
        "id": str(ORG_ID),
        "zgid": call.switches.zgid,
        "time_zone": call.switches.time_zone,
    }
    document["license_details"] |= {
        "paid_type": call.emulator.credits.edition,
        "users_license_purchased": call.emulator.credits.users,
    }
    return Answer({"org": [document]})


def org_taxes(_call: Call) -> Answer:
    """GET /crm/v8/org/taxes."""
    taxes = [
        {
            "id": str(tax.id),
            "name": tax.name,
            "display_label": tax.name,
            "value": tax.percentage,
            "sequence_number": number,
        }
        for number, tax in enumerate(ORG_TAXES, start=1)
    ]
    preference = {"auto_populate_tax": False, "modify_tax_rates": True}
    return Answer({"org_taxes": {"taxes": taxes, "preference": preference}})
