"""Zoho's official SDK searches, counts, mass-updates, deletes and bulk-reads, in a process of its own (a singleton).

Arguments: base address, client id, client secret, refresh token, directory. The module Orders holds P-0 to P-3. Prints
one JSON object of what it saw.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import zipfile
from typing import Any

from sdk_session import begin
from zohocrmsdk.src.com.zoho.crm.api import ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.bulk_read import BodyWrapper as BulkReadBody
from zohocrmsdk.src.com.zoho.crm.api.bulk_read import BulkReadOperations, Criteria, Query
from zohocrmsdk.src.com.zoho.crm.api.fields import MinifiedField
from zohocrmsdk.src.com.zoho.crm.api.modules import MinifiedModule
from zohocrmsdk.src.com.zoho.crm.api.record import MassUpdateBodyWrapper, Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.record.record_operations import (
    DeleteRecordsParam,
    RecordCountParam,
    SearchRecordsParam,
)
from zohocrmsdk.src.com.zoho.crm.api.util import Choice

folder = begin()
seen: dict[str, Any] = {}
orders = RecordOperations("Orders")


def parameters(name: Any, value: str) -> ParameterMap:
    made = ParameterMap()
    made.add(name, value)
    return made


criteria = parameters(SearchRecordsParam.criteria, "((Item_Count:greater_than:1)and(parent_id:starts_with:P))")
found = orders.search_records(criteria).get_object().get_data()
seen["found"] = {record.get_key_value("parent_id"): str(record.get_id()) for record in found}
counted = orders.record_count(parameters(RecordCountParam.criteria, "(Item_Count:less_than:3)")).get_object()
seen["count"] = counted.get_count()

values = Record()
values.add_key_value("Country", "Peru")
update = MassUpdateBodyWrapper()
update.set_data([values])
update.set_ids(list(seen["found"].values()))
seen["updated"] = [
    [one.get_status().get_value(), str(one.get_details()["id"])]
    for one in orders.mass_update_records(update).get_object().get_data()
]

orders.delete_records(parameters(DeleteRecordsParam.ids, seen["found"]["P-2"]))
seen["deleted"] = [
    [str(one.get_id()), one.get_type(), one.get_deleted_by().get_name()]
    for one in orders.get_deleted_records().get_object().get_data()
]

module, field, condition, query, body = MinifiedModule(), MinifiedField(), Criteria(), Query(), BulkReadBody()
module.set_api_name("Orders")
field.set_api_name("Country")
condition.set_field(field)
condition.set_comparator(Choice("equal"))
condition.set_value("Peru")
query.set_module(module)
query.set_fields(["parent_id", "Country"])
query.set_criteria(condition)
body.set_query(query)
bulk = BulkReadOperations()
job = bulk.create_bulk_read_job(body).get_object().get_data()[0].get_details()["id"]
for _ in range(200):
    told = bulk.get_bulk_read_job_details(int(job)).get_object().get_data()[0]
    if told.get_state().get_value() == "COMPLETED":
        break
    time.sleep(0.05)
stream = bulk.download_result(int(job)).get_object().get_file().get_stream()
content = b"".join(stream.iter_content(1 << 16)) if hasattr(stream, "iter_content") else stream.read()
with zipfile.ZipFile(io.BytesIO(content)) as archive:
    text = archive.read(archive.namelist()[0]).decode()
seen["bulk"] = {"count": told.get_result().get_count(), "rows": list(csv.reader(io.StringIO(text, newline="")))}
json.dump(seen, sys.stdout)
