"""What a pool asks of its connections: no more than it must, since each question is a round trip, several a call.

A connection is asked whether it lives where it was idle, and not in the midst of work; and it is rolled back when it is
given back, but for one that has just committed.
"""

from __future__ import annotations

import time
from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.exc import DisconnectionError

IDLE_SECONDS = 1.0
"""A connection that worked within this time is taken for alive; where it is not, the statement is done again."""

OPTIONS: dict[str, Any] = {"pool_reset_on_return": None}
"""What an engine must be made with, for `ask_little`."""

_USED = "used_at"
_COMMITTED = "has_committed"


def ask_little(engine: sa.Engine) -> None:
    """Have an engine's pool ask so; the engine was made with `OPTIONS`."""

    def given(dbapi_connection: Any, record: Any, _proxy: object) -> None:
        used: float | None = record.info.get(_USED)
        if used is None or time.monotonic() - used < IDLE_SECONDS:
            return
        try:
            engine.dialect.do_ping(dbapi_connection)
        except engine.dialect.loaded_dbapi.Error as error:
            raise DisconnectionError("the connection broke while it was idle") from error  # the pool makes another one

    def begun(connection: sa.Connection) -> None:
        connection.info[_COMMITTED] = False

    def committed(connection: sa.Connection) -> None:
        connection.info[_COMMITTED] = True  # one that fails to is rolled back by SQLAlchemy

    def given_back(dbapi_connection: Any, record: Any, state: Any) -> None:
        record.info[_USED] = time.monotonic()
        if not record.info.get(_COMMITTED) and not state.terminate_only:
            dbapi_connection.rollback()

    event.listen(engine, "checkout", given)
    event.listen(engine, "begin", begun)
    event.listen(engine, "commit", committed)
    event.listen(engine, "reset", given_back)
