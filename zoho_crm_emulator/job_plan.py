"""What a bulk write job will do: its request checked against the modules and the CSVs' headers.

A job has one resource, or a parent's first and then those of its subforms, each with a CSV of its own.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from zoho_crm_emulator.calls import Call
from zoho_crm_emulator.dates import pattern_regex
from zoho_crm_emulator.emulator import Emulator
from zoho_crm_emulator.record_writing import Operation
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import LAYOUT, PARENT, ROW_TYPES, Field, ModuleView
from zoho_crm_emulator.sheet import Sheet, member
from zoho_crm_emulator.switches import Switches

MOST_COLUMNS = 200
CHUNK_ROWS = 1000
MOST_RESOURCES = 100
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
    parent_index: int | None = None  # of a child's Parent_Id: the column of the parent's CSV whose cell is the same


@dataclass
class Plan:
    """A job, ready to run."""

    view: ModuleView
    resource: dict[str, Any]
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


def check_request(body: Any) -> list[dict[str, Any]]:
    """The form of the request, before anything is looked up; returns its resources."""
    if not isinstance(body, dict):
        raise Refused("INVALID_FORMAT", {"expected_data_type": "jsonobject"})
    operation = body.get("operation")
    if operation is None:
        raise missing("operation", "$.operation")
    if operation not in OPERATIONS:
        raise Refused("INVALID_DATA", {"api_name": "operation", "json_path": "$.operation"})
    callback = body.get("callback")
    if callback is not None:
        check_callback(callback)
    return _check_resources(body.get("resource"))


def _check_resources(resources: Any) -> list[dict[str, Any]]:
    if resources is None:
        raise missing("resource", "$.resource")
    if not isinstance(resources, list) or not resources or not all(isinstance(one, dict) for one in resources):
        raise Refused("INVALID_FORMAT", {"expected_data_type": "jsonarray", "json_path": "$.resource"})
    if len(resources) > MOST_RESOURCES:
        raise Refused("LIMIT_EXCEEDED", {"limit": MOST_RESOURCES, "json_path": "$.resource"})
    for number, resource in enumerate(resources):
        for name in ("type", "module", "file_id"):
            if resource.get(name) is None:
                raise missing(name, f"$.resource[{number}].{name}")
        if resource["type"] != "data":
            raise Refused("INVALID_DATA", {"api_name": "type", "json_path": f"$.resource[{number}].type"})
    return resources


def check_callback(callback: Any) -> None:
    """Refuse a callback that is no address to post to."""
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


def plans(emulator: Emulator, body: dict[str, Any], switches: Switches) -> list[Plan]:
    """The plan of each resource of a request, the parent's first; raises Refused with the code Zoho documents."""
    resources = check_request(body)
    made = [Planner(emulator, body, switches, resource, number).plan() for number, resource in enumerate(resources)]
    for number, plan in enumerate(made[1:], start=1):
        if plan.view.module.rows_of != made[0].view.name:
            place = {"json_path": f"$.resource[{number}].module"}
            raise Refused("FILE_NOT_SUPPORTED", place, "only a parent and its children can share a job")
        column = next((one for one in plan.columns if one.field.api_name == PARENT), None)
        if column is None or column.parent_index is None:
            place = {"api_name": "parent_column_index", "json_path": f"$.resource[{number}].field_mappings"}
            raise Refused("MISSING_REQUIRED_KEY", place)
    return made


