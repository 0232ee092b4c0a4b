"""`PATCH` and `DELETE` of `/crm/v8/settings/fields`: how an administrator changes a module."""

from __future__ import annotations

from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.field_creation import FIELDS_A_CALL, LABEL_LENGTH, place, refused
from zoho_crm_emulator.metadata_endpoints import asked_module
from zoho_crm_emulator.refusals import Refused, problem
from zoho_crm_emulator.schema import LENGTHS, TEXTAREA_LENGTHS, UNIQUE_TYPES, Field, ModuleView

PICKLISTS = frozenset({"picklist", "multiselectpicklist"})


def update(call: Call) -> Answer:
    """Change up to five fields, each named by its `id`, or the one that the path names; each answers for itself."""
    view = asked_module(call)
    asked = call.json.get("fields") if isinstance(call.json, dict) else None
    if not isinstance(asked, list) or not asked:
        return refused(Refused("MANDATORY_NOT_FOUND", place("fields", "$.fields")))
    if len(asked) > (1 if "field" in call.path else FIELDS_A_CALL):
        details = {"limit": FIELDS_A_CALL, "limit_due_to": [place("fields", "$.fields")]}
        return refused(Refused("LIMIT_EXCEEDED", details))
    if "field" in call.path and isinstance(asked[0], dict):
        asked = [{**asked[0], "id": call.path["field"]}]
    answers = [_one(call, view.name, one, f"$.fields[{number}]") for number, one in enumerate(asked)]
    failed = any(answer["status"] == "error" for answer in answers)
    return Answer({"fields": answers}, 400 if failed else 200)


def delete(call: Call) -> Answer:
    """Delete a custom field; the values that records have of it are no longer shown."""
    view = asked_module(call)
    found = _field_of(view, call.path["field"])
    if found is None or not found.custom:
        raise Refused("INVALID_DATA", place("id", "$.id"), "the id given seems to be invalid")
    call.emulator.catalog.remove_field(view.name, found.api_name)
    return Answer({"fields": [_done(found, "field deleted")]})


def _one(call: Call, module: str, asked: Any, path: str) -> dict[str, Any]:
    found = _field_of(call.emulator.catalog.modules[module], asked.get("id")) if isinstance(asked, dict) else None
    if found is None:
        return problem("INVALID_DATA", "the id given seems to be invalid", place("id", f"{path}.id"))
    try:
        changes = [change for name in asked if name != "id" for change in _change(found, asked, name, path)]
        call.emulator.catalog.alter_field(module, found.api_name, dict(changes))
    except Refused as refusal:
        return problem(refusal.code, refusal.message, refusal.details)
    return _done(found, "field updated")


def _done(field: Field, message: str) -> dict[str, Any]:
    return {"code": "SUCCESS", "details": {"id": str(field.id)}, "message": message, "status": "success"}


def _field_of(view: ModuleView, given: Any) -> Field | None:
    return next((field for field in view.fields.values() if str(field.id) == str(given)), None)


def _change(field: Field, asked: dict[str, Any], name: str, path: str) -> list[tuple[str, Any]]:
    """What one key of the request does to the field; raises Refused for a key or value that it cannot have."""
    value, kind = asked[name], field.data_type
    longest = TEXTAREA_LENGTHS[field.textarea_type] if kind == "textarea" else LENGTHS[kind]
    if name == "field_label" and isinstance(value, str) and 0 < len(value.strip()) <= LABEL_LENGTH:
        return [("label", value.strip())]
    if name == "length" and isinstance(value, int) and 1 <= value <= longest:
        return [("length", value)]
    if name == "pick_list_values" and kind in PICKLISTS and _is_list_of(value, "display_value"):
        return [("pick_list", [str(one["display_value"]) for one in value])]
    if name == "unique" and isinstance(value, dict) and kind in UNIQUE_TYPES:
        sensitive = value.get("casesensitive", value.get("case_sensitive")) in (True, "true")
        return [("unique", bool(value)), ("case_sensitive", sensitive)]
    if name == "external" and isinstance(value, dict) and kind in UNIQUE_TYPES and value.get("type") in {"org", "user"}:
        return [("external", value["type"])]
    raise Refused("INVALID_DATA", place(name, f"{path}.{name}"))


def _is_list_of(value: Any, key: str) -> bool:
    return isinstance(value, list) and all(isinstance(one, dict) and key in one for one in value)
