"""MySQL and MariaDB take no statement above `max_allowed_packet`: they close the connection in its midst.

Ours stay below the smallest limit in use (256 KiB), but for the manifest of a large job, which is one value.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from sync_databases.engines import Family, engine_of

STATEMENT_BYTES = 200_000
"""Of a statement's values; the rest is for its text."""
ENOUGH_BYTES = 4 * 2**20
"""A server that takes so much closes no connection for our sake."""


def packet_hint(engine: sa.Engine) -> str:
    """What to add to the message of a connection that was lost, where a statement may have been too large; else ""."""
    if engine_of(engine.dialect).family is not Family.MYSQL:
        return ""
    try:
        with engine.connect() as connection:
            most = int(connection.exec_driver_sql("SELECT @@max_allowed_packet").scalar_one())
    except (DBAPIError, OSError):
        return ""
    if most >= ENOUGH_BYTES:
        return ""
    return (
        f"; this server closes the connection at a statement above {most / 1024:,.0f} KiB: set its "
        "`max_allowed_packet` to 16M, as servers have it by default, or make jobs smaller by `bulk_rows`"
    )
