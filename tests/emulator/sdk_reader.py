"""Reads with Zoho's official SDK what somebody else wrote, in a process of its own because the SDK is a singleton.

Arguments: base address, client id, client secret, refresh token, directory. Takes `{"modules": [..], "records":
{module: [ids]}, "jobs": [ids]}` from stdin. Prints one JSON object: `fields` and `layouts` by module, `records` and
`jobs` by id.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timezone
from typing import Any

from sdk_session import begin
from zohocrmsdk.src.com.zoho.crm.api import ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.bulk_write import BulkWriteOperations
from zohocrmsdk.src.com.zoho.crm.api.fields import FieldsOperations
from zohocrmsdk.src.com.zoho.crm.api.fields.fields_operations import GetFieldsParam
from zohocrmsdk.src.com.zoho.crm.api.layouts import LayoutsOperations
from zohocrmsdk.src.com.zoho.crm.api.layouts.layouts_operations import GetLayoutsParam
from zohocrmsdk.src.com.zoho.crm.api.record import Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

folder = begin()
wanted: dict[str, Any] = json.load(sys.stdin)


FORMS: list[tuple[type, Callable[[Any], Any]]] = [
    (Choice, lambda value: value.get_value()),
    (datetime, lambda value: value.astimezone(timezone.utc).isoformat()),
    (date, lambda value: value.isoformat()),
    (Record, lambda value: {key: plain(one) for key, one in value.get_key_values().items() if key != "$state"}),
]


def plain(value: Any) -> Any:
    """A value of the SDK's as [its class, what it says], so that a type the SDK does not know shows."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    for kind, told in FORMS:
        if isinstance(value, kind):
            return [kind.__name__, told(value)]
    if hasattr(value, "get_id"):
        name = value.get_name() if hasattr(value, "get_name") else None
        value, kind_name = {"id": str(value.get_id()), "name": name}, type(value).__name__
        return [kind_name, value]
    return [type(value).__name__, value]


def parameters(name: Any, module: str) -> ParameterMap:
    made = ParameterMap()
    made.add(name, module)
    return made


seen: dict[str, Any] = {"fields": {}, "layouts": {}, "records": {}, "jobs": {}}
for module in wanted["modules"]:
    told = FieldsOperations().get_fields(parameters(GetFieldsParam.module, module)).get_object().get_fields()
    seen["fields"][module] = {
        field.get_api_name(): {
            "data_type": field.get_data_type(),
            "json_type": field.get_json_type(),
            "length": field.get_length(),
            "decimal_place": field.get_decimal_place(),
            "mandatory": field.get_system_mandatory(),
            "api_create": field.get_operation_type().get_api_create(),
            "unique": field.get_unique() is not None and field.get_unique().get_casesensitive(),
            "external": field.get_external().get_type() if field.get_external() else None,
            "values": [value.get_display_value() for value in field.get_pick_list_values() or []],
            "lookup": field.get_lookup().get_module().get_api_name()
            if field.get_data_type() == "lookup" and field.get_lookup()
            else None,
            "rows": field.get_associated_module().get_module() if field.get_data_type() == "subform" else None,
            "linking": field.get_multiselectlookup().get_linking_details().get_module().get_api_name()
            if field.get_data_type() == "multiselectlookup"
            else None,
        }
        for field in told
    }
    layouts = LayoutsOperations().get_layouts(parameters(GetLayoutsParam.module, module)).get_object().get_layouts()
    seen["layouts"][module] = {
        layout.get_name(): [
            field.get_api_name()
            for section in layout.get_sections()
            for field in section.get_fields()
            if field.get_required()
        ]
        for layout in layouts
    }
for module, ids in wanted["records"].items():
    for record in ids:
        read = RecordOperations(module).get_record(int(record)).get_object().get_data()[0]
        seen["records"][record] = plain(read)[1]
bulk = BulkWriteOperations()
for job in wanted["jobs"]:
    told = bulk.get_bulk_write_job_details(job).get_object()
    stream = bulk.download_bulk_write_result(told.get_result().get_download_url()).get_object().get_file().get_stream()
    content = b"".join(stream.iter_content(1 << 16)) if hasattr(stream, "iter_content") else stream.read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        texts = {name: archive.read(name).decode() for name in archive.namelist()}
    seen["jobs"][job] = {
        "status": told.get_status(),
        "operation": told.get_operation(),
        "resources": [
            {
                "module": resource.get_module().get_api_name(),
                "status": resource.get_status().get_value(),
                "find_by": resource.get_find_by(),
                "mapped": [mapping.get_api_name() for mapping in resource.get_field_mappings()],
                "added": resource.get_file().get_added_count(),
                "updated": resource.get_file().get_updated_count(),
                "skipped": resource.get_file().get_skipped_count(),
            }
            for resource in told.get_resource()
        ],
        "results": {name: list(csv.reader(io.StringIO(text, newline=""))) for name, text in texts.items()},
    }
json.dump(seen, sys.stdout)
