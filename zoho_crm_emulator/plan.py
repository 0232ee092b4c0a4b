"""What a bulk write job will do: its request checked against the module and the CSV's header."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from zoho_crm_emulator.batch import Operation
from zoho_crm_emulator.calls import Call
from zoho_crm_emulator.dates import pattern_regex
from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import Field, ModuleView
from zoho_crm_emulator.sheet import Sheet, member
from zoho_crm_emulator.switches import Switches

MOST_COLUMNS = 200
OPERATIONS = frozenset({"insert", "update", "upsert"})
OWNER_FIND_BY = frozenset({"id", "email"})


@dataclass(frozen=True)
class Column:
    """One mapped column of the CSV."""

    index: int
    header: str
    field: Field
    pattern: str | None = None
    find_by: str | None = None  # of a lookup or owner column: the field of the other record a cell names


@dataclass
class Plan:
    """A job, ready to run."""

    view: ModuleView
    operation: Operation
    file_name: str
    encoding: str | None
    ignore_empty: bool
    find_by: Field | None
    columns: list[Column] = field(default_factory=list)
    defaults: dict[str, Any] = field(default_factory=dict)
    echoed: list[Column] = field(default_factory=list)  # the first three mapped, which the result repeats


def missing(name: str, path: str) -> Refused:
    """A key that the request must have."""
    return Refused(
        "MISSING_REQUIRED_KEY",
        {"api_name": name, "json_path": path},
        f"required key {name} is not found in request body.",
    )


def check_request(body: Any) -> dict[str, Any]:
    """The form of the request, before anything is looked up; returns its only resource."""
    if not isinstance(body, dict):
        raise Refused("INVALID_FORMAT", {"expected_data_type": "jsonobject"})
    operation = body.get("operation")
    if operation is None:
        raise missing("operation", "$.operation")
    if operation not in OPERATIONS:
        raise Refused("INVALID_DATA", {"api_name": "operation", "json_path": "$.operation"})
    callback = body.get("callback")
    if callback is not None:
        _check_callback(callback)
    return _check_resources(body.get("resource"))


def _check_resources(resources: Any) -> dict[str, Any]:
    if resources is None:
        raise missing("resource", "$.resource")
    if not isinstance(resources, list) or not resources or not isinstance(resources[0], dict):
        raise Refused("INVALID_FORMAT", {"expected_data_type": "jsonarray", "json_path": "$.resource"})
    if len(resources) > 1:
        raise Refused("FILE_NOT_SUPPORTED", {"json_path": "$.resource[1]"}, "this emulator takes one resource a job")
    resource: dict[str, Any] = resources[0]
    for name in ("type", "module", "file_id"):
        if resource.get(name) is None:
            raise missing(name, f"$.resource[0].{name}")
    if resource["type"] != "data":
        raise Refused("INVALID_DATA", {"api_name": "type", "json_path": "$.resource[0].type"})
    return resource


def _check_callback(callback: Any) -> None:
    if not isinstance(callback, dict):
        raise Refused("INVALID_FORMAT", {"json_path": "$.callback"})
    url = callback.get("url")
    if not isinstance(url, str) or not url.lower().startswith(("http://", "https://")):
        raise Refused("INVALID_CALLBACK_URL", {"json_path": "$.callback.url"})
    if callback.get("method") != "post":
        raise Refused("INVALID_CALLBACK_METHOD", {"supported_callback_methods": ["post"]})


def module_name(resource: dict[str, Any]) -> str:
    """The name of the module a resource is for, given bare or as `{"api_name": ...}`."""
    given = resource["module"]
    return str(given.get("api_name") if isinstance(given, dict) else given)


def module_of(emulator: Emulator, resource: dict[str, Any]) -> ModuleView:
    """The module a resource names."""
    name = module_name(resource)
    view = emulator.catalog.get(name)
    if view is None:
        raise Refused("MODULE_NOT_AVAILABLE", {}, f"Requested module '{name}' is not available.")
    return view


def file_of(emulator: Emulator, resource: dict[str, Any]) -> bytes:
    """The uploaded file a resource names."""
    text = str(resource["file_id"])
    row = None
    if text.isascii() and text.isdigit() and len(text) < 20:  # noqa: PLR2004 - digits of an id
        row = emulator.store.read().execute("SELECT body FROM files WHERE id = ?", (int(text),)).fetchone()
    if row is None:
        raise Refused("INVALID_FILE_ID")
    body: bytes = row[0]
    return body


class Planner:
    """Makes the plan of one request; raises Refused with the code that Zoho documents."""

    def __init__(self, emulator: Emulator, body: dict[str, Any], switches: Switches) -> None:
        self._emulator = emulator
        self._body = body
        self._switches = switches
        self._resource = check_request(body)
        self._view = module_of(emulator, self._resource)

    def plan(self) -> Plan:
        """Check everything there is to check before the first row."""
        body, resource, view = self._body, self._resource, self._view
        archive = file_of(self._emulator, resource)
        name = member(archive, resource.get("file_names"))
        sheet = Sheet(archive, name, body.get("character_encoding"))
        header = sheet.header()
        if len(header) > MOST_COLUMNS:
            raise Refused("HEADER_LIMIT_EXCEEDED", {"limit": MOST_COLUMNS})
        if sheet.has_more_than(self._switches.max_rows):
            raise Refused("LIMIT_EXCEEDED", {"limit": self._switches.max_rows})
        plan = Plan(
            view=view,
            operation=body["operation"],
            file_name=name,
            encoding=body.get("character_encoding"),
            ignore_empty=bool(resource.get("ignore_empty", body.get("ignore_empty", False))),
            find_by=self._find_by(),
        )
        mappings = resource.get("field_mappings")
        if mappings is None:
            self._map_by_header(plan, header)
        else:
            self._map(plan, header, mappings)
        self._check_mapped(plan)
        echoed = plan.columns
        if self._switches.result_columns == "index":
            echoed = sorted(plan.columns, key=lambda column: column.index)
        plan.echoed = echoed[:3]
        return plan

    def _find_by(self) -> Field | None:
        name, operation = self._resource.get("find_by"), self._body["operation"]
        if name is None:
            if operation == "insert":
                return None
            raise Refused("MANDATORY_NOT_FOUND", {"api_name": "find_by", "json_path": "$.resource[0].find_by"})
        known = self._view.fields.get(name)
        if known is None or not (known.is_key or name == "id"):
            raise Refused("INVALID_FIELD", {"api_name": name}, f"invalid mapping. invalid api_name {name}.")
        return known

    def _map(self, plan: Plan, header: list[str], mappings: Any) -> None:
        if not isinstance(mappings, list) or not all(isinstance(one, dict) for one in mappings):
            raise Refused("INVALID_FORMAT", {"json_path": "$.resource[0].field_mappings"})
        for mapping in mappings:
            known = self._known(mapping.get("api_name"), plan)
            if known is None:
                continue
            index = mapping.get("index")
            if index is None:
                default = mapping.get("default_value")
                if not isinstance(default, dict) or "value" not in default:
                    raise Refused(
                        "MISSING_REQUIRED_KEY",
                        {"api_name": known.api_name},
                        f"required key index for field {known.api_name} is not found in request body.",
                    )
                plan.defaults[known.api_name] = default["value"]
                continue
            if index.__class__ is not int or not 0 <= index < len(header):
                raise Refused("COLUMN_INDEX_NOT_FOUND", {"api_name": known.api_name, "index": index})
            pattern = mapping.get("format")
            if pattern is not None and pattern_regex(pattern) is None:
                raise Refused("INVALID_FORMAT", {"api_name": known.api_name, "format": pattern})
            plan.columns.append(
                Column(index, header[index], known, pattern, self._reference(known, mapping.get("find_by")))
            )

    def _map_by_header(self, plan: Plan, header: list[str]) -> None:
        for index, title in enumerate(header):
            name, _, find_by = title.strip().partition(".")
            known = self._known(name, plan)
            if known is not None:
                plan.columns.append(Column(index, title, known, None, self._reference(known, find_by or None)))

    def _known(self, name: Any, plan: Plan) -> Field | None:
        if name == "Layout":
            return Field(api_name="Layout", data_type="text")
        known = self._view.fields.get(name) if isinstance(name, str) else None
        is_key_id = name == "id" and plan.find_by is not None and plan.find_by.api_name == "id"
        if known is None or not (known.writable or is_key_id):
            if self._switches.bulk_unknown_fields == "ignore" and known is None:
                return None
            raise Refused("INVALID_FIELD", {"api_name": name}, f"invalid mapping. invalid api_name {name}.")
        return known

    def _reference(self, known: Field, find_by: Any) -> str | None:
        if known.data_type == "ownerlookup":
            if find_by not in {None, *OWNER_FIND_BY}:
                raise Refused("INVALID_FIELD", {"api_name": str(find_by)})
            return find_by or "id"
        if known.data_type != "lookup":
            return None
        target = self._emulator.catalog.get(known.lookup or "")
        if find_by in {None, "id"}:
            return "id"
        if target is None or find_by not in target.fields:
            raise Refused("INVALID_FIELD", {"api_name": str(find_by)})
        return str(find_by)

    def _check_mapped(self, plan: Plan) -> None:
        mapped = {column.field.api_name for column in plan.columns} | set(plan.defaults)
        if plan.find_by is not None and plan.find_by.api_name not in mapped:
            raise Refused("MANDATORY_FIELDS_NOT_MAPPED", {"api_name": plan.find_by.api_name}, None)
        lacking = [name for name in plan.view.mandatory if name not in mapped]
        if lacking and plan.operation != "update":
            raise Refused("MANDATORY_FIELDS_NOT_MAPPED", {"api_name": lacking[0], "fields": lacking})


def plan_call(call: Call) -> Plan | None:
    """The plan of a create call, or None when the checks are left to the job by a switch."""
    if call.switches.bulk_checks_at == "job":
        resource = check_request(call.json)
        module_of(call.emulator, resource)
        return None
    return Planner(call.emulator, call.json, call.switches).plan()
