"""The emulator's application called in this very task: nothing in it waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

import requests


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
