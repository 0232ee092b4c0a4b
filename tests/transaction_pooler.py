"""A transaction pooler before PostgreSQL: all clients share ONE session of the server, a transaction at a time.

As PgBouncer's `pool_mode = transaction` does it, at its hardest: whatever a client leaves on the session, the next
client's transaction meets. It speaks just so much of the protocol (version 3) as it needs to see where one ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
import sqlalchemy as sa

SSL, GSS, CANCEL = 80877103, 80877104, 80877102
ENDS_CYCLE = b"QSF"
"""Simple query, Sync, function call: each is answered by one ReadyForQuery."""

IN_CYCLE = b"PBDECH"
"""Parts of an extended query; a Sync is still to come."""

TOLD = (
    "server_version", "server_encoding", "client_encoding", "DateStyle", "TimeZone", "IntervalStyle",
    "integer_datetimes", "standard_conforming_strings", "application_name", "is_superuser", "session_authorization",
    "in_hot_standby", "default_transaction_read_only",
)  # fmt: skip


def message(kind: bytes, body: bytes) -> bytes:
    return kind + struct.pack("!I", len(body) + 4) + body


async def read_message(source: asyncio.StreamReader) -> tuple[bytes, bytes]:
    """One message of either side: its kind, and all of it."""
    head = await source.readexactly(5)
    return head[:1], head + await source.readexactly(struct.unpack("!I", head[1:])[0] - 4)


class Session:
    """The server's one session, and which client's transaction it is in."""

    def __init__(self, login: psycopg.Connection[Any]) -> None:
        """Take over the socket of a connection that has just been made."""
        told = ((name, login.pgconn.parameter_status(name.encode())) for name in TOLD)
        self.greeting = b"".join(
            message(b"S", name.encode() + b"\0" + value + b"\0") for name, value in told if value is not None
        )
        self.socket = socket.socket(fileno=os.dup(login.fileno()))
        self.turn = asyncio.Lock()
        self.idle = asyncio.Event()
        self.holder: asyncio.StreamWriter | None = None
        self._status, self._awaited, self._in_cycle = b"I", 0, False

    async def open(self) -> None:
        self._source, self._sink = await asyncio.open_connection(sock=self.socket)

    async def take(self, client: asyncio.StreamWriter) -> None:
        """Wait for the session to be free, unless it is this client's already."""
        if self.holder is not client:
            await self.turn.acquire()
            self.holder = client
            self.idle.clear()

    def send(self, kind: bytes, whole: bytes) -> None:
        if kind in ENDS_CYCLE:
            self._awaited, self._in_cycle = self._awaited + 1, False
        elif kind in IN_CYCLE:
            self._in_cycle = True
        self._sink.write(whole)

    async def drain(self) -> None:
        await self._sink.drain()

    async def answer(self) -> None:
        """Pass the server's answers on, and let go of the session where a transaction ends."""
        while True:
            kind, whole = await read_message(self._source)
            if self.holder is not None and not self.holder.is_closing():
                self.holder.write(whole)
            if kind == b"Z":
                self._status, self._awaited = whole[5:6], self._awaited - 1
                if self._status == b"I" and not self._awaited and not self._in_cycle and self.holder is not None:
                    self.holder = None
                    self.idle.set()
                    self.turn.release()

    async def left_by(self, client: asyncio.StreamWriter) -> None:
        """End the transaction of a client that has gone in the middle of it."""
        if self.holder is client:
            if self._in_cycle:
                self.send(b"S", message(b"S", b""))
            self.send(b"Q", message(b"Q", b"ROLLBACK\0"))
            await self.idle.wait()


class TransactionPooler:
    """The pooler in a thread of its own; `url` is where its clients connect."""

    def __init__(self, url: str) -> None:
        """Open the one session at `url`."""
        self._direct = sa.make_url(url)
        self._ready = threading.Event()
        self._end: Callable[[], object] = lambda: None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._thread.start()
        assert self._ready.wait(20)

    @property
    def url(self) -> str:
        return self._direct.set(host="127.0.0.1", port=self._port).render_as_string(hide_password=False)

    def close(self) -> None:
        self._end()
        self._thread.join(20)

    async def _serve(self) -> None:
        with psycopg.connect(dsn(self._direct), autocommit=True) as login:
            self._session = Session(login)
            await self._session.open()
            server = await asyncio.start_server(self._client, "127.0.0.1", 0)
            self._port: int = server.sockets[0].getsockname()[1]
            ended, loop = asyncio.Event(), asyncio.get_running_loop()
            self._end = lambda: loop.call_soon_threadsafe(ended.set)
            answering = asyncio.create_task(self._session.answer())
            self._ready.set()
            await asyncio.wait([answering, asyncio.create_task(ended.wait())], return_when=asyncio.FIRST_COMPLETED)
            server.close()

    async def _client(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            if await self._greet(source, sink):
                await self._pass_on(source, sink)
        await self._session.left_by(sink)
        sink.close()

    async def _greet(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> bool:
        """The start of a connection; poolers give their clients a process id and a secret of their own."""
        while True:
            length, code = struct.unpack("!II", await source.readexactly(8))
            await source.readexactly(length - 8)
            if code == CANCEL:
                return False
            if code not in (SSL, GSS):
                break
            sink.write(b"N")
        own_id = message(b"K", secrets.token_bytes(8))
        sink.write(message(b"R", b"\0\0\0\0") + self._session.greeting + own_id + message(b"Z", b"I"))
        return True

    async def _pass_on(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        session = self._session
        while True:
            kind, whole = await read_message(source)
            if kind == b"X":
                return
            await session.take(sink)
            session.send(kind, whole)
            await session.drain()


def dsn(url: sa.URL) -> str:
    return url.set(drivername="postgresql").render_as_string(hide_password=False)


@contextmanager
def pooled(url: str) -> Iterator[TransactionPooler]:
    pooler = TransactionPooler(url)
    try:
        yield pooler
    finally:
        pooler.close()


State = dict[str, list[Any]]
_STATE = {
    "settings": "SELECT name, setting FROM pg_settings WHERE source = 'session' ORDER BY name",
    "prepared statements": "SELECT name FROM pg_prepared_statements",
    "channels": "SELECT pg_listening_channels()",
    "advisory locks": "SELECT objid FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()",
    "temporary tables": "SELECT relname FROM pg_class WHERE relnamespace = pg_my_temp_schema()",
    "cursors": "SELECT name FROM pg_cursors WHERE is_holdable",
}


def state_of_session(url: str) -> State:
    """All that a session can hold beyond a transaction, as whoever connects to `url` meets it."""
    with psycopg.connect(dsn(sa.make_url(url)), autocommit=True, prepare_threshold=None) as connection:
        return {what: connection.execute(query.encode()).fetchall() for what, query in _STATE.items()}
