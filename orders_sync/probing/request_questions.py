"""Questions about calls as such: tokens, methods, limits, metadata and uploads."""

from __future__ import annotations

import io
import zipfile
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from itertools import pairwise
from typing import Any

from orders_sync.checks.editions import daily_credits
from orders_sync.probing.bench import Bench
from orders_sync.probing.fields import KEY
from orders_sync.probing.questions import Calls, Question
from orders_sync.probing.record_questions import problem
from orders_sync.probing.verdicts import NotAsked, Verdict, by_value, seen, undecided, unknown
from orders_sync.probing.wire import CREDITS_LEFT, Exchange
from target_zoho_crm.api.codes import ZohoCode
from target_zoho_crm.api.errors import QuotaError
from target_zoho_crm.api.http_sessions import Session
from target_zoho_crm.api.token_endpoint import ask_for_token

_TOO_LARGE_BYTES = 25 * 1024 * 1024 + 65_536
_AT_ONCE = 30
"""Queries at once, of which any edition takes ten."""
_CODES_OF_401 = (
    ZohoCode.INVALID_TOKEN,
    ZohoCode.AUTHENTICATION_FAILURE,
    ZohoCode.INVALID_OAUTHTOKEN,
    ZohoCode.AUTHENTICATION_FAILED,
)
_GATEWAY = frozenset({"ERROR_MESSAGE", "x-error", "info", "x-info"})
_SHORT_DETAILS = frozenset({"file_id", "created_time"})


