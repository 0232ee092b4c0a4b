"""A proxy on loopback that notes which hosts it is asked for, and lets nobody through."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


class HostRecorder:
    """`hosts` are those that were asked for; `variables` make a process use the proxy."""

    def __init__(self) -> None:
        self.hosts: set[str] = set()
        recorder = self

        class Handler(BaseHTTPRequestHandler):
            def _refuse(self) -> None:
                recorder.hosts.add(urlsplit(self.path).hostname or self.path.partition(":")[0])
                self.send_error(502)

            do_CONNECT = do_GET = do_POST = do_PUT = _refuse  # noqa: N815 - the names that http.server asks for

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        url = f"http://127.0.0.1:{self._server.server_port}"
        self.variables = {name: url for each in ("HTTP_PROXY", "HTTPS_PROXY") for name in (each, each.lower())}

    @contextmanager
    def listening(self) -> Iterator[HostRecorder]:
        thread = threading.Thread(target=self._server.serve_forever)
        thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            thread.join()
            self._server.server_close()
