"""The calls of one of Zoho's Python SDKs, run by the Python of that SDK's own environment; needs nothing of ours.

Arguments: the SDK's version, base address, client id, client secret, refresh token, a directory. Prints one JSON object
a call: its name, whether it worked, and if not why, with the line of the SDK that failed. A call checks what it reads.
"""

from __future__ import annotations

import csv
import io
import json
import sys
import time
import traceback
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timezone
from importlib import import_module
from pathlib import Path
from typing import Any

VERSION, BASE, CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN, FOLDER = sys.argv[1:]
NUMBER = float(VERSION)
ROOT = "zcrmsdk" if NUMBER < 3 else "zohocrmsdk"
BY_MODULE = NUMBER >= 6
POLLS = 600
known: dict[str, Any] = {}
"""What earlier calls found out: ids, and the address of the result."""


def sdk(path: str, name: str) -> Any:
    """A class of the SDK."""
    return getattr(import_module(f"{ROOT}.src.com.zoho.{path}"), name)


def api(path: str, name: str) -> Any:
    return sdk(f"crm.api.{path}", name)


def choice(value: str) -> Any:
    return api("util", "Choice")(value)


def plain(value: Any) -> Any:
    return value.get_value() if hasattr(value, "get_value") else value


def parameters(**given: str) -> Any:
    made = api("parameter_map", "ParameterMap")()
    for name, value in given.items():
        made.add(getattr(api("record.record_operations", PARAMETERS[name]), name), value)
    return made


PARAMETERS = {"fields": "GetRecordsParam", "criteria": "SearchRecordsParam", "ids": "DeleteRecordsParam"}


def records(method: str, module: str, *given: Any) -> Any:
    """Call a method on records of a module, in whichever way this version has it."""
    operations = api("record", "RecordOperations")
    if BY_MODULE:
        answer = getattr(operations(module), method)(*given)
    elif method == "get_record":
        answer = operations().get_record(given[0], module, *given[1:])
    else:
        answer = getattr(operations(), method)(module, *given)
    assert answer.get_object() is not None, f"status {answer.get_status_code()} without an object"
    return answer.get_object()


def begin() -> None:
    store = sdk("api.authenticator.store", "FileStore")(str(Path(FOLDER) / "tokens.txt"))
    logger = sdk("api.logger", "Logger").get_instance(
        level=sdk("api.logger", "Logger").Levels.ERROR, file_path=str(Path(FOLDER) / "sdk.log")
    )
    environment = api("dc", "DataCenter").Environment
    addresses = [BASE, f"{BASE}/oauth/v2/token", BASE]
    initialize = api("initializer", "Initializer").initialize
    options: dict[str, Any] = {}
    if NUMBER < 3:
        options["user"] = api("user_signature", "UserSignature")("emuladmin@shops.com")
    if NUMBER < 6:
        addresses.append("emulator")
    if NUMBER >= 7:
        options["sdk_config"] = api("sdk_config", "SDKConfig")(update_api_domain=False)
    initialize(
        environment=environment(*addresses),
        token=sdk("api.authenticator", "OAuthToken")(
            client_id=CLIENT_ID, client_secret=CLIENT_SECRET, refresh_token=REFRESH_TOKEN
        ),
        store=store,
        resource_path=FOLDER,
        logger=logger,
        **options,
    )
    known["zgid"] = api("org", "OrgOperations")().get_organization().get_object().get_org()[0].get_zgid()
    assert known["zgid"]


def record_of(values: dict[str, Any]) -> Any:
    made = api("record", "Record")()
    for name, value in values.items():
        made.add_key_value(name, value)
    return made


def upserted(module: str, values: dict[str, Any], key: str) -> tuple[str, str]:
    """Upsert one record: (action, id)."""
    body = api("record", "BodyWrapper")()
    body.set_data([record_of(values)])
    body.set_duplicate_check_fields([key])
    body.set_trigger([])
    (item,) = records("upsert_records", module, body).get_data()
    assert plain(item.get_status()) == "success", f"{plain(item.get_code())} {item.get_details()}"
    return plain(item.get_action()), str(item.get_details()["id"])


