"""What ends a pause of follow mode early: a signal, or PostgreSQL's word that an order has changed."""

from __future__ import annotations

import logging
import os
import select
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

logger = logging.getLogger("tap-legacy-orders")

CHANNEL_PREFIX = "orders_sync_"
NAME_BYTES = 63
"""What PostgreSQL keeps of a name."""


def channel_of(table: str) -> str:
    """The channel on which changes of a table are told; one name in two schemas only wakes more often."""
    return (CHANNEL_PREFIX + table).encode()[:NAME_BYTES].decode("utf-8", "ignore")


class Waking:
    """Pauses that end early. One thread waits; `stop` may be called by a signal's handler amid anything."""

    def __init__(self) -> None:
        """Start with signals alone."""
        self._deaf = False
        self._listener: Any = None
        self._read, self._write = os.pipe()
        self.stopped = False

    def stop(self) -> None:
        """End the pause, and all pauses to come."""
        self.stopped = True
        os.write(self._write, b"\0")

    def listen(self, engine: sa.Engine, table: str) -> None:
        """Listen on PostgreSQL for changes of `table`, unless that is done already.

        By a connection of its own, which must lead to the server itself: a pooler would lend LISTEN's session to
        others, and the notifications with it.
        """
        if self._deaf or self._listener is not None or engine.dialect.name != "postgresql":
            return
        try:
            listener = engine.raw_connection()
            listener.detach()
            if _is_pooled(listener.dbapi_connection):
                self._deaf = True
                listener.close()
                logger.info("No notifications of changes come through a connection pooler: the orders are polled")
                return
            channel = engine.dialect.identifier_preparer.quote_identifier(channel_of(table))
            listener.cursor().execute(f"LISTEN {channel}")
            self._listener = listener
        except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
            self._deaf = True
            logger.warning("No notifications of changes (%s): the orders are polled", type(error).__name__)

    def deafen(self) -> None:
        """Let go of a connection that may be broken."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; True when a change was told."""
        until = time.monotonic() + seconds
        while not self.stopped:
            left = max(0.0, until - time.monotonic())
            told = None if self._listener is None else self._listener.dbapi_connection
            ready = select.select([self._read] if told is None else [self._read, told], [], [], left)[0]
            if not ready:
                return False
            if told in ready and self._told(told):
                return True
        return False

    def _told(self, connection: Any) -> bool:
        try:
            return bool(list(connection.notifies(timeout=0)))
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg":
                raise
            self.deafen()  # the next poll meets the same and says so
            return False

    def close(self) -> None:
        """Give everything back."""
        self.deafen()
        os.close(self._read)
        os.close(self._write)


def _is_pooled(connection: Any) -> bool:
    """Whether a pooler stands between: it gives its clients process ids of its own."""
    (server,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    return bool(server != connection.info.backend_pid)
