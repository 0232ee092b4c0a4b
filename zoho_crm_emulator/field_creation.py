"""`POST /crm/v8/settings/fields?module=`: custom fields made over the API.

Zoho derives the API name from the label; what the documentation leaves open is said here once: characters that no API
name may have become `_`.
"""

from __future__ import annotations

import re
from typing import Any, get_args

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.metadata_endpoints import asked_module
from zoho_crm_emulator.refusals import Refused, problem
from zoho_crm_emulator.schema import (
    LENGTHS,
    ROW_TYPES,
    TEXTAREA_LENGTHS,
    UNIQUE_TYPES,
    Catalog,
    DataType,
    Field,
    ModuleView,
)

FIELDS_A_CALL = 5
LABEL_LENGTH = 50
MADE_BY_API = frozenset(get_args(DataType)) - ROW_TYPES - {"ownerlookup", "layout"}


def api_name_of(label: str) -> str:
    """The API name that Zoho gives a field of this label."""
    return re.sub(r"\W+", "_", label.strip()).strip("_")


def create(call: Call) -> Answer:
    """Make up to five fields; each answers for itself."""
    name = asked_module(call).name
    asked = call.json.get("fields") if isinstance(call.json, dict) else None
    if not isinstance(asked, list) or not asked:
        return refused(Refused("MANDATORY_NOT_FOUND", place("fields", "$.fields")))
    if len(asked) > FIELDS_A_CALL:
        details = {"limit": FIELDS_A_CALL, "limit_due_to": [place("fields", "$.fields")]}
        return refused(Refused("LIMIT_EXCEEDED", details))
    answers = [_one(call, name, item, f"$.fields[{number}]") for number, item in enumerate(asked)]
    failed = any(answer["status"] == "error" for answer in answers)
    return Answer({"fields": answers}, 400 if failed else 201)


def refused(refusal: Refused) -> Answer:
    """A whole request refused, in the form that each field's own refusal has."""
    return Answer({"fields": [refusal.as_problem()]}, 400, note={"code": refusal.code})


def _one(call: Call, module: str, asked: Any, path: str) -> dict[str, Any]:
    try:
        view = call.emulator.catalog.modules[module]
        made = call.emulator.catalog.put_field(module, _field(asked, view, path, call.emulator.catalog))
    except Refused as refusal:
        return problem(refusal.code, refusal.message, refusal.details)
    return {"code": "SUCCESS", "details": {"id": str(made.id)}, "message": "field created", "status": "success"}


def _field(asked: Any, view: ModuleView, path: str, catalog: Catalog) -> Field:
    if not isinstance(asked, dict):
        raise Refused("INVALID_DATA", {"expected_data_type": "jsonobject", "json_path": path})
    label, data_type = (_text(asked, name, path) for name in ("field_label", "data_type"))
    if len(label) > LABEL_LENGTH:
        raise Refused("INVALID_DATA", {**place("field_label", f"{path}.field_label"), "maximum_length": LABEL_LENGTH})
    if data_type not in MADE_BY_API:
        raise Refused("INVALID_DATA", place("data_type", f"{path}.data_type"))
    name = api_name_of(label)
    labels = {(field.label or field.api_name.replace("_", " ")).lower() for field in view.fields.values()}
    if not name or name.lower() in {known.lower() for known in view.fields} or label.lower() in labels:
        raise Refused("INVALID_DATA", place("field_label", f"{path}.field_label"), "the field label is in use")
    textarea = asked.get("textarea")
    kind = textarea.get("type") if isinstance(textarea, dict) else "small"
    if kind not in TEXTAREA_LENGTHS:
        raise Refused("INVALID_DATA", place("type", f"{path}.textarea.type"))
    length = asked.get("length")
    most = TEXTAREA_LENGTHS[kind] if data_type == "textarea" else LENGTHS[data_type]
    if length is not None and (not isinstance(length, int) or not 1 <= length <= most):
        raise Refused("INVALID_DATA", {**place("length", f"{path}.length"), "maximum_length": most})
    unique = asked.get("unique")
    if unique is not None and (not isinstance(unique, dict) or data_type not in UNIQUE_TYPES):
        raise Refused("INVALID_DATA", place("unique", f"{path}.unique"))
    values = asked.get("pick_list_values") or []
    if not isinstance(values, list) or not all(isinstance(one, dict) and "display_value" in one for one in values):
        raise Refused("INVALID_DATA", place("pick_list_values", f"{path}.pick_list_values"))
    return Field(
        api_name=name,
        data_type=data_type,  # type: ignore[arg-type] # looked up above
        label=label,
        length=length,
        decimal_place=asked.get("decimal_place"),
        unique=isinstance(unique, dict),
        case_sensitive=isinstance(unique, dict) and unique.get("casesensitive") in (True, "true"),
        pick_list=tuple(str(value["display_value"]) for value in values),
        lookup=_pointed_to(asked, path, catalog) if data_type == "lookup" else None,
        textarea_type=kind,  # type: ignore[arg-type] # its length was looked up by it
    )


def _pointed_to(asked: dict[str, Any], path: str, catalog: Catalog) -> str:
    """The module that a lookup is to point to: `lookup` {`module` {`api_name`}}."""
    lookup = asked.get("lookup")
    module = lookup.get("module") if isinstance(lookup, dict) else None
    name = module.get("api_name") if isinstance(module, dict) else None
    if name is None:
        raise Refused("MANDATORY_NOT_FOUND", place("lookup", f"{path}.lookup"))
    if catalog.get(name) is None:
        raise Refused("INVALID_DATA", place("module", f"{path}.lookup.module"))
    return str(name)


def _text(asked: dict[str, Any], name: str, path: str) -> str:
    value = asked.get(name)
    if value is None:
        raise Refused("MANDATORY_NOT_FOUND", place(name, f"{path}.{name}"))
    if not isinstance(value, str) or not value.strip():
        raise Refused("INVALID_DATA", {**place(name, f"{path}.{name}"), "expected_data_type": "string"})
    return value


def place(name: str, json_path: str) -> dict[str, str]:
    """The details that say where in a request something is."""
    return {"api_name": name, "json_path": json_path}
