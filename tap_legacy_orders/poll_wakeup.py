"""What ends a pause of follow mode early: a signal, or PostgreSQL's notification that an order has changed."""

from __future__ import annotations

import logging
import os
import select
import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from sync_databases.engines import engine_of

logger = logging.getLogger("tap-legacy-orders")

CHANNEL_PREFIX = "orders_sync_"
NAME_BYTES = 63
"""What PostgreSQL keeps of a name."""


def channel_of(table: str) -> str:
    """The channel of the notifications about a table; one name in two schemas only wakes more often."""
    return (CHANNEL_PREFIX + table).encode()[:NAME_BYTES].decode("utf-8", "ignore")


class PollWakeup:
    """Pauses that end early. One thread waits; `stop` may be called by a signal's handler at any point."""

    def __init__(self) -> None:
        """Start with signals alone."""
        self._cannot_listen = False
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
        if self._cannot_listen or self._listener is not None or not engine_of(engine.dialect).notifies:
            return
        try:
            listener = engine.raw_connection()
            listener.detach()
            if _is_pooled(listener.dbapi_connection):
                self._cannot_listen = True
                listener.close()
                logger.info("No notifications of changes come through a connection pooler: the orders are polled")
                return
            channel = engine.dialect.identifier_preparer.quote_identifier(channel_of(table))
            listener.cursor().execute(f"LISTEN {channel}")
            self._listener = listener
        except (SQLAlchemyError, engine.dialect.loaded_dbapi.Error) as error:
            self._cannot_listen = True
            logger.warning("No notifications of changes (%s): the orders are polled", type(error).__name__)

    def stop_listening(self) -> None:
        """Close the connection, which may be broken."""
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.close()

    def wait(self, seconds: float) -> bool:
        """Wait for so long at most; True when a change was notified."""
        until = time.monotonic() + seconds
        while not self.stopped:
            left = max(0.0, until - time.monotonic())
            connection = None if self._listener is None else self._listener.dbapi_connection
            ready = select.select([self._read] if connection is None else [self._read, connection], [], [], left)[0]
            if not ready:
                return False
            if connection in ready and self._is_notified(connection):
                return True
        return False

    def _is_notified(self, connection: Any) -> bool:
        # A readable socket may hold something else than a notification, e.g. the end of the connection.
        try:
            return bool(list(connection.notifies(timeout=0)))
        except Exception as error:
            if type(error).__module__.partition(".")[0] != "psycopg":
                raise
            self.stop_listening()  # the next poll meets the same failure and reports it
            return False

    def close(self) -> None:
        """Close connection and pipe."""
        self.stop_listening()
        os.close(self._read)
        os.close(self._write)


def _is_pooled(connection: Any) -> bool:
    """Whether a pooler stands between: it gives its clients process ids of its own."""
    (server,) = connection.execute("SELECT pg_backend_pid()").fetchone()
    return bool(server != connection.info.backend_pid)
