"""`orders-sync init --notify`: the trigger that notifies follow mode of changes, displayed and made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import click
import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from orders_sync.output import say
from sync_databases.drivers import create_engine, database_url
from sync_databases.engines import engine_of
from tap_legacy_orders.connections import reading
from tap_legacy_orders.named_tables import reflect
from tap_legacy_orders.notifying import notify_statements
from tap_legacy_orders.poll_wakeup import channel_of
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError, cause_of


@dataclass(frozen=True)
class Trigger:
    """The statements that make it, each for itself, and where."""

    url: sa.URL
    statements: Sequence[str]

    def make(self) -> None:
        """Make it, as the user of `sqlalchemy_url`: the one change to the legacy database that we ever make.

        Raises:
            ClickException: the database refuses; its administrator can run what was displayed.
        """
        engine = create_engine(self.url)
        try:
            with engine.begin() as connection:
                for statement in self.statements:
                    connection.exec_driver_sql(statement)
        except SQLAlchemyError as error:
            raise click.ClickException(
                f"the trigger was not made: {cause_of(error, self.url)}; the table's owner can run the statements above"
            ) from error
        finally:
            engine.dispose()


_IS_THERE = sa.text(
    "SELECT 1 FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
    "WHERE t.tgname = :trigger AND t.tgenabled <> 'D' AND c.relname = :table AND n.nspname = :schema"
)


def trigger_of(tap: TapLegacyOrders) -> Trigger | None:
    """Display the statements and get ready to run them; None where the trigger is there.

    Raises:
        TapConfigError: the orders are not in a table of PostgreSQL.
    """
    setting = "notify_table" if tap.config.get("notify_table") else "orders_table"
    if not engine_of(tap.engine.dialect).notifies:
        raise TapConfigError(f"{setting}: only a table of PostgreSQL can notify of changes; elsewhere they are polled")
    with reading(tap.engine) as connection:
        inspector = sa.inspect(connection)
        table = reflect(inspector, tap.config[setting], setting, tap.engine)
        if table.name not in inspector.get_table_names(table.schema):
            raise TapConfigError(
                f"{setting}: {table.name} is a view, which has no trigger of this kind; name by `notify_table` the "
                "table whose changes it shows"
            )
        schema = table.schema or inspector.default_schema_name
        named = {"trigger": channel_of(table.name), "table": table.name, "schema": schema}
        if connection.execute(_IS_THERE, named).first() is not None:
            say(f"Table {table.name}: the trigger {named['trigger']} is there.")
            return None
    statements = notify_statements(table.name, table.schema)
    say(f"Table {table.name}: this trigger is to be made:")
    for statement in statements:
        for part in f"{statement};".splitlines():
            say(f"  {part}")
    return Trigger(database_url(tap.config["sqlalchemy_url"]), statements)
