"""What an answer of the API says as a whole: its error in any of Zoho's forms, and whether that names a cause. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from target_zoho_crm.api.codes import CODES, Family, OwnCode, ZohoCode
from target_zoho_crm.api.plain_text import code_of, message_of, name_of

_OF_THE_CALLER = (
    HTTPStatus.UNAUTHORIZED,
    HTTPStatus.NOT_FOUND,
    HTTPStatus.METHOD_NOT_ALLOWED,
    HTTPStatus.TOO_MANY_REQUESTS,
)
_WRAPPINGS_MOST = 8
_ERROR_WORDS = ("error", "failure", None)  # a job's own status (FAILED ...) is an answer, not an error of the call
JSON_PATH = re.compile(r"\$\.data\[0*([0-9]+)\](?:\.(.+))?")
"""The place in a request that an error speaks of: the record's position and, where it names one, the field."""


def flat_error(body: object) -> tuple[str, str, str | None] | None:
    """Code, Zoho's text and field of a request-level error in any of its forms, or None when there is none.

    The forms: flat; wrapped in `data` (or `fields`, when a field was to be made) as an object or as a list of one;
    and the gateway's older keys.
    """
    body = _unwrapped(body)
    if body is None:
        return None
    code = body.get("code")
    if isinstance(code, str) and code and body.get("status") in _ERROR_WORDS:
        return code_of(code) or OwnCode.UNREADABLE, message_of(body.get("message")), fields_of(body.get("details"))
    for name in ("x-info", "x-error", "info", "ERROR_MESSAGE"):
        text = body.get(name)
        if isinstance(text, str) and text:  # `info` is also where lists say which page they are
            expired = text.lower() == "link not valid"
            return (ZohoCode.LINK_NOT_VALID if expired else OwnCode.GATEWAY_ERROR), message_of(text), None
    return None


def _unwrapped(body: object) -> Mapping[str, Any] | None:
    """What stands in `data`, `fields` or a list of one; None where there is no one object, or too many wrappings."""
    for _ in range(_WRAPPINGS_MOST):
        if isinstance(body, list):
            if len(body) != 1:
                return None
            body = body[0]
        elif isinstance(body, dict):
            inner = body.get("data", body.get("fields"))
            if not isinstance(inner, (dict, list)):
                return body
            body = inner
        else:
            return None
    return None


def names_no_cause(http_status: int, body: object) -> bool:
    """Whether a refusal of a whole write call leaves open what is wrong: one of its records may be.

    So an INTERNAL_ERROR of the API, what a gateway says in its place (502 to 504: a record may take too long), and a
    refusal whose code is none of ours, or one about records, without details. Not so what is about the caller or the
    address. Whether it is an outage shows by what else gets through.
    """
    if http_status in _OF_THE_CALLER:
        return False
    found = flat_error(body)
    refused = http_status >= HTTPStatus.BAD_REQUEST
    if found is None:
        return refused
    code, _, field = found
    if field or _details_in(body):
        return False
    info = CODES.get(code)
    return code == ZohoCode.INTERNAL_ERROR or (refused and (info is None or info.family in (Family.DATA, None)))


def _details_in(body: object) -> bool:
    """Whether a request-level error, in any of its forms, has details."""
    while isinstance(body, (list, dict)):
        inner = body[0] if isinstance(body, list) and body else body.get("data") if isinstance(body, dict) else None
        if inner is None:
            return isinstance(body, dict) and bool(body.get("details"))
        body = inner
    return False


def fields_of(details: object) -> str | None:
    """The field that an error's details name, by its API name or by its place in the request."""
    if not isinstance(details, dict):
        return None
    name = details.get("api_name")
    if not isinstance(name, str) or not name:
        path = details.get("json_path")
        match = JSON_PATH.match(path) if isinstance(path, str) else None
        name = match[2] if match is not None else None
    return name_of(name) or None
