"""A proxy before the emulator that notes each upsert call: which changes it holds, when it came and was answered."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

CHANGE = "change "
"""What the notes of an order begin with; the number of its last change follows."""


@dataclass(frozen=True)
class NotedCall:
    """One upsert call. Moments are seconds since the epoch; `changes` holds the number of the change by key."""

    came: float
    answered: float
    changes: dict[str, int]


class CallNotes:
    """What the proxy has seen."""

    def __init__(self, base_url: str) -> None:
        """`base_url` is the proxy's own."""
        self.base_url = base_url
        self.calls: list[NotedCall] = []
        self.written: dict[str, int] = {}
        """The newest change of each key that the CRM has."""
        self._lock = threading.Lock()

    @classmethod
    @contextmanager
    def before(cls, emulator_url: str) -> Iterator[CallNotes]:
        """Run a proxy before the emulator at this URL."""
        server = _Server(("127.0.0.1", 0), _Handler)
        server.daemon_threads = True
        server.emulator = urlsplit(emulator_url)
        server.notes = cls(f"http://127.0.0.1:{server.server_address[1]}")
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield server.notes
        finally:
            server.shutdown()
            server.server_close()

    def note(self, came: float, body: bytes) -> None:
        """Note an upsert call that has just been answered well."""
        records = json.loads(body)["data"]
        changes = {record["parent_id"]: int(record["Notes"].removeprefix(CHANGE)) for record in records}
        with self._lock:
            self.calls.append(NotedCall(came, time.time(), changes))
            for key, number in changes.items():
                self.written[key] = max(number, self.written.get(key, -1))


class _Server(ThreadingHTTPServer):
    emulator: Any
    notes: CallNotes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    _onward: http.client.HTTPConnection | None = None

    def _pass_on(self) -> None:
        came = time.time()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self._onward is None:
            self._onward = http.client.HTTPConnection(self.server.emulator.hostname, self.server.emulator.port)
        headers = {name: value for name, value in self.headers.items() if name.lower() not in _HOP_BY_HOP}
        self._onward.request(self.command, self.path, body=body, headers=headers)
        answer = self._onward.getresponse()
        content = answer.read()
        if self.path.endswith("/upsert") and answer.status in _WRITTEN:
            self.server.notes.note(came, body)
        self.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in _HOP_BY_HOP:
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = _pass_on  # noqa: N815 - the library's names

    def handle(self) -> None:
        """Serve a connection; one that its client was killed on just ends."""
        try:
            super().handle()
        except ConnectionError:
            self.close_connection = True
        finally:
            if self._onward is not None:
                self._onward.close()

    def log_message(self, *_: object) -> None:
        """Keep silent."""


_HOP_BY_HOP = {"connection", "keep-alive", "transfer-encoding", "content-length", "host"}
_WRITTEN = {200, 201, 202, 207}