class Planner:
    """Makes the plan of one resource; raises Refused with the code that Zoho documents."""

    def __init__(
        self, emulator: Emulator, body: dict[str, Any], switches: Switches, resource: dict[str, Any], number: int
    ) -> None:
        self._emulator = emulator
        self._body = body
        self._switches = switches
        self._resource = resource
        self._number = number
        self._place = f"$.resource[{number}]"
        self._view = module_of(emulator, resource)

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
            resource=resource,
            operation=body["operation"],
            file_name=name,
            encoding=body.get("character_encoding"),
            ignore_empty=self._ignores_empty(),
            find_by=self._find_by(),
        )
        mappings = resource.get("field_mappings")
        if mappings is None:
            self._map_by_header(plan, header)
        else:
            self._map(plan, header, mappings)
        self._check_mapped(plan)
        if view.module.rows_of and not view.module.link:
            self._check_child_rows(plan, sheet)
        echoed = plan.columns
        if self._switches.result_columns == "index":
            echoed = sorted(plan.columns, key=lambda column: column.index)
        plan.echoed = echoed[:3]
        return plan

    def _ignores_empty(self) -> bool:
        """Older documents have `ignore_empty` at the top of the request, newer ones in the resource."""
        places = {"request": [self._body], "resource": [self._resource], "both": [self._resource, self._body]}
        given = (place["ignore_empty"] for place in places[self._switches.ignore_empty_at] if "ignore_empty" in place)
        return bool(next(given, False))

    def _find_by(self) -> Field | None:
        name, operation = self._resource.get("find_by"), self._body["operation"]
        if name is None:
            if operation == "insert" or (self._view.module.rows_of and operation == "upsert"):
                return None  # rows of a subform have no key by themselves: they are added
            raise Refused("MANDATORY_NOT_FOUND", {"api_name": "find_by", "json_path": f"{self._place}.find_by"})
        known = self._view.fields.get(name)
        if known is None or not (known.is_key or name == "id"):
            raise Refused("INVALID_FIELD", {"api_name": name}, f"invalid mapping. invalid api_name {name}.")
        return known

    def _map(self, plan: Plan, header: list[str], mappings: Any) -> None:
        if not isinstance(mappings, list) or not all(isinstance(one, dict) for one in mappings):
            raise Refused("INVALID_FORMAT", {"json_path": f"{self._place}.field_mappings"})
        for mapping in mappings:
            known = self._known(mapping.get("api_name"), plan)
            if known is None:
                continue
            index = mapping.get("index")
            if index is None or known.data_type == "layout":  # a layout is for the whole file
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
                Column(
                    index,
                    header[index],
                    known,
                    pattern,
                    self._reference(known, mapping.get("find_by"), mapping.get("module")),
                    self._parent_index(known, mapping.get("parent_column_index")),
                )
            )

    @staticmethod
    def _parent_index(known: Field, index: Any) -> int | None:
        if index is None or known.api_name != PARENT:
            return None
        if index.__class__ is not int or not 0 <= index < MOST_COLUMNS:
            raise Refused("COLUMN_INDEX_NOT_FOUND", {"api_name": PARENT, "index": index})
        return int(index)

    def _map_by_header(self, plan: Plan, header: list[str]) -> None:
        for index, title in enumerate(header):
            name, _, find_by = title.strip().partition(".")
            known = self._known(name, plan)
            if known is not None and known.data_type != "layout":
                plan.columns.append(Column(index, title, known, None, self._reference(known, find_by or None)))

    def _known(self, name: Any, plan: Plan) -> Field | None:
        known = self._view.fields.get(name) if isinstance(name, str) else None
        is_key_id = name == "id" and plan.find_by is not None and plan.find_by.api_name == "id"
        if known is None or not (known.writable or is_key_id) or known.data_type in ROW_TYPES:
            if self._switches.bulk_unknown_fields == "ignore" and known is None:
                return None
            raise Refused("INVALID_FIELD", {"api_name": name}, f"invalid mapping. invalid api_name {name}.")
        if known.data_type == "linetax" and self._switches.line_tax_cells == "refuse":
            raise Refused("INVALID_FIELD", {"api_name": name}, f"invalid mapping. invalid api_name {name}.")
        return known

    def _reference(self, known: Field, find_by: Any, module: Any = None) -> str | None:
        if known.data_type in {"ownerlookup", "userlookup"}:
            if find_by not in {None, *OWNER_FIND_BY}:
                raise Refused("INVALID_FIELD", {"api_name": str(find_by)})
            return find_by or "id"
        if known.data_type != "lookup":
            return None
        target = self._emulator.catalog.get(known.lookup or "")
        named = module.get("api_name") if isinstance(module, dict) else module
        if named is not None and named != known.lookup:
            raise Refused("INVALID_DATA", {"api_name": known.api_name, "module": named})
        if find_by in {None, "id"}:
            return "id"
        if target is None or find_by not in target.fields:
            raise Refused("INVALID_FIELD", {"api_name": str(find_by)})
        return str(find_by)

    def _check_child_rows(self, plan: Plan, sheet: Sheet) -> None:
        """Refuse more rows of a subform than the switches let one file, or one record, have."""
        most, per = self._switches.child_rows, self._switches.child_rows_per
        if per == "parent":
            at = next((column.index for column in plan.columns if column.field.api_name == PARENT), 0)
            rows = Counter(row[at] for rows in sheet.chunks(CHUNK_ROWS) for row in rows if at < len(row))
            over = max(rows.values(), default=0) > most
        else:
            over = (per == "file" or self._number > 0) and sheet.has_more_than(most)
        if over:
            raise Refused("LIMIT_EXCEEDED", {"limit": most, "json_path": f"{self._place}.file_names"})

    def _check_mapped(self, plan: Plan) -> None:
        mapped = {column.field.api_name for column in plan.columns} | set(plan.defaults)
        if plan.find_by is not None and plan.find_by.api_name not in mapped:
            raise Refused("MANDATORY_FIELDS_NOT_MAPPED", {"api_name": plan.find_by.api_name}, None)
        layout = plan.defaults.get(LAYOUT)
        given = str(layout.get("id") if isinstance(layout, dict) else layout)
        mandatory = plan.view.mandatory_by(int(given)) if given.isdigit() else plan.view.mandatory
        lacking = [name for name in mandatory if name not in mapped]
        if lacking and plan.operation != "update":
            raise Refused("MANDATORY_FIELDS_NOT_MAPPED", {"api_name": lacking[0], "fields": lacking})


def check_call(call: Call) -> None:
    """Refuse a create call that cannot run, unless a switch leaves its checks to the job."""
    if call.switches.bulk_checks_at == "job":
        for resource in check_request(call.json):
            module_of(call.emulator, resource)
    else:
        plans(call.emulator, call.json, call.switches)
