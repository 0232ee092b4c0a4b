"""A proxy that bends answers in ways that no switch has: by question, what is done to which call."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import requests

NOT_PASSED_ON = frozenset({"transfer-encoding", "content-length", "connection", "date", "server", "host"})


@dataclass
class Reply:
    """An answer under way; `body` is JSON where it is JSON."""

    status: int
    headers: dict[str, str]
    content: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.content)

    @body.setter
    def body(self, value: Any) -> None:
        self.content = json.dumps(value).encode()


Bend = Callable[[str, str, Reply], None]
"""Changes an answer, by the call's method and path."""


@dataclass(frozen=True)
class Bent:
    """One way of bending: the question that it is for, and a mark that its evidence must show."""

    question: str
    name: str
    bend: Bend
    mark: str


def status(question: str, method: str, end: str, number: int, *, in_place_of: int = 400) -> Bent:
    def bend(asked: str, path: str, reply: Reply) -> None:
        if asked == method and path.partition("?")[0].endswith(end) and reply.status == in_place_of:
            reply.status = number

    return Bent(question, f"status {number}", bend, str(number))


def item(question: str, method: str, change: Callable[[Any], None], mark: str, *, at: int = 0, end: str = "") -> Bent:
    """Changes the answer about one record."""

    def bend(asked: str, path: str, reply: Reply) -> None:
        if asked == method and path.partition("?")[0].endswith(end) and reply.content[:1] == b"{":
            body = reply.body
            items = body.get("data")
            if isinstance(items, list) and len(items) > at:
                change(items[at])
                reply.body = body

    return Bent(question, mark, bend, mark)


def flat(question: str, end: str, change: Callable[[dict[str, Any]], None], mark: str, *, method: str = "") -> Bent:
    """Changes an answer that is one object."""

    def bend(asked: str, path: str, reply: Reply) -> None:
        if end in path and method in {"", asked} and reply.content[:1] == b"{":
            body = reply.body
            change(body)
            reply.body = body

    return Bent(question, mark, bend, mark)


