"""The users of the org, as the users call shows them."""

from __future__ import annotations

from typing import Any

from zoho_crm_emulator.calls import Answer, Call
from zoho_crm_emulator.emulator import CURRENT_USER, INACTIVE_USERS, USERS, user_reference
from zoho_crm_emulator.metadata_endpoints import shape
from zoho_crm_emulator.record_reading import ids_of, number_of
from zoho_crm_emulator.refusals import Refused
from zoho_crm_emulator.searching import rendered_count

PER_PAGE = 200
MOST_IDS = 100
EVERYBODY = {**USERS, **INACTIVE_USERS}
TYPES = {
    "AllUsers": frozenset(EVERYBODY),
    "ActiveUsers": frozenset(USERS),
    "DeactiveUsers": frozenset(INACTIVE_USERS),
    "ConfirmedUsers": frozenset(EVERYBODY),
    "NotConfirmedUsers": frozenset[int](),
    "DeletedUsers": frozenset[int](),
    "ActiveConfirmedUsers": frozenset(USERS),
    "AdminUsers": frozenset({CURRENT_USER}),
    "ActiveConfirmedAdmins": frozenset({CURRENT_USER}),
    "CurrentUser": frozenset({CURRENT_USER}),
}


def _document(user: int) -> dict[str, Any]:
    person = EVERYBODY[user]
    return shape("user") | {
        "id": str(user),
        "zuid": str(user % 10**11),
        "first_name": person["first"],
        "last_name": person["last"],
        "full_name": f"{person['first']} {person['last']}",
        "email": person["email"],
        "status": "active" if user in USERS else "disabled",
        "created_by": user_reference(CURRENT_USER),
        "Modified_By": {
            **user_reference(CURRENT_USER),
            "first_name": USERS[CURRENT_USER]["first"],
            "last_name": USERS[CURRENT_USER]["last"],
        },
    }


def _of_type(call: Call) -> frozenset[int]:
    kind = call.query.get("type", "AllUsers")
    if kind not in TYPES:
        raise Refused("INVALID_DATA", {"param": "type", "supported_values": list(TYPES)})
    return TYPES[kind]


def count(call: Call) -> Answer:
    """GET /crm/v8/users/actions/count: of a `type`."""
    return Answer({"count": rendered_count(len(_of_type(call)), call)})


def users(call: Call) -> Answer:
    """GET /crm/v8/users: `type` (AllUsers, ActiveUsers, CurrentUser, ...) or `ids`, page by page."""
    wanted = _of_type(call)
    if "ids" in call.query:
        wanted &= frozenset(ids_of(call.query["ids"], MOST_IDS))
    page, per_page = number_of(call, "page", 1, 10**6), number_of(call, "per_page", PER_PAGE, PER_PAGE)
    listed = [user for user in EVERYBODY if user in wanted]
    shown = listed[(page - 1) * per_page : page * per_page]
    if not shown:
        return Answer(None, 204)
    info = {"per_page": per_page, "count": len(shown), "page": page, "more_records": len(listed) > page * per_page}
    return Answer({"users": [_document(user) for user in shown], "info": info})


def user(call: Call) -> Answer:
    """GET /crm/v8/users/{user}, by id."""
    text = call.path["user"]
    known = int(text) if text.isascii() and text.isdigit() else 0
    if known not in EVERYBODY:
        return Answer(None, 204)
    info = {"per_page": PER_PAGE, "count": 1, "page": 1, "more_records": False}
    return Answer({"users": [_document(known)], "info": info})
