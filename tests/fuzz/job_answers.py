"""Answers about bulk write jobs, their links, and access tokens."""

from __future__ import annotations

import os
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from fuzz.choices import AWKWARD, Choices, awkward_json
from fuzz.upsert_answers import HTTP, _read
from fuzz.zoho_answers import BASE, answer, assert_one_line, assert_zoho_is_asked, client_with, token_of
from requests import Response

from target_zoho_crm.api.access_token import AccessToken
from target_zoho_crm.api.client import JobAnswer, ZohoClient
from target_zoho_crm.api.errors import ZohoError

LINKS = (
    "/crm/bulk/v8/write/1/result", "//crm/x", f"{BASE}/x", "https://www.zohoapis.com/x", "https://download.zoho.eu/x",
    "https://evil.example/x", "//evil.example/x", "http://www.zohoapis.com/x", "https://[bad", "https://[::1]/x",
    "https://evil.example\\@www.zohoapis.com/x", "http://evil.example\\@127.0.0.1:8600/", "https://zohoapis.com.evil/x",
    "https://user@www.zohoapis.com/", "https://www.zohoapis.com:99999999/", "https://www.zohoapis.com:8443/", "", "?",
    "https://evil.example／.zohoapis.com/", "javascript:alert(1)", "file:///etc/passwd", "ftp://www.zohoapis.com/x",
)  # fmt: skip
PIECES = ("https:", "http:", "//", "/", "\\", "@", ":", "443", "8600", "www.zohoapis.com", "127.0.0.1", "evil.example",
          "#", "?", "[", "]", "%2f", ".", "zoho.eu", *AWKWARD)  # fmt: skip
WORDS = ("ADDED", "INPROGRESS", "IN PROGRESS", "in_progress", "COMPLETED", "Completed", "SKIPPED", "FAILED", "", "DONE",
         "COMPLETED\n", "FAI LED", "COMPLETED\0")  # fmt: skip


def run_one(data: bytes) -> None:
    choices = Choices(data)
    ask = choices.pick((_job, _job, _job, _download, _download, _create, _token, _metadata))
    try:
        ask(choices)
    except ZohoError as error:
        assert_one_line(str(error))
        assert_one_line(error.code)


def _answered(choices: Choices, body: Any) -> Response:
    content = choices.rest() if choices.one_in(12) else awkward_json(choices, body)
    return answer(choices.pick(HTTP) if choices.one_in(3) else 200, content)


def _link(choices: Choices) -> str:
    if choices.one_in(2):
        return "".join(choices.pick(PIECES) for _ in range(choices.number(9)))
    return choices.pick(LINKS)


def _job_body(choices: Choices) -> Any:
    if choices.one_in(10):
        return choices.json()
    file = {f"{name}_count": choices.json(0) for name in ("added", "updated", "skipped", "total")}
    code = choices.pick(("SUCCESS", "INVALID_FIELD", "LIMIT\nEXCEEDED", "X" * 5000, ""))
    body: dict[str, Any] = {
        "status": choices.pick(WORDS),
        "resource": [{"status": "COMPLETED", "code": code, "file": file}],
        "result": {"download_url": _link(choices)},
    }
    if choices.one_in(5):
        body[choices.pick(tuple(body))] = choices.json(2)
    return body


def _job(choices: Choices) -> None:
    given = _answered(choices, _job_body(choices))
    body = given.raw.getvalue()
    job = client_with([given]).job("1")
    said = _read(body)["status"]
    ends = {"COMPLETED", "SKIPPED", "FAILED"}
    assert not job.status.ended or job.status.value == said.upper().replace(" ", "").replace("_", ""), f"{said!r}"
    assert job.status.ended or said not in ends
    if job.code is not None:
        assert_one_line(job.code)
    _fetch(client_with([answer(200, b"result")]), job)


def _fetch(client: ZohoClient, job: JobAnswer) -> None:
    if job.download_url is None:
        return
    target = _folder() / "result.zip"
    client.download(job.download_url, target)  # the transport asserts that only Zoho is asked
    assert target.read_bytes() == b"result"
    target.unlink()


def _download(choices: Choices) -> None:
    redirects = [
        answer(choices.pick((301, 302, 303, 307, 308)), b"", {"Location": _link(choices)})
        for _ in range(choices.number(6))
    ]
    client = client_with([*redirects, answer(200, b"result")])
    target = _folder() / "result.zip"
    try:
        client.download(_link(choices) if choices.one_in(2) else "/crm/x", target)
    except ZohoError:
        assert not target.exists()
        raise
    target.unlink()


def _create(choices: Choices) -> None:
    details = {choices.pick(("id", "file_id")): choices.json(1)}
    given = _answered(choices, {"status": "success", "code": "SUCCESS", "details": details})
    found = client_with([given]).create_job(b"{}")
    assert 0 < len(found) <= 64
    assert_one_line(found)


def _token(choices: Choices) -> None:
    body: Any = {
        "access_token": choices.pick(("1000.abc", "", "a\r\nb", "é", "a b", "\0", "x" * 10_000)),
        "api_domain": _link(choices),
        "expires_in": choices.json(0),
        "token_type": "Bearer",
    }
    if choices.one_in(3):
        body |= {"error": choices.pick(("invalid_code", "Access Denied", "x\ny", "x" * 5000, choices.json(1)))}
    if choices.one_in(8):
        body = choices.json()
    token = token_of(_answered(choices, body))
    assert_one_line(token.value)
    token.value.encode("ascii")
    _uses(token)


def _uses(token: AccessToken) -> None:
    client = client_with([answer(200, b'{"org":[{"zgid":"1"}]}')], token)
    assert client.org() == {"zgid": "1"}
    assert_zoho_is_asked(client.resolve("/x"))


def _metadata(choices: Choices) -> None:
    client = client_with([_answered(choices, {choices.pick(("org", "users", "modules", "data")): choices.json()})])
    choices.pick((client.org, client.current_user, client.modules, lambda: client.query("select id from Orders")))()


@cache
def _folder() -> Path:
    return Path(tempfile.mkdtemp(prefix=f"fuzz-{os.getpid()}-"))
