"""A run of Zoho's official SDK, in a process of its own because the SDK is a process-wide singleton.

Arguments: base address, client id, client secret, refresh token, directory. Prints one JSON object of what it saw.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import zipfile
from datetime import date, datetime, timezone

from sdk_session import begin
from zohocrmsdk.src.com.zoho.crm.api import HeaderMap, ParameterMap
from zohocrmsdk.src.com.zoho.crm.api.bulk_write import (
    BulkWriteOperations,
    CallBack,
    FieldMapping,
    FileBodyWrapper,
    RequestWrapper,
    Resource,
)
from zohocrmsdk.src.com.zoho.crm.api.bulk_write.bulk_write_operations import UploadFileHeader
from zohocrmsdk.src.com.zoho.crm.api.coql import BodyWrapper as QueryBody
from zohocrmsdk.src.com.zoho.crm.api.coql import CoqlOperations
from zohocrmsdk.src.com.zoho.crm.api.modules import MinifiedModule, ModulesOperations
from zohocrmsdk.src.com.zoho.crm.api.org import OrgOperations
from zohocrmsdk.src.com.zoho.crm.api.record import BodyWrapper, Field, GetRecordsParam, Record, RecordOperations
from zohocrmsdk.src.com.zoho.crm.api.util import Choice, StreamWrapper

folder = begin()
seen: dict[str, object] = {}

org = OrgOperations().get_organization().get_object().get_org()[0]
seen["zgid"] = org.get_zgid()
seen["modules"] = sorted(
    module.get_api_name() for module in ModulesOperations().get_modules().get_object().get_modules()
)

order = Record()
order.add_key_value("parent_id", "SDK-1")
order.add_key_value("Customer_Name", "Renée O'Brien")
order.add_key_value("Total_Amount", 12.5)
order.add_key_value("Order_Date", date(2026, 1, 31))
order.add_key_value("Ordered_At", datetime(2026, 1, 31, 8, 30, 15, tzinfo=timezone.utc))
order.add_key_value("Status", Choice("Paid"))
order.add_key_value("Item_Count", 3)
order.add_key_value("Loyalty_Points", 123456789012345)
order.add_key_value("Is_Gift", True)  # noqa: FBT003 - the SDK's own form
bad = Record()
bad.add_key_value("parent_id", "SDK-2")
bad.add_key_value("Customer_Name", "x" * 121)
body = BodyWrapper()
body.set_data([order, bad])
body.set_duplicate_check_fields(["parent_id"])
body.set_trigger([])
upserted = RecordOperations("Orders").upsert_records(body)
seen["upsert_status"] = upserted.get_status_code()
seen["upsert"] = [
    [item.get_status().get_value(), item.get_code().get_value()] for item in upserted.get_object().get_data()
]
details = upserted.get_object().get_data()[0].get_details()
seen["upsert_id"] = str(details["id"])

read = RecordOperations("Orders").get_record(int(details["id"])).get_object().get_data()[0]
seen["read"] = {
    "id": str(read.get_id()),
    "parent_id": read.get_key_value("parent_id"),
    "Customer_Name": read.get_key_value("Customer_Name"),
    "Total_Amount": read.get_key_value("Total_Amount"),
    "Order_Date": read.get_key_value("Order_Date").isoformat(),
    "Ordered_At": read.get_key_value("Ordered_At").astimezone(timezone.utc).isoformat(),
    "Status": read.get_key_value("Status").get_value(),
    "Loyalty_Points": read.get_key_value("Loyalty_Points"),
}
parameters = ParameterMap()
parameters.add(GetRecordsParam.fields, "parent_id,Status")
listed = RecordOperations("Orders").get_records(parameters).get_object()
seen["listed"] = [record.get_key_value("parent_id") for record in listed.get_data()]

query = QueryBody()
query.set_select_query("select id, parent_id from Orders where parent_id in ('sdk-1', 'none')")
seen["coql"] = [
    record.get_key_value("parent_id") for record in CoqlOperations().get_records(query).get_object().get_data()
]

text = io.StringIO()
rows = csv.writer(text)
rows.writerow(["parent_id", "Customer_Name", "Notes", "Total_Amount"])
rows.writerow(["SDK-1", "Renée, again", 'two\nlines and "quotes"', "99.95"])
rows.writerow(["SDK-3", "Ng", "", "1"])
rows.writerow(["SDK-4", "y" * 121, "", "1"])
archive = folder / "orders.zip"
with zipfile.ZipFile(archive, "w") as packed:
    packed.writestr("orders.csv", text.getvalue())

bulk = BulkWriteOperations()
part = FileBodyWrapper()
part.set_file(StreamWrapper(file_path=str(archive)))
headers = HeaderMap()
headers.add(UploadFileHeader.feature, "bulk-write")
headers.add(UploadFileHeader.x_crm_org, org.get_zgid())
uploaded = bulk.upload_file(part, headers).get_object()
file_id = str(uploaded.get_details()["file_id"])

mappings = []
for index, name in enumerate(["parent_id", "Customer_Name", "Notes", "Total_Amount"]):
    mapping = FieldMapping()
    mapping.set_api_name(name)
    mapping.set_index(index)
    mappings.append(mapping)
module = MinifiedModule()
module.set_api_name("Orders")
resource = Resource()
resource.set_type(Choice("data"))
resource.set_module(module)
resource.set_file_id(file_id)
resource.set_find_by("parent_id")
resource.set_ignore_empty(False)
resource.set_field_mappings(mappings)
callback = CallBack()
callback.set_url("https://example.com/callback")
callback.set_method(Choice("post"))
request = RequestWrapper()
request.set_character_encoding("UTF-8")
request.set_operation(Choice("upsert"))
request.set_callback(callback)
request.set_resource([resource])
created = bulk.create_bulk_write_job(request).get_object()
job = str(created.get_details()["id"])

for _ in range(200):
    told = bulk.get_bulk_write_job_details(job).get_object()
    if told.get_status() in {"COMPLETED", "FAILED", "SKIPPED"}:
        break
    time.sleep(0.05)
counts = told.get_resource()[0].get_file()
seen["job"] = {
    "status": told.get_status(),
    "added": counts.get_added_count(),
    "updated": counts.get_updated_count(),
    "skipped": counts.get_skipped_count(),
    "total": counts.get_total_count(),
}
download = bulk.download_bulk_write_result(told.get_result().get_download_url()).get_object()
stream = download.get_file().get_stream()
content = b"".join(stream.iter_content(1 << 16)) if hasattr(stream, "iter_content") else stream.read()
with zipfile.ZipFile(io.BytesIO(content)) as result:
    lines = result.read(result.namelist()[0]).decode()
seen["result"] = list(csv.reader(io.StringIO(lines, newline="")))
json.dump(seen, sys.stdout)
_ = Field