MOMENT = datetime(2026, 1, 31, 8, 30, 15, tzinfo=timezone.utc)


def order(amount: float) -> dict[str, Any]:
    account = api("record", "Record")()
    account.set_id(int(known["account"]))
    return {
        "Name": "Order J-1",
        "parent_id": "J-1",
        "Customer_Name": "Renée O'Brien",
        "Total_Amount": amount,
        "Weight_Kg": 1.125,
        "Order_Date": date(2026, 1, 31),
        "Ordered_At": MOMENT,
        "Status": choice("Paid"),
        "Is_Gift": True,
        "Account": account,
    }


def upsert_new() -> None:
    account = {"Account_Name": "Judges", "Legacy_Id": "A-1"}
    action, known["account"] = upserted("Accounts", account, "Legacy_Id")
    assert action == "insert", action
    action, known["order"] = upserted("Orders", order(12.5), "parent_id")
    assert action == "insert", action


def upsert_again() -> None:
    action, record = upserted("Orders", order(12.75), "parent_id")
    assert (action, record) == ("update", known["order"]), (action, record)


def refused() -> None:
    body = api("record", "BodyWrapper")()
    body.set_data([record_of({"Name": "Order J-2", "parent_id": "J-2", "Customer_Name": "x" * 121})])
    body.set_duplicate_check_fields(["parent_id"])
    (item,) = records("upsert_records", "Orders", body).get_data()
    assert plain(item.get_code()) == "INVALID_DATA", plain(item.get_code())
    assert item.get_details()["api_name"] == "Customer_Name", item.get_details()


def read_back() -> None:
    (read,) = records("get_record", "Orders", int(known["order"])).get_data()
    value = read.get_key_value
    assert str(read.get_id()) == known["order"]
    assert value("Customer_Name") == "Renée O'Brien", value("Customer_Name")
    assert float(value("Total_Amount")) == 12.75, value("Total_Amount")
    assert float(value("Weight_Kg")) == 1.125, value("Weight_Kg")
    assert value("Order_Date") == date(2026, 1, 31), value("Order_Date")
    assert value("Ordered_At").astimezone(timezone.utc) == MOMENT, value("Ordered_At")
    assert plain(value("Status")) == "Paid", value("Status")
    assert str(value("Account").get_id()) == known["account"], value("Account")


def listed() -> None:
    found = records("get_records", "Orders", parameters(fields="parent_id,Status")).get_data()
    assert "J-1" in [one.get_key_value("parent_id") for one in found]


def searched() -> None:
    for _ in range(POLLS):
        answer = search_once()
        if answer:
            break
        time.sleep(0.1)
    assert answer == ["J-1"], answer


def search_once() -> list[str]:
    try:
        found = records("search_records", "Orders", parameters(criteria="(parent_id:equals:J-1)"))
    except AssertionError:  # 204: not seen yet
        return []
    return [one.get_key_value("parent_id") for one in found.get_data()]


def coql() -> None:
    package = "coql" if BY_MODULE else "query"
    body = api(package, "BodyWrapper")()
    body.set_select_query("select id, parent_id from Orders where parent_id in ('J-1', 'none')")
    operations = api(package, "CoqlOperations" if BY_MODULE else "QueryOperations")()
    found = operations.get_records(body).get_object().get_data()
    assert [one.get_key_value("parent_id") for one in found] == ["J-1"]


def upload() -> None:
    rows = [["parent_id", "Name", "Total_Amount"], ["J-1", "Order, again", "99.95"], ["J-3", "New", "1.5"]]
    text = io.StringIO()
    csv.writer(text).writerows([*rows, ["J-4", "y" * 121, "1"]])
    archive = Path(FOLDER) / "orders.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.writestr("orders.csv", text.getvalue())
    part = api("bulk_write", "FileBodyWrapper")()
    part.set_file(api("util", "StreamWrapper")(file_path=str(archive)))
    headers = api("header_map", "HeaderMap")()
    names = api("bulk_write.bulk_write_operations", "UploadFileHeader")
    headers.add(names.feature, "bulk-write")
    headers.add(names.x_crm_org, known["zgid"])
    known["bulk"] = api("bulk_write", "BulkWriteOperations")()
    known["file"] = str(known["bulk"].upload_file(part, headers).get_object().get_details()["file_id"])
    assert known["file"].isdigit()


