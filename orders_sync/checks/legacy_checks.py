"""The legacy side of a set-up: the orders' database, their table, and the ledger that tap and target share."""

from __future__ import annotations

import sqlalchemy as sa

from orders_sync.checks.change_column_checks import check_replication_key
from orders_sync.checks.findings import Findings, Result
from orders_sync.checks.reading_checks import SUBJECT
from orders_sync.config_sources.configs import ConfigFiles, open_tap, open_target
from orders_sync.config_sources.database_urls import display_url, place_of
from sync_databases.database_errors import DatabaseError
from sync_databases.engines import engine_of
from sync_databases.reflection import primary_key
from sync_ledger.ledger import Ledger
from sync_ledger.permissions import try_permissions
from tap_legacy_orders.connections import reading
from tap_legacy_orders.following import refuse_unfit
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import ConfigurationError, configuration_error
from target_zoho_crm.target import TargetZohoCRM

TABLE_SUBJECTS = {
    "key_column": "Key",
    "replication_key": "Replication key",
    "filter": "Filter",
    "sync_flag_column": "Sync flag",
}
"""The subject of an error of the orders' table, by the setting that its message begins with."""


def check_settings(findings: Findings, files: ConfigFiles) -> tuple[TapLegacyOrders | None, TargetZohoCRM | None]:
    """Read the settings of both plugins as these do."""
    tap = findings.check("Settings of the tap", lambda: ("all that are required are there", open_tap(files)))
    target = findings.check("Settings of the target", lambda: ("all that are required are there", open_target(files)))
    return tap, target


def check_orders(findings: Findings, tap: TapLegacyOrders | None) -> OrdersTable | None:
    """Check the orders' database, and table, key and replication key in it."""
    rest = ["Orders table", "Key", "Replication key", SUBJECT]
    if tap is None:
        findings.skip(["Database", *rest], "without the tap's settings there is no database")
        return None
    if findings.check("Database", lambda: (_connected(tap), True)) is None:
        findings.skip(rest, "the database does not answer")
        return None
    try:
        table = tap.orders_table
    except TapConfigError as error:
        setting = str(error).partition(":")[0]
        of_changes = setting.startswith("changes_in") or setting.endswith(".replication_key")
        subject = TABLE_SUBJECTS.get("replication_key" if of_changes else setting, "Orders table")
        findings.add_error(subject, error)
        findings.skip([each for each in rest if each != subject], f"depends on: {subject}")
        return None
    if tap.follows:
        findings.check("Follow mode", lambda: (_followable(tap), True))
    kind = "view" if table.is_view else "table"
    findings.add("Orders table", Result.OK, f"{kind} {table.name} with {len(table.columns)} columns to send")
    _check_key(findings, tap, table)
    check_replication_key(findings, tap, table)
    return table


def _connected(tap: TapLegacyOrders) -> str:
    engine = tap.engine
    with reading(engine) as connection:
        connection.execute(sa.select(sa.literal(1))).scalar_one()
        version = ".".join(map(str, engine.dialect.server_version_info or ()))
    return f"{engine_of(engine.dialect).name} {version} at {engine.url.render_as_string(hide_password=True)}"


def _followable(tap: TapLegacyOrders) -> str:
    refuse_unfit(follows=tap.follows, find_deleted=tap.find_deleted)
    return "the tap goes on after the last order"


def _check_key(findings: Findings, tap: TapLegacyOrders, table: OrdersTable) -> None:
    names = [column.name for column in table.key]
    joined = " and ".join(names)
    with reading(tap.engine) as connection:
        inspector = sa.inspect(connection)
        unique = [primary_key(inspector, table.name, table.schema)]
        if not table.is_view:
            constraints = inspector.get_unique_constraints(table.name, table.schema)
            indexes = inspector.get_indexes(table.name, table.schema)
            unique += [each["column_names"] for each in constraints]
            unique += [[name or "" for name in each["column_names"]] for each in indexes if each.get("unique")]
    if any(columns and set(columns) <= set(names) for columns in unique):
        findings.add("Key", Result.OK, f"{joined}, which the database keeps unique")
        return
    findings.add(
        "Key",
        Result.WARNING,
        f"{joined}, which nothing in the database keeps unique; two rows of one key overwrite each other in the CRM",
        "Make sure that each order is one row, or name other columns with `key_column`.",
    )


def check_ledger(findings: Findings, tap: TapLegacyOrders | None, target: TargetZohoCRM | None) -> None:
    """Check that tap and target have one ledger, and may write it."""
    if tap is None or target is None:
        findings.skip(["One ledger", "Ledger rights"], "the settings of tap or target are missing")
        return
    ours = (str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"]), tap.config.get("ack_schema"))
    theirs = (target.config.get("ack_url"), target.config.get("ack_schema"))

    def one_ledger() -> tuple[str, bool]:
        if theirs[0] is None:
            raise configuration_error(OwnCode.NO_ACK_URL, "The target has no `ack_url`.")
        if place_of(*ours) != place_of(*theirs):
            raise configuration_error(
                OwnCode.NO_ACK_URL,
                f"The tap's ledger is {display_url(*ours)}, the target's {display_url(*theirs)}: "
                "orders would be sent for ever.",
            )
        return display_url(*ours), True

    if findings.check("One ledger", one_ledger) is None:
        findings.skip(["Ledger rights"], "which ledger is meant is not clear")
        return
    of_target = (str(theirs[0]), theirs[1])
    if ours == of_target:
        findings.check("Ledger rights", lambda: (_writable(*ours), True))
        return
    findings.check("Ledger rights of the tap", lambda: (_writable_by_tap(tap, *ours), True))
    findings.check("Ledger rights of the target", lambda: (_writable(*of_target), True))


def _writable_by_tap(tap: TapLegacyOrders, url: str, schema: str | None) -> str:
    try:
        return _writable(url, schema)
    except DatabaseError as error:
        if tap.config.get("ack_url"):
            raise
        raise ConfigurationError(
            OwnCode.NO_ACK_URL,
            f"the tap has no `ack_url`, so it opens the ledger by its `sqlalchemy_url`: {error}",
            remedy="Give the tap the same `ack_url` as the target.",
        ) from error


def _writable(url: str, schema: str | None) -> str:
    ledger = Ledger.open(url, schema)
    try:
        upgrade = ledger.upgrade()
        missing = try_permissions(ledger)
    finally:
        ledger.close()
    if upgrade is not None:
        return (
            f"may create and write; the ledger is of version {upgrade[0]}, `orders-sync init` or the next run makes it "
            f"version {upgrade[1]}, which earlier programs refuse"
        )
    if missing:
        return "may create and write; the tables are not there yet, `orders-sync init` or the first run makes them"
    return "the tables are there and may be written"
