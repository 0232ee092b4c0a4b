"""The legacy side of a set-up: the orders' database, their table, and the ledger that tap and target share."""

from __future__ import annotations

import sqlalchemy as sa

from orders_sync.configs import TARGET_VARIABLES, ConfigFiles, open_tap, open_target
from orders_sync.database_urls import place_of, shown
from orders_sync.findings import EXPECTED, Examination, Verdict
from orders_sync.reading_checks import SUBJECT, examine_reading, helpful_index
from sync_databases.databases import database_for
from sync_ledger.ledger import Ledger
from sync_ledger.permissions import try_permissions
from tap_legacy_orders.connections import reading
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError
from tap_legacy_orders.unsynced_queries import UnsyncedQueries
from target_zoho_crm.api.codes import OwnCode
from target_zoho_crm.api.errors import configuration_error
from target_zoho_crm.target import TargetZohoCRM

TABLE_SUBJECTS = {
    "key_column": "Key",
    "replication_key": "Replication key",
    "filter": "Filter",
    "sync_flag_column": "Sync flag",
}
"""What a fault of the orders' table is about, by the setting that its message begins with."""


def examine_settings(
    examination: Examination, files: ConfigFiles
) -> tuple[TapLegacyOrders | None, TargetZohoCRM | None]:
    """Read the settings of both plugins as these do."""
    tap = examination.look("Settings of the tap", lambda: ("all that are required are there", open_tap(files)))
    target = examination.look("Settings of the target", lambda: ("all that are required are there", open_target(files)))
    _examine_following(examination, tap, target)
    return tap, target


def _examine_following(examination: Examination, tap: TapLegacyOrders | None, target: TargetZohoCRM | None) -> None:
    """A tap that never ends needs a target that sends by age, and the other way round nothing is wrong."""
    if tap is None or target is None or not tap.follows:
        return
    if target.config.get("max_age_seconds") is None:
        says = "`follow` is set, and `max_age_seconds` is not: the target waits for a full batch, or for an end"
        examination.add("Follow mode", Verdict.FAULT, says, "Set `max_age_seconds` of the target, e.g. to 0.5.")
    else:
        examination.add("Follow mode", Verdict.FITS, "the tap follows, and the target sends by age")


def examine_orders(examination: Examination, tap: TapLegacyOrders | None) -> OrdersTable | None:
    """Look at the orders' database, and at table, key and replication key in it."""
    rest = ["Orders table", "Key", "Replication key", SUBJECT]
    if tap is None:
        examination.skip(["Database", *rest], "without the tap's settings there is no database")
        return None
    if examination.look("Database", lambda: (_connected(tap), True)) is None:
        examination.skip(rest, "the database does not answer")
        return None
    try:
        table = tap.orders_table
    except TapConfigError as error:
        subject = TABLE_SUBJECTS.get(str(error).partition(":")[0], "Orders table")
        examination.fault(subject, error)
        examination.skip([each for each in rest if each != subject], f"depends on: {subject}")
        return None
    kind = "view" if table.is_view else "table"
    examination.add("Orders table", Verdict.FITS, f"{kind} {table.name} with {len(table.columns)} columns to send")
    _examine_key(examination, tap, table)
    _examine_replication_key(examination, tap, table)
    return table


def _connected(tap: TapLegacyOrders) -> str:
    engine = tap.engine
    with reading(engine) as connection:
        connection.execute(sa.select(sa.literal(1))).scalar_one()
        version = ".".join(map(str, engine.dialect.server_version_info or ()))
    return f"{engine.dialect.name} {version} at {engine.url.render_as_string(hide_password=True)}"