def zipped(name: str, text: str) -> bytes:
    """A zip with one file."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, text)
    return buffer.getvalue()


def upload_headers(bench: Bench) -> dict[str, str]:
    """The headers of an upload for bulk write."""
    return {"feature": "bulk-write", "X-CRM-ORG": str(bench.org.get("zgid"))}


def _wrong_method_status(bench: Bench) -> Verdict:
    found = bench.wire.call("PUT", "coql", {}, credits=0)
    if problem(found).get("code") != ZohoCode.INVALID_REQUEST_METHOD:
        return unknown("the code is not INVALID_REQUEST_METHOD")
    return by_value(found.status, {400: 400, 405: 405}, "the status")


def _unauthorized_code(bench: Bench) -> Verdict:
    made_up = "1000.orders-sync-probe.no-token"
    found = bench.wire.send("GET", f"{bench.wire.api_url}/crm/v8/org", credits=0, token=made_up)
    if found.status != HTTPStatus.UNAUTHORIZED:
        return unknown("the status is not 401")
    return by_value(found.flat.get("code"), {each: each for each in _CODES_OF_401}, "the code")


def _answers_scope(bench: Bench) -> Verdict:
    own, url = bench.credentials, bench.endpoints.accounts_url
    form = {
        "grant_type": "refresh_token",
        "refresh_token": own.refresh_token,
        "client_id": own.client_id,
        "client_secret": own.client_secret,
    }
    try:
        body = ask_for_token(url, form, lambda: Session(url))
    except QuotaError:
        raise NotAsked("no more tokens are given for now; ask again in ten minutes") from None
    shown = {name: value if name in {"scope", "expires_in", "token_type"} else "<...>" for name, value in body.items()}
    bench.wire.kept.append(Exchange("POST", "/oauth/v2/token", None, HTTPStatus.OK, {}, shown, b"", 0.0))
    if "scope" not in body:
        return seen("absent")
    return seen("present") if isinstance(body["scope"], str) else unknown("`scope` is no text")


def _unique_spelling(bench: Bench) -> Verdict:
    bench.need(KEY)
    path = f"settings/fields/{bench.fields[KEY].get('id')}"
    listed = bench.wire.call("GET", path, credits=1, params={"module": bench.module}).body
    fields = listed.get("fields") if isinstance(listed, dict) else None
    unique = fields[0].get("unique") if isinstance(fields, list) and fields and isinstance(fields[0], dict) else None
    if not isinstance(unique, dict):
        return unknown("`unique` is no object")
    if unique.keys() == {"case_sensitive"} and isinstance(unique["case_sensitive"], bool):
        return seen("case_sensitive")
    is_other = unique.keys() == {"casesensitive"} and str(unique["casesensitive"]) in {"true", "false"}
    return seen("casesensitive") if is_other else unknown(f"`unique` has {sorted(unique)}")


def _burst(bench: Bench) -> Exchange:
    """The first refusal among many queries at once."""
    query = {"select_query": f"select id from {bench.module} where {bench.name_field} = '{bench.run}' limit 1"}  # noqa: S608
    url = f"{bench.wire.api_url}/crm/v8/coql"

    def one(_number: int) -> Exchange:
        return bench.wire.send("POST", url, query, credits=1, keep=False, throttled=True)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(one, range(_AT_ONCE)))
    refused = [each for each in answers if each.status == HTTPStatus.TOO_MANY_REQUESTS]
    bench.measures["queries_at_once"] = {"sent": _AT_ONCE, "refused": len(refused)}
    if not refused:
        raise NotAsked(f"none of {_AT_ONCE} queries at once was refused")
    bench.wire.kept.append(refused[0])
    return refused[0]


def _too_many_requests_body(bench: Bench) -> Verdict:
    found = bench.once("burst", lambda: _burst(bench))
    if not found.content:
        return seen("empty")
    if found.flat.get("code") == ZohoCode.TOO_MANY_REQUESTS:
        return seen("flat")
    return (
        seen("in_data") if found.item.get("code") == ZohoCode.TOO_MANY_REQUESTS else unknown("its body is another one")
    )


def _retry_after(bench: Bench) -> Verdict:
    given = bench.once("burst", lambda: _burst(bench)).headers.get("Retry-After")
    if given is None:
        return seen(None)
    return seen(int(given)) if given.isdecimal() else unknown("Retry-After is no number of seconds")


def _credits_header(bench: Bench) -> Verdict:
    found = bench.wire.call("GET", "org", credits=1)
    licence = bench.org.get("license_details") or {}
    a_day = daily_credits(str(licence.get("paid_type")), int(licence.get("users_license_purchased") or 0))
    bench.wire.kept[-1] = Exchange("GET", found.path, None, found.status, found.headers, None, b"", found.seconds)
    if CREDITS_LEFT not in found.headers:
        return undecided("past_half", "never", why="less than half of the day's credits may be spent")
    remaining = found.credits_left
    if remaining is None:
        return unknown(f"{CREDITS_LEFT} is no number")
    if a_day is not None and remaining * 2 > a_day:
        return seen("always")
    return undecided("past_half", "always", why="more than half of the day's credits is spent")


def cost_of(calls: list[Exchange]) -> Verdict:
    """The cost of equal calls in a row, by what is left after each; the first one only says what is left."""
    after = [each.credits_left for each in calls]
    if None in after:
        raise NotAsked("answers do not say how many credits are left; they may, past half of the day's")
    known = [each for each in after if each is not None]
    costs = {before - then for before, then in pairwise(known)}
    if len(costs) == 1 and (cost := costs.pop()) >= 0:
        return seen(cost)
    return unknown(f"what is left went {' '.join(map(str, known))}: another program may spend too")


def _cost_upload(bench: Bench) -> Verdict:
    return cost_of([_uploaded(bench) for _ in range(3)])


def _uploaded(bench: Bench) -> Exchange:
    return bench.wire.upload(zipped("probe.csv", "id\r\n"), upload_headers(bench), "a zip with one CSV")


def _upload_errors(bench: Bench) -> Verdict:
    found = bench.wire.upload(zipped("probe.csv", "id\r\n"), {"feature": "bulk-write"}, "a zip, without X-CRM-ORG")
    if found.flat.get("code") == ZohoCode.MANDATORY_NOT_FOUND:
        return seen("code")
    return seen("gateway") if found.flat.keys() >= _GATEWAY else unknown("a missing header meets another answer")


def _upload_details(bench: Bench) -> Verdict:
    found = bench.once("upload", lambda: _uploaded(bench))
    details: Any = found.flat.get("details")
    if found.flat.get("status") != "success" or not isinstance(details, dict):
        return unknown("an upload meets another answer")
    if details.keys() == _SHORT_DETAILS:
        return seen("short")
    return (
        seen("full")
        if details.keys() == _SHORT_DETAILS | {"id", "created_by"}
        else unknown(f"it has {sorted(details)}")
    )


def _file_error_status(bench: Bench) -> Verdict:
    found = bench.wire.upload(b"no zip", upload_headers(bench), "no zip")
    if found.flat.get("code") != ZohoCode.INVALID_FILE_FORMAT:
        return unknown("the code is not INVALID_FILE_FORMAT")
    return by_value(found.status, {400: 400, 200: 200}, "the status")


def _file_too_large(bench: Bench) -> Verdict:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("probe.csv", b"\n" * _TOO_LARGE_BYTES)
    found = bench.wire.upload(buffer.getvalue(), upload_headers(bench), f"a zip of {_TOO_LARGE_BYTES:,} bytes")
    if found.status == HTTPStatus.REQUEST_ENTITY_TOO_LARGE:
        return seen(413)
    known = found.flat.get("code") in {ZohoCode.INVALID_DATA, ZohoCode.FILE_TOO_LARGE} or found.flat.keys() >= _GATEWAY
    return (
        seen(400)
        if known and found.status == HTTPStatus.BAD_REQUEST
        else unknown("a file above the limit meets another answer")
    )


REQUEST_QUESTIONS = (
    Question("answers_scope", "`scope` beside a token", (Calls("one more access token", 0),), _answers_scope),
    Question(
        "unauthorized_code", "the code of a made-up token", (Calls("a call without effect", 0),), _unauthorized_code
    ),
    Question(
        "wrong_method_status",
        "the status of a wrong method",
        (Calls("a call without effect", 0),),
        _wrong_method_status,
    ),
    Question(
        "unique_spelling", "what `unique` of a field holds", (Calls("metadata of one field", 1),), _unique_spelling
    ),
    Question("credits_header", "when answers say what is left", (Calls("a read of the org", 1),), _credits_header),
    Question("upload_errors", "an upload without a header", (Calls("uploads", 0),), _upload_errors),
    Question("upload_details", "details of an upload", (Calls("uploads", 0),), _upload_details),
    Question("file_error_status", "the status of what is no zip", (Calls("uploads", 0),), _file_error_status),
    Question("file_too_large", "a zip of more than 25 MB", (Calls("an upload of 25 MB", 0),), _file_too_large),
    Question("cost_upload", "credits of an upload", (Calls("uploads", 0),), _cost_upload),
)
BURST_QUESTIONS = (
    Question(
        "too_many_requests_body", "the body of a 429", (Calls("queries at once", _AT_ONCE),), _too_many_requests_body
    ),
    Question("retry_after", "Retry-After of a 429", (Calls("queries at once", _AT_ONCE),), _retry_after),
)
