"""`POST /crm/v8/{module}/{id}/actions/clone`: a record made again, with its rows.

Values in the body stand in place of its own. External ids are left out, as the page of the call says. Of unique fields
it says nothing: they are copied, so the clone is refused unless another value is given.
"""

from __future__ import annotations

from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.documents import DOC_DECODER
from zoho_crm_emulator.record_reading import fetch, named_record
from zoho_crm_emulator.records import Write
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.schema import PARENT
from zoho_crm_emulator.subforms import rows_of

OK, CREATED = 200, 201


def clone(call: Call) -> Answer:
    """Clone one record; 201 where it is made."""
    view, record = call.view, named_record(call)
    connection = call.emulator.store.read()
    rows = fetch(connection, view, [] if record is None else [record])
    if not rows:
        raise Refused("INVALID_DATA", {"id": call.path["record"]}, "the id given seems to be invalid")
    (given,) = _data(call)
    copy: dict[str, Any] = DOC_DECODER.decode(rows[0][6])
    copy = {name: value for name, value in copy.items() if name not in view.fields or not view.fields[name].external}
    held = rows_of(connection, [rows[0][0]]).get(rows[0][0], {})
    for field in view.row_fields:
        child = call.emulator.catalog.modules[field.rows or ""]
        docs = [DOC_DECODER.decode(row[6]) for row in fetch(connection, child, held.get(child.id, ()))]
        if docs:
            copy[field.api_name] = [{name: value for name, value in doc.items() if name != PARENT} for doc in docs]
    body = {**(call.json if call.body else {}), "data": [{"Owner": {"id": str(rows[0][3])}, **copy, **given}]}
    answer = Write(call, "insert", body).run()
    if answer.status == OK:
        return Answer(answer.body, CREATED, note=answer.note)
    return Answer(answer.body["data"][0], 400, note=answer.note)  # of a clone the file has no list of errors


def _data(call: Call) -> list[dict[str, Any]]:
    """What the body gives in place of the record's own values; the body may be absent."""
    if not call.body:
        return [{}]
    data = call.json.get("data") if isinstance(call.json, dict) else None
    if not isinstance(data, list) or len(data) != 1 or not isinstance(data[0], dict):
        code = "MANDATORY_NOT_FOUND" if data is None else "INVALID_DATA"
        raise Refused(code, {"api_name": "data", "json_path": "$.data"})
    return data
