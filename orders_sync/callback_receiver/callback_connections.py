"""The callback receiver's connections: so many at a time, and none for long, so that slow clients make it deaf to none.

Whoever knows the address can open connections and send nothing. A web server in front bounds them too; this one does
not depend on it.
"""

from __future__ import annotations

import asyncio
import resource
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from uvicorn.protocols.http.h11_impl import H11Protocol

CONNECTIONS_MOST = 200
"""The oldest one gives way to one more: a callback is over within milliseconds."""

FILES_SHARE = 4
"""At most one in so many of the files that the process may open is a connection."""

CONNECTION_SECONDS = 10.0
"""A connection lives no longer, whatever it does."""


def connections_most() -> int:
    """How many connections may be open, in a process that may open only so many files."""
    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return CONNECTIONS_MOST if files == resource.RLIM_INFINITY else max(1, min(CONNECTIONS_MOST, files // FILES_SHARE))


def bounded_protocol(most: int, seconds: float = CONNECTION_SECONDS) -> type[H11Protocol]:
    """Uvicorn's HTTP/1.1 with at most so many connections, each of which is closed after so many seconds."""
    from uvicorn.protocols.http.h11_impl import H11Protocol as Plain  # noqa: PLC0415 - an optional extra

    opened: dict[Plain, asyncio.TimerHandle] = {}

    class Bounded(Plain):
        """One connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            opened[self] = self.loop.call_later(seconds, transport.abort)
            if len(opened) > most:
                oldest = next(iter(opened))
                opened.pop(oldest).cancel()
                oldest.transport.abort()

        def connection_lost(self, exc: Exception | None) -> None:
            timer = opened.pop(self, None)
            if timer is not None:
                timer.cancel()
            super().connection_lost(exc)

    return Bounded


def server_options() -> dict[str, Any]:
    """What uvicorn is to be started with; no access log, which would hold the secret."""
    return {
        "http": bounded_protocol(connections_most()),
        "ws": "none",
        # asyncio accepts so many at once before it heeds any of them: each takes a file.
        "backlog": connections_most() // 2 + 1,
        "log_level": "error",
        "access_log": False,
    }