def _examine_key(examination: Examination, tap: TapLegacyOrders, table: OrdersTable) -> None:
    names = [column.name for column in table.key]
    shown = " and ".join(names)
    with reading(tap.engine) as connection:
        inspector = sa.inspect(connection)
        unique = [inspector.get_pk_constraint(table.name, table.schema).get("constrained_columns") or []]
        if not table.is_view:
            constraints = inspector.get_unique_constraints(table.name, table.schema)
            indexes = inspector.get_indexes(table.name, table.schema)
            unique += [each["column_names"] for each in constraints]
            unique += [[name or "" for name in each["column_names"]] for each in indexes if each.get("unique")]
    if any(columns and set(columns) <= set(names) for columns in unique):
        examination.add("Key", Verdict.FITS, f"{shown}, which the database keeps unique")
        return
    examination.add(
        "Key",
        Verdict.WARNING,
        f"{shown}, which nothing in the database keeps unique; two rows of one key overwrite each other in the CRM",
        "Make sure that each order is one row, or name other columns with `key_column`.",
    )


def _examine_replication_key(examination: Examination, tap: TapLegacyOrders, table: OrdersTable) -> None:
    """Read by it once, which also tries the filter."""
    name = table.replication.name
    database = database_for(tap.engine.dialect)
    queries = UnsyncedQueries(table, database, tap.stream_name, table.columns, None)
    try:
        with reading(tap.engine) as connection:
            undated = connection.execute(queries.any_undated()).first() is not None
            indexes = [] if table.is_view else sa.inspect(connection).get_indexes(table.name, table.schema)
            primary = sa.inspect(connection).get_pk_constraint(table.name, table.schema).get("constrained_columns")
    except EXPECTED as error:
        examination.fault("Filter" if table.filter else "Replication key", error)
        return
    firsts = {each["column_names"][0] for each in indexes if each["column_names"]} | set((primary or [])[:1])
    if undated:
        examination.add(
            "Replication key",
            Verdict.WARNING,
            f"{name} is empty in some orders; these are looked at in every run",
            f"Fill {name} in the legacy system.",
        )
    elif not table.is_view and name not in firsts:
        examination.add(
            "Replication key",
            Verdict.WARNING,
            f"{name} ({table.replication.type}) has no index; every run reads the whole table",
            helpful_index(table, tap.engine.dialect),
        )
    else:
        examination.add("Replication key", Verdict.FITS, f"{name} ({table.replication.type})")
    examine_reading(examination, tap, table, indexed=name in firsts)


def examine_ledger(examination: Examination, tap: TapLegacyOrders | None, target: TargetZohoCRM | None) -> None:
    """See that tap and target have one ledger, and may write it."""
    if tap is None or target is None:
        examination.skip(["One ledger", "Ledger rights"], "the settings of tap or target are missing")
        return
    ours = (str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"]), tap.config.get("ack_schema"))
    theirs = (target.config.get("ack_url"), target.config.get("ack_schema"))

    def one_ledger() -> tuple[str, bool]:
        if theirs[0] is None:
            variable = TARGET_VARIABLES["ack_url"]
            raise configuration_error(
                OwnCode.NO_ACK_URL, f"The target has no `ack_url` ({variable} in the environment)."
            )
        if place_of(*ours) != place_of(*theirs):
            raise configuration_error(
                OwnCode.NO_ACK_URL,
                f"The tap's ledger is {shown(*ours)}, the target's {shown(*theirs)}: orders would be sent for ever.",
            )
        return shown(*ours), True

    if examination.look("One ledger", one_ledger) is None:
        examination.skip(["Ledger rights"], "which ledger is meant is not clear")
        return
    for url, schema in dict.fromkeys([ours, (str(theirs[0]), theirs[1])]):
        examination.look("Ledger rights", lambda url=url, schema=schema: (_writable(url, schema), True))  # type: ignore[misc]


def _writable(url: str, schema: str | None) -> str:
    ledger = Ledger.open(url, schema)
    try:
        missing = try_permissions(ledger)
    finally:
        ledger.close()
    if missing:
        return "may create and write; the tables are not there yet, `orders-sync init` or the first run makes them"
    return "the tables are there and may be written"
