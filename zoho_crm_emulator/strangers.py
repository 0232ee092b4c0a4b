"""Keeps web pages of others out of the admin API and the page: a browser on this machine reaches loopback too.

A page may send a form or a script's request to any address (its `Origin` says so), and give its own name the address
of loopback, to read what comes back (its `Host` is that name).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from zoho_crm_emulator.calls import Answer

GUARDED = ("/_emulator", "/")
"""The admin API, and the page itself; the API behind them asks for a token."""


class KeepStrangersOut:
    """Refuses requests for the guarded paths that a web page of somebody else has made."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a stranger with 403; pass on what is none's."""
        if scope["type"] == "http" and _is_guarded(scope["path"]):
            why = stranger(Headers(scope=scope))
            if why is not None:
                await Answer({"error": why}, 403).response()(scope, receive, send)
                return
        await self._app(scope, receive, send)


def _is_guarded(path: str) -> bool:
    return path in GUARDED or path.startswith("/_emulator/")


def stranger(headers: Mapping[str, str]) -> str | None:
    """Why a request is a stranger's; None where it is none."""
    host, origin = headers.get("host", ""), headers.get("origin")
    if not _is_own_name(urlsplit(f"//{host}").hostname or ""):
        return "the Host header names another site"
    if origin is not None and urlsplit(origin).netloc != host:
        return "the Origin header names another site"
    if headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return "a page of another site asks"
    return None


def _is_own_name(name: str) -> bool:
    """Whether no site of the internet can have this name: an address, or one without a dot, such as a container's."""
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return bool(name) and "." not in name.rstrip(".")
    return True