def _failed(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    """Only where the record was refused."""
    return lambda one: change(one) if one.get("status") == "error" else None


def _code(code: str) -> Callable[[dict[str, Any]], None]:
    return _failed(lambda one: one.update(code=code))


def _taken(change: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
    return lambda one: change(one) if one.get("status") == "success" else None


def _respell(one: dict[str, Any]) -> None:
    one["details"] = {name if name == "id" else name.replace("_", ""): each for name, each in one["details"].items()}


def _at_work(word: str) -> Callable[[dict[str, Any]], None]:
    def change(body: dict[str, Any]) -> None:
        if str(body.get("status", "")).startswith("IN"):
            body["status"] = word

    return change


def _counts(body: dict[str, Any]) -> None:
    if body.get("status") in {"ADDED", "INPROGRESS"} and "resource" in body:
        numbers = dict.fromkeys(("added_count", "updated_count", "skipped_count", "total_count"), 7)
        body["resource"][0]["file"] = numbers


def _link(url: str) -> Callable[[dict[str, Any]], None]:
    return lambda body: body["result"].update(download_url=url) if "result" in body else None


def in_result(question: str, change: Callable[[str], str], mark: str) -> Bent:
    """Changes the CSV of a job's result."""

    def bend(_asked: str, path: str, reply: Reply) -> None:
        if "/bulk-write/" in path and reply.content[:2] == b"PK":
            with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
                texts = {name: archive.read(name).decode() for name in archive.namelist()}
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for name, text in texts.items():
                    archive.writestr(name, change(text))
            reply.content = buffer.getvalue()

    return Bent(question, mark, bend, "bulk-write")


def _empty_429(_asked: str, _path: str, reply: Reply) -> None:
    if reply.status == 429:
        reply.content, reply.headers["Retry-After"] = b"slow down", "soon"


def _found_by(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda one: one.update(duplicate_field=name)


def _unique(body: dict[str, Any]) -> None:
    body["fields"][0]["unique"] = {"exact": True}


def _nothing_held(name: str, value: Any) -> Callable[[Any], None]:
    return lambda one: one.update({name: value}) if name in one else None


BENDS = (
    status("insert_status", "POST", "/Orders", 202, in_place_of=200),
    item("details_spelling", "POST", _taken(_respell), "ModifiedTime"),
    item("ids", "POST", _taken(lambda one: one["details"].update(id={"value": "x"})), "value"),
    flat("too_many_records", "/upsert", lambda body: body.update(code="TOO_MANY"), "TOO_MANY"),
    flat("request_errors", "/upsert", lambda body: body.update(code="NO_DATA"), "NO_DATA"),
    status("all_failed_status", "POST", "/Orders", 422),
    item("same_key_twice", "POST", lambda one: one.update(action="skip"), "skip", at=1, end="/upsert"),
    item("unknown_keys", "POST", lambda one: one.update(code="ODD_KEY", status="odd"), "ODD_KEY"),
    item("duplicate_checks", "POST", lambda one: one.update(action="merge"), "merge", end="/upsert"),
    item("duplicate_named", "POST", _failed(lambda one: one["details"].update(api_name="Name")), "duplicate"),
    item("duplicate_field_on_insert", "POST", _found_by(""), "duplicate_field", end="/upsert"),
    item("duplicate_field_on_update", "POST", _found_by("id"), "duplicate_field", end="/upsert"),
    flat("unknown_id", "/Orders/", lambda body: body.pop("details", None), "INVALID_DATA", method="PUT"),
    flat("module_names", "/orders", lambda body: body.update(code="WHICH_MODULE"), "WHICH_MODULE"),
    item("bigint_numbers", "GET", _nothing_held("Probe_Bigint", "123456789012345680"), "Probe_Bigint"),
    item("excess_decimals", "POST", _failed(lambda one: one.update(code="TOO_EXACT")), "TOO_EXACT"),
    item("datetime_without_offset", "GET", _nothing_held("Probe_Time", "2026-01-15T13:00:00+05:30"), "13:00:00"),
    item("datetime_z", "POST", _taken(lambda one: one.update(code="MAYBE")), "MAYBE"),
    item("lookup_by_name", "POST", _code("NO_SUCH_NAME"), "NO_SUCH_NAME"),
    item("limits_as", "POST", _failed(lambda one: one["details"].update(maximum_length=[40])), "maximum_length"),
    item("validation_rule_code", "POST", _code("RULE_BROKEN"), "RULE_BROKEN"),
    item("dependency_code", "POST", _code("NOT_TOGETHER"), "NOT_TOGETHER"),
    flat("counts", "/actions/count", lambda body: body.update(count=[1]), "count"),
    flat("unauthorized_code", "/org", lambda body: body.update(code="EXPIRED") if "code" in body else None, "EXPIRED"),
    status("wrong_method_status", "PUT", "/coql", 404),
    flat("unique_spelling", "/settings/fields/", _unique, "exact"),
    flat("upload_errors", "/upload", lambda body: body.update(code="NO_HEADER"), "NO_HEADER"),
    flat("upload_details", "/upload", lambda body: body["details"].update(size=3), "size"),
    status("file_error_status", "POST", "/upload", 422),
    flat("job_not_found", "/bulk/v8/write/", lambda body: body.update(code="NO_JOB"), "NO_JOB"),
    item("max_read_rows", "GET", lambda one: one.get("result", {}).update(per_page="many"), "many"),
    flat("bulk_unknown_fields", "/write", _code("ODD_FIELD"), "ODD_FIELD"),
    flat("job_status_word", "/write/", _at_work("RUNNING"), "RUNNING"),
    flat("job_counts", "/write/", _counts, "total_count"),
    flat("download_url", "/write/", _link("ftp://127.0.0.1/result.zip"), "ftp"),
    in_result("result_status", lambda text: text.replace(",added,", ",created,"), "another word"),
    in_result("result_columns", lambda text: text.replace("Second column", "Column 3", 1), "another header"),
    Bent("too_many_requests_body", "another body", _empty_429, "slow down"),
    Bent("retry_after", "no number", _empty_429, "soon"),
)  # fmt: skip


@contextmanager
def proxy(base_url: str, bend: Bend) -> Iterator[str]:
    """Pass calls on to an emulator, and bend the answers; gives the proxy's address."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _pass(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            content = self.rfile.read(length)
            headers = {
                name: value for name, value in self.headers.items() if name.lower() not in {"host", "connection"}
            }
            with requests.Session() as session:
                session.trust_env = False
                got = session.request(
                    self.command, base_url + self.path, data=content, headers=headers, allow_redirects=False
                )
            kept = {name: value for name, value in got.headers.items() if name.lower() not in NOT_PASSED_ON}
            reply = Reply(got.status_code, kept, got.content)
            bend(self.command, self.path, reply)
            self.send_response(reply.status)
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(reply.content)))
            self.end_headers()
            self.wfile.write(reply.content)

        do_GET = do_POST = do_PUT = do_DELETE = _pass  # noqa: N815 - as the library calls them

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - as the library names it
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
