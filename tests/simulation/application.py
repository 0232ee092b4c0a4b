"""The emulator's application, called without sockets, with one small module in it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests

from zoho_crm_emulator.oauth import DEMO_CLIENT_ID, DEMO_CLIENT_SECRET, DEMO_REFRESH_TOKEN
from zoho_crm_emulator.schema import Catalog, Field, Module
from zoho_crm_emulator.standard import order_fields, system_fields

BASE = "http://127.0.0.1:1"
CREDENTIALS = {
    "client_id": DEMO_CLIENT_ID,
    "client_secret": DEMO_CLIENT_SECRET,
    "refresh_token": DEMO_REFRESH_TOKEN,
    "accounts_url": BASE,
    "api_url": BASE,
    "upload_url": BASE,
    "first_contact": "off",
}


def install_small_module(catalog: Catalog) -> None:
    """Two modules with few fields: fetching the usual ones would take a fifth of each history."""
    fields = [field for field in order_fields() if field.api_name in {"Name", "parent_id", "Notes"}]
    fields.append(Field(api_name="Invoice_No", data_type="text", length=40))
    for name in ("Orders", "Invoices"):
        catalog.put_module(Module(api_name=name), [*fields, *system_fields()])


async def at_once(work: Callable[..., Any], *arguments: Any) -> Any:
    """In place of a thread pool: Zoho's work takes no time of ours."""
    return work(*arguments)


def serve(app: Any, request: requests.PreparedRequest, path: str, content: bytes) -> tuple[int, dict[str, str], bytes]:
    """Call the application; nothing in it waits."""
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": urlsplit(request.url or "").query.encode(),
        "headers": [(name.lower().encode(), str(value).encode()) for name, value in request.headers.items()],
        "client": ("127.0.0.1", 2),
        "server": ("127.0.0.1", 1),
        "root_path": "",
        "state": {},
    }
    told: dict[str, Any] = {"body": b""}
    given = [{"type": "http.request", "body": content, "more_body": False}]

    async def receive() -> dict[str, Any]:
        return given.pop() if given else {"type": "http.disconnect"}

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            told["status"] = message["status"]
            told["headers"] = {name.decode(): value.decode() for name, value in message["headers"]}
        else:
            told["body"] += message.get("body", b"")

    serving = app(scope, receive, send)
    try:
        serving.send(None)
    except StopIteration:
        return told["status"], told["headers"], told["body"]
    raise AssertionError(f"{request.method} {path} waits for something")
