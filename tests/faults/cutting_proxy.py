"""A TCP proxy before a database server that cuts a connection exactly at the commit of a transaction with acks."""

from __future__ import annotations

import socket
import threading
from typing import Literal

BLOCK_BYTES = 1 << 16
ACKS = b"INSERT INTO zoho_sync_ack"
COMMIT = b"COMMIT"


class CuttingProxy:
    """Passes everything on, but for one commit.

    `before`: it does not reach the server, which rolls back. `after`: it does, and its answer is lost.
    """

    def __init__(self, port: int, when: Literal["before", "after"], number: int) -> None:
        """Stand before the server at `port` of loopback and cut at the `number`-th commit of acks, counted from 1."""
        self._server = ("127.0.0.1", port)
        self._when = when
        self._left = number
        self._lock = threading.Lock()
        self.has_cut = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._listener.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            answer_is_lost = threading.Event()
            for work, arguments in (
                (self._up, (client, server, answer_is_lost)),
                (self._down, (client, server, answer_is_lost)),
            ):
                threading.Thread(target=work, args=arguments, daemon=True).start()

    def _up(self, client: socket.socket, server: socket.socket, answer_is_lost: threading.Event) -> None:
        """From the client to the server."""
        since_commit = b""
        while block := _received(client):
            since_commit += block
            if COMMIT in block:
                if ACKS in since_commit and self._is_the_one():
                    if self._when == "before":
                        break
                    answer_is_lost.set()
                since_commit = b""
            if not _sent(server, block):
                break
        _cut(client, server)

    def _down(self, client: socket.socket, server: socket.socket, answer_is_lost: threading.Event) -> None:
        """From the server to the client."""
        while block := _received(server):
            if answer_is_lost.is_set() or not _sent(client, block):
                break
        _cut(client, server)

    def _is_the_one(self) -> bool:
        with self._lock:
            self._left -= 1
            if self._left == 0:
                self.has_cut.set()
            return self._left == 0


def _received(source: socket.socket) -> bytes:
    try:
        return source.recv(BLOCK_BYTES)
    except OSError:
        return b""


def _sent(target: socket.socket, block: bytes) -> bool:
    try:
        target.sendall(block)
    except OSError:
        return False
    return True


def _cut(*ends: socket.socket) -> None:
    for end in ends:
        try:
            end.shutdown(socket.SHUT_RDWR)
        except OSError:
            continue  # the other thread was faster
