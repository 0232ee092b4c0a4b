"""The callback of a bulk write job: a POST to the address the caller named. Only loopback addresses are called."""

from __future__ import annotations

import http.client
import ipaddress
import socket
import threading
from typing import Any
from urllib.parse import urlsplit

import msgspec

from zoho_crm_emulator.emulator import Emulator

TIMEOUT = 5  # seconds


def _is_loopback(host: str) -> bool:
    try:
        return all(ipaddress.ip_address(info[4][0]).is_loopback for info in socket.getaddrinfo(host, None))
    except OSError:
        return False


def _post(url: str, body: bytes) -> str:
    parts = urlsplit(url)
    if parts.scheme != "http" or not parts.hostname or not _is_loopback(parts.hostname):
        return "not sent: only http to loopback addresses is called"
    connection = http.client.HTTPConnection(parts.hostname, parts.port or 80, timeout=TIMEOUT)
    try:
        target = parts.path or "/"
        connection.request(
            "POST", f"{target}?{parts.query}" if parts.query else target, body, {"Content-Type": "application/json"}
        )
        return str(connection.getresponse().status)
    except (OSError, http.client.HTTPException) as error:
        return f"failed: {type(error).__name__}"
    finally:
        connection.close()


def send(emulator: Emulator, request: dict[str, Any], job: int, status: str) -> None:
    """Post the job's state to its callback address, without waiting for it. Zoho documents no form for the body."""
    callback = request.get("callback")
    if not callback:
        return
    body = msgspec.json.encode({"job_id": str(job), "operation": request["operation"], "state": status})

    def deliver() -> None:
        answer = _post(callback["url"], body)
        entry = {"status": answer, "method": "POST", "path": "(callback)", "job": str(job)}
        emulator.journal.request("callback", entry, 0.0)

    threading.Thread(target=deliver, name="callback", daemon=True).start()