def bulk_module() -> Any:
    """Orders, as a resource of a job names it."""
    if NUMBER < 2.1:
        return "Orders"
    module = api("modules", "MinifiedModule" if NUMBER >= 5 else "Module")()
    module.set_api_name("Orders")
    return module


def job_created() -> None:
    mappings = []
    for index, name in enumerate(["parent_id", "Name", "Total_Amount"]):
        mapping = api("bulk_write", "FieldMapping")()
        mapping.set_api_name(name)
        mapping.set_index(index)
        mappings.append(mapping)
    resource = api("bulk_write", "Resource")()
    resource.set_type(choice("data"))
    resource.set_module(bulk_module())
    resource.set_file_id(known["file"])
    resource.set_find_by("parent_id")
    resource.set_field_mappings(mappings)
    callback = api("bulk_write", "CallBack")()
    callback.set_url("https://example.com/callback")
    callback.set_method(choice("post"))
    request = api("bulk_write", "RequestWrapper")()
    request.set_character_encoding("UTF-8")
    request.set_operation(choice("upsert"))
    request.set_callback(callback)
    request.set_resource([resource])
    known["job"] = str(known["bulk"].create_bulk_write_job(request).get_object().get_details()["id"])
    assert known["job"].isdigit()


def job_ended() -> None:
    job = known["job"] if NUMBER >= 5 else int(known["job"])
    for _ in range(POLLS):
        told = known["bulk"].get_bulk_write_job_details(job).get_object()
        if plain(told.get_status()) in {"COMPLETED", "FAILED", "SKIPPED"}:
            break
        time.sleep(0.05)
    assert plain(told.get_status()) == "COMPLETED", plain(told.get_status())
    counts = told.get_resource()[0].get_file()
    assert (counts.get_added_count(), counts.get_updated_count(), counts.get_skipped_count()) == (1, 1, 1)
    known["address"] = told.get_result().get_download_url()


def result() -> None:
    stream = known["bulk"].download_bulk_write_result(known["address"]).get_object().get_file().get_stream()
    content = b"".join(stream.iter_content(1 << 16)) if hasattr(stream, "iter_content") else stream.read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lines = archive.read(archive.namelist()[0]).decode()
    rows = list(csv.DictReader(io.StringIO(lines, newline="")))
    assert [row["STATUS"].lower() for row in rows] == ["updated", "added", "skipped"], rows


def deleted() -> None:
    (item,) = records("delete_records", "Orders", parameters(ids=known["order"])).get_data()
    assert plain(item.get_status()) == "success", plain(item.get_code())


def deleted_listed() -> None:
    found = records("get_deleted_records", "Orders").get_data()
    assert known["order"] in [str(one.get_id()) for one in found]


CALLS: dict[str, Callable[[], None]] = {
    "log in": begin,
    "upsert": upsert_new,
    "upsert again": upsert_again,
    "upsert refused": refused,
    "read by id": read_back,
    "list": listed,
    "search": searched,
    "COQL": coql,
    "upload": upload,
    "create job": job_created,
    "read job": job_ended,
    "result": result,
    "delete": deleted,
    "deleted records": deleted_listed,
}


def failing_line(error: BaseException) -> str:
    """The last line of the SDK's own code in the error's traceback."""
    frames = traceback.extract_tb(error.__traceback__)
    of_sdk = [frame for frame in frames if f"/{ROOT}/" in frame.filename]
    if not of_sdk:
        return ""
    last = of_sdk[-1]
    return f"{last.filename.partition(f'/{ROOT}/')[2]}:{last.lineno} {last.line}"


def main() -> None:
    for name, call in CALLS.items():
        told: dict[str, Any] = {"call": name, "ok": True}
        try:
            call()
        except Exception as error:  # noqa: BLE001 - a foreign SDK raises whatever it likes, and that is the finding
            told |= {"ok": False, "why": f"{type(error).__name__}: {error}"[:500], "where": failing_line(error)}
        sys.stdout.write(f"{json.dumps(told)}\n")
        sys.stdout.flush()


main()
