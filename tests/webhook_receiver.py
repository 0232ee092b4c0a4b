"""A server on loopback that keeps what is posted to it, with its signature."""

from __future__ import annotations

import hashlib
import hmac
import http.server
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Receiver:
    """What was posted: signatures and bodies. Its answers are `status`."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/told"
        self.posts: list[tuple[str, bytes]] = []
        self.status = 204

    def documents(self, secret: str) -> list[Any]:
        """The bodies; fails where one is not signed by the secret."""
        for signed, body in self.posts:
            assert signed == f"sha256={hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()}"
        return [json.loads(body) for _, body in self.posts]


@contextmanager
def webhook_receiver() -> Iterator[Receiver]:
    """Serve on a free port."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(made.status)
            self.end_headers()
            if made.status < 300:
                made.posts.append((self.headers["X-Orders-Sync-Signature"], body))

        def log_message(self, *_: Any) -> None:
            return

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        made = Receiver(server.server_port)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()
