"""The trigger by which PostgreSQL notifies of changes, so that follow mode need not wait for its next poll."""

from __future__ import annotations

from sync_databases import dialects
from tap_legacy_orders.poll_wakeup import channel_of


def notify_statements(table: str, schema: str | None) -> list[str]:
    """The statements that make the trigger on a table, one by one; safe to run again (PostgreSQL 14 or later).

    A transaction notifies once, when it commits. The notification does not say what has changed.
    """
    postgresql = dialects.postgresql.dialect()  # type: ignore[no-untyped-call]
    quoted = postgresql.identifier_preparer.quote_identifier
    place = f"{quoted(schema)}." if schema else ""
    name = channel_of(table)
    channel = "'" + name.replace("'", "''") + "'"
    function = (
        f"CREATE OR REPLACE FUNCTION {place}{quoted(name)}() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN PERFORM pg_notify({channel}, ''); RETURN NULL; END $$"
    )
    trigger = (
        f"CREATE OR REPLACE TRIGGER {quoted(name)} AFTER INSERT OR UPDATE ON {place}{quoted(table)} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION {place}{quoted(name)}()"
    )
    return [function, trigger]
