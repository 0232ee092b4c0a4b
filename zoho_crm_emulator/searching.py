"""Searching and counting: `GET /crm/v8/{module}/search` and `/actions/count`, by criteria, e-mail, phone or word.

A search lags behind writes (switch `search_lag_seconds`), and `equals` on text finds what contains the value (switch
`search_equals`): so the documents and those who used it say.
"""

from __future__ import annotations

from datetime import timezone
from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.clock import SECOND
from zoho_crm_emulator.conditions import found
from zoho_crm_emulator.criteria import TEXT, SearchCriteria
from zoho_crm_emulator.dates import iso
from zoho_crm_emulator.record_reading import COLUMNS, PER_PAGE, Reader, fields_asked, number_of
from zoho_crm_emulator.refusals import Refused

MOST_FOUND = 2000  # records that a search leads to, on all its pages
SHORTEST_WORD = 2
WAYS = ("criteria", "email", "phone", "word")
NOTHING = ["and", ["null", "id"], ["not null", "id"]]


def _condition(call: Call, way: str) -> list[Any]:
    """What the first of the query's four ways asks for."""
    view, text = call.view, call.query[way]
    if way == "criteria":
        contains = call.switches.search_equals == "contains"
        return SearchCriteria(text, view, equals_contains=contains).condition()
    if way == "word":
        if len(text) < SHORTEST_WORD:
            raise Refused("INVALID_DATA", {"param": "word"}, "the word is too short")
        kind, names = "contains", [field.api_name for field in view.stored if field.data_type in TEXT]
    else:
        kind, names = "=", [field.api_name for field in view.stored if field.data_type == way]
    return ["or", *([kind, name, text] for name in names)] if names else NOTHING


def _way(call: Call) -> str | None:
    return next((way for way in WAYS if call.query.get(way)), None)


def search(call: Call) -> Answer:
    """GET /crm/v8/{module}/search, page by page, oldest record first; 204 where nothing is found."""
    way = _way(call)
    if way is None:
        raise Refused("REQUIRED_PARAM_MISSING", {"param": "criteria"})
    view, emulator = call.view, call.emulator
    per_page = number_of(call, "per_page", PER_PAGE, PER_PAGE)
    page = number_of(call, "page", 1, 10**6)
    if page * per_page > MOST_FOUND:
        raise Refused("LIMIT_EXCEEDED", {"limit": MOST_FOUND, "param": "page"})
    condition = _condition(call, way)
    if call.switches.search_lag_seconds:
        seen_until = emulator.clock.now() - call.switches.search_lag_seconds * SECOND
        condition = ["and", condition, ["<=", "Modified_Time", iso(seen_until, timezone.utc)]]
    rows = found(emulator.store, view, condition, COLUMNS, most=per_page + 1, skip=(page - 1) * per_page)
    if not rows:
        return Answer(None, 204)
    shown = rows[:per_page]
    info = {"per_page": per_page, "count": len(shown), "page": page, "more_records": len(rows) > per_page}
    records = Reader(emulator, view, call.switches.time_zone).records(shown, fields_asked(call))
    return Answer({"data": records, "info": info}, note={"records": len(shown)})


def count(call: Call) -> Answer:
    """GET /crm/v8/{module}/actions/count: of all records, or of those that a search would lead to, without its lag."""
    way = _way(call)
    condition = ["not null", "id"] if way is None else _condition(call, way)
    ((number,),) = found(call.emulator.store, call.view, condition, "count(*)")
    return Answer({"count": rendered_count(number, call)})


def rendered_count(number: int, call: Call) -> str | int:
    """A count as the OpenAPI file types it, a text, or as the samples of the pages show it, a number."""
    return number if call.switches.counts == "number" else str(number)
