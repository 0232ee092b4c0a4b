"""Lists of records: by ids, or page by page in an order, and only what changed since."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.clock import DAY, SECOND
from zoho_crm_emulator.dates import iso, zone
from zoho_crm_emulator.record_reading import (
    COLUMNS,
    MOST_IDS,
    PER_PAGE,
    StoredRecord,
    fetch,
    fields_asked,
    ids_of,
    number_of,
    reader_of,
)
from zoho_crm_emulator.refusals import Refused

PAGED_RECORDS = 2000  # beyond these only a page token leads on
SORTED_BY = {"id": "id", "Created_Time": "created", "Modified_Time": "modified"}
PLACE = {"id": 0, "created": 1, "modified": 2}  # in a stored record
COMPARISONS = {"asc": ">", "desc": "<"}


def modified_since(call: Call) -> int:
    """The time of `If-Modified-Since` in milliseconds; 0 without one."""
    given = call.headers.get("if-modified-since")
    if not given:
        return 0
    try:
        return int(datetime.fromisoformat(given).timestamp()) * SECOND
    except ValueError:
        raise Refused("INVALID_DATA", {"param": "If-Modified-Since"}, "invalid data") from None


def read_many(call: Call) -> Answer:
    """GET /crm/v8/{module}: by ids, or page by page, newest record first where no other order is asked for.

    304 where nothing changed since `If-Modified-Since`.
    """
    fields = fields_asked(call)
    if fields is None and call.version.fields_needed:
        raise Refused("REQUIRED_PARAM_MISSING", {"param": "fields"})
    if "ids" in call.query:
        ids = ids_of(call.query["ids"], MOST_IDS)
        found = {row[0]: row for row in fetch(call.emulator.store.read(), call.view, ids)}
        rows, more = [found[record] for record in ids if record in found], False
    else:
        rows, more = _page(call)
    if not rows:
        return Answer(None, 304 if "if-modified-since" in call.headers else 204)
    records = reader_of(call).records(rows, fields, with_rows="ids" in call.query, as_read=fields is None)
    return Answer({"data": records, "info": _info(call, rows, more=more)}, note={"records": len(rows)})


def _order(call: Call) -> tuple[str, str]:
    """By what a list is sorted, and in which order."""
    by, order = call.query.get("sort_by", "id"), call.query.get("sort_order", "desc")
    if by not in SORTED_BY:
        raise Refused("INVALID_DATA", {"param": "sort_by"}, "invalid data")
    if order not in COMPARISONS:
        raise Refused("INVALID_DATA", {"param": "sort_order"}, "invalid data")
    return by, order


def _page(call: Call) -> tuple[list[StoredRecord], bool]:
    """The records of one page, and whether there are more."""
    per_page = number_of(call, "per_page", PER_PAGE, PER_PAGE)
    page = number_of(call, "page", 1, 10**6)
    by, order = _order(call)
    column, sign = SORTED_BY[by], COMPARISONS[order]
    token = call.query.get("page_token")
    if token is None and page * per_page > PAGED_RECORDS:
        raise Refused("DISCRETE_PAGINATION_LIMIT_EXCEEDED", {"limit": PAGED_RECORDS, "param": "page"})
    conditions, parameters = ["+module = ?", "modified > ?"], [call.view.id, modified_since(call) or -1]
    if token is not None:
        conditions.append(f"({column}, id) {sign} (?, ?)")
        parameters += _after(token, by, order)
    rows = (
        call.emulator.store.read()
        .execute(
            f"SELECT {COLUMNS} FROM records WHERE {' AND '.join(conditions)} "  # noqa: S608
            f"ORDER BY {column} {order}, id {order} LIMIT ? OFFSET ?",
            (*parameters, per_page + 1, 0 if token else (page - 1) * per_page),
        )
        .fetchall()
    )
    return rows[:per_page], len(rows) > per_page


def _info(call: Call, rows: list[StoredRecord], *, more: bool) -> dict[str, Any]:
    by, order = _order(call)
    info: dict[str, Any] = {
        "per_page": number_of(call, "per_page", PER_PAGE, PER_PAGE),
        "next_page_token": None,
        "count": len(rows),
        "sort_by": by,
        "page": number_of(call, "page", 1, 10**6),
        "previous_page_token": None,
        "page_token_expiry": None,
        "sort_order": order,
        "more_records": more,
    }
    if more:
        expiry = iso(call.emulator.clock.now() + DAY, zone(call.switches.time_zone))
        info |= {"next_page_token": _token(rows[-1], by, order), "page_token_expiry": expiry}
    return info


def _token(row: StoredRecord, by: str, order: str) -> str:
    text = f"after:{row[PLACE[SORTED_BY[by]]]}:{row[0]}:{by}:{order}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _after(token: str, by: str, order: str) -> list[int]:
    """What the page of a token comes after: the sorted value, and the id; a token belongs to its order."""
    try:
        text = base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)).decode()
        value, record, *its_order = text.removeprefix("after:").split(":")
        numbers = [int(value), int(record)]
    except ValueError:
        raise Refused("INVALID_DATA", {"param": "page_token"}, "the page token is invalid") from None
    if its_order != [by, order]:
        raise Refused("TOKEN_BOUND_DATA_MISMATCH", {"param": "page_token"})
    return numbers
