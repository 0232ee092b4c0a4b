"""Requests and answers as they travel: what kind of call a request is, its body, and an answer as it arrives."""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import requests
import urllib3
import urllib3.exceptions
from requests.adapters import HTTPAdapter

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""

KINDS_OF_CALLS = ("token", "metadata", "upsert", "upload", "job creation", "poll", "result", "read")
WRITING = frozenset({"upsert", "upload", "job creation"})
"""Those that write orders, or lead to a job that does."""


def kind_of_call(request: requests.PreparedRequest) -> str:
    """One of `KINDS_OF_CALLS`."""
    path = urlsplit(request.url or "").path
    if request.method != "GET" and path.endswith(("/upsert", "/Orders", "/Invoices")):
        return "upsert"
    endings = {"/token": "token", "/upload": "upload", "/bulk/v8/write": "job creation"}
    for ending, kind in endings.items():
        if path.endswith(ending):
            return kind
    if "/bulk/v8/write/" in path:
        return "poll"
    if "/bulk-write/" in path:
        return "result"
    return "metadata" if "/settings/" in path or path.endswith("/org") else "read"


def content_of(request: requests.PreparedRequest) -> bytes:
    """The body, read where it is a file."""
    content = request.body or b""
    if not isinstance(content, (bytes, str)):
        content = b"".join(iter(content.read, b""))  # type: ignore[attr-defined] # the file of an upload
    return content.encode() if isinstance(content, str) else content


def arrived(
    adapter: HTTPAdapter, request: requests.PreparedRequest, answer: Answer, *, cut: bool = False
) -> requests.Response:
    """An answer as it arrives, perhaps cut short."""
    status, headers, body = answer
    sent = body[: len(body) // 2] if cut else body
    raw = urllib3.HTTPResponse(
        io.BytesIO(sent),
        {**headers, "content-length": str(len(body))},
        status,
        preload_content=False,
        enforce_content_length=True,
        request_method=request.method,
    )
    return adapter.build_response(request, raw)


def refused() -> requests.exceptions.ConnectionError:
    """What a client sees where nobody listens."""
    reason = urllib3.exceptions.NewConnectionError(None, "refused")  # type: ignore[arg-type]
    return requests.exceptions.ConnectionError(urllib3.exceptions.MaxRetryError(None, "/", reason))  # type: ignore[arg-type]


def aborted() -> requests.exceptions.ConnectionError:
    """What a client sees where a connection is cut."""
    return requests.exceptions.ConnectionError(urllib3.exceptions.ProtocolError("Connection aborted."))
