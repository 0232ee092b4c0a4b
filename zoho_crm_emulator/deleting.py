"""Deleting records, and telling which were deleted: those lie in the recycle bin for 60 days."""

from __future__ import annotations

from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.clock import DAY
from zoho_crm_emulator.dates import iso, zone
from zoho_crm_emulator.documents import DOC_DECODER
from zoho_crm_emulator.emulator import CURRENT_USER, user_reference
from zoho_crm_emulator.record_lists import modified_since
from zoho_crm_emulator.record_reading import MOST_IDS, PER_PAGE, fetch, ids_of, named_record, number_of
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.subforms import delete_rows, rows_of
from zoho_crm_emulator.unique_keys import key_maker

IN_BIN = 60 * DAY
TYPES = ("all", "recycle", "permanent")


def _ids(call: Call) -> list[int]:
    if "record" in call.path:
        record = named_record(call)
        if record is None:
            raise Refused("INVALID_DATA", {"External": call.headers["x-external"]}, "the id given seems to be invalid")
        return [record]
    given = call.query.get("ids")
    if not given:
        raise Refused("REQUIRED_PARAM_MISSING", {"param": "ids"})
    return ids_of(given, MOST_IDS)


def delete(call: Call) -> Answer:
    """DELETE /crm/v8/{module}?ids=..., or /crm/v8/{module}/{id} (or external id); each id has its own outcome."""
    view = call.view
    ids = _ids(call)
    items: list[dict[str, Any]] = []
    with call.emulator.store.write() as connection:
        found = {row[0]: row for row in fetch(connection, view, ids)}
        binned: list[tuple[Any, ...]] = []
        for record in ids:
            row = found.pop(record, None)
            if row is None:
                items.append(
                    Refused("INVALID_DATA", {"id": str(record)}, "the id given seems to be invalid").as_problem()
                )
                continue
            doc = DOC_DECODER.decode(row[6])
            name = doc.get(view.module.own_field)  # of a row of a subform: the record that it belongs to
            binned.append((record, view.id, call.emulator.clock.now(), name if isinstance(name, str) else None, row[4]))
            for field in view.keys:
                if field.api_name in doc:
                    key = key_maker(field, CURRENT_USER)(doc[field.api_name])
                    connection.execute("DELETE FROM unique_keys WHERE field = ? AND key = ?", (field.id, key))
            details = {"id": str(record)}
            items.append({"code": "SUCCESS", "details": details, "message": "record deleted", "status": "success"})
        failed = sum(item["status"] == "error" for item in items)
        gone = [int(item["details"]["id"]) for item in items if item["status"] == "success"]
        delete_rows(
            connection, [row for held in rows_of(connection, gone).values() for rows in held.values() for row in rows]
        )
        delete_rows(connection, gone)
        connection.executemany("INSERT INTO deleted VALUES (?, ?, ?, ?, ?)", binned)
    call.emulator.journal.deleted(len(items) - failed, workflows=call.query.get("wf_trigger", "true") != "false")
    status = 200 if not failed else 207 if failed < len(items) else 400
    return Answer({"data": items}, status, note={"deleted": len(items) - failed})


def deleted(call: Call) -> Answer:
    """GET /crm/v8/{module}/deleted: `type` all, recycle or permanent, page by page, the last deleted first.

    304 where nothing was deleted since `If-Modified-Since`, 204 where nothing was at all.
    """
    kind = call.query.get("type", "all")
    if kind not in TYPES:
        raise Refused("INVALID_DATA", {"param": "type"}, "invalid data")
    per_page = number_of(call, "per_page", PER_PAGE, PER_PAGE)
    page = number_of(call, "page", 1, 10**6)
    now, since = call.emulator.clock.now(), modified_since(call)
    # What has left the bin is deleted for good, and still listed.
    first = max(since, now - IN_BIN + 1) if kind == "recycle" else since
    last = now - IN_BIN if kind == "permanent" else now
    rows = (
        call.emulator.store.read()
        .execute(
            "SELECT record, at, name, creator FROM deleted WHERE module = ? AND at BETWEEN ? AND ? "
            "ORDER BY at DESC, record DESC LIMIT ? OFFSET ?",
            (call.view.id, first, last, per_page + 1, (page - 1) * per_page),
        )
        .fetchall()
    )
    if not rows:
        return Answer(None, 304 if since else 204)
    tz = zone(call.switches.time_zone)
    data = [
        {
            "id": str(record),
            **({} if name is None else {"display_name": name}),
            "type": "recycle" if at > now - IN_BIN else "permanent",
            "deleted_time": iso(at, tz),
            "deleted_by": user_reference(CURRENT_USER),
            "created_by": user_reference(creator),
        }
        for record, at, name, creator in rows[:per_page]
    ]
    info = {"per_page": per_page, "count": len(data), "page": page, "more_records": len(rows) > per_page}
    return Answer({"data": data, "info": info})
