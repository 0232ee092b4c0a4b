"""What a run would refuse before its first write: differences between the settings and what the ledger speaks of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from orders_sync.checks.findings import EXPECTED, Findings, Result
from sync_ledger.bindings import Binding, key_columns_of, objections, read_bindings
from sync_ledger.ledger import Ledger
from sync_ledger.written_mappings import RESEND_OLDER, WrittenMapping, older_orders
from tap_legacy_orders.orders_table import OrdersTable
from tap_legacy_orders.tap import TapLegacyOrders
from target_zoho_crm.api.errors import ConfigurationError
from target_zoho_crm.settings import Settings, StreamSettings
from target_zoho_crm.target import TargetZohoCRM

SUBJECT = "The ledger's set-up"


def set_up_differences(
    ledger: Ledger, stream: str, own: StreamSettings, table: OrdersTable, org: str | None
) -> list[str]:
    """What a run with these settings would be refused for, as it would say it."""
    wanted = Binding(
        stream,
        own.module,
        own.key_field,
        org,
        source_table=table.source_name,
        key_columns=key_columns_of(column.name for column in table.key),
        shares_module=own.shares_module,
    )
    with ledger.connect() as connection:
        return objections(connection, ledger.tables, wanted, read_bindings(connection, ledger.tables))


def check_set_up(
    findings: Findings,
    tap: TapLegacyOrders | None,
    target: TargetZohoCRM | None,
    table: OrdersTable | None,
    org: str | None,
) -> None:
    """Compare the set-up with the ledger's."""
    if tap is None or target is None or table is None or target.config.get("ack_url") is None:
        findings.skip([SUBJECT], "the settings, the table or the ledger are not known")
        return
    try:
        settings = Settings.read(target.config)
    except ConfigurationError:
        findings.skip([SUBJECT], "the target's settings cannot be used as they are")  # which another check says
        return
    try:
        lines = _differences(tap, settings, table, org)
    except EXPECTED:  # which a check before this one says
        findings.skip([SUBJECT], "the ledger is of no use")
        return
    for line in lines:
        what, _, way_out = line.partition("; ")
        findings.add(SUBJECT, Result.ERROR, what, way_out)
    if not lines:
        findings.add(
            SUBJECT, Result.OK, "module, key field, table, key columns and org are those of the ledger's orders"
        )


def check_written_orders(
    findings: Findings, tap: TapLegacyOrders | None, target: TargetZohoCRM | None, mapped: WrittenMapping | None
) -> None:
    """Say which orders were written before a field was mapped; what cannot be read was said by other checks."""
    if tap is None or target is None or mapped is None or target.config.get("ack_url") is None:
        return
    with suppress(*EXPECTED), ledger_of(Settings.read(target.config)) as ledger:
        if ledger is None:
            return
        with ledger.connect() as connection:
            found = older_orders(connection, ledger.tables, tap.stream_name, mapped)
        for each in found:
            remedy = f"`{RESEND_OLDER}` names the price, asks, and lets the next run write them."
            findings.add("Written orders", Result.WARNING, f"{each}", remedy)


@contextmanager
def ledger_of(settings: Settings) -> Iterator[Ledger | None]:
    """The target's ledger, if it is there and up to date."""
    ledger = Ledger.open(str(settings.ack_url), settings.ack_schema)
    try:
        if ledger.lacks_file() or ledger.missing_tables():
            yield None
            return
        ledger.check_version()
        yield ledger
    finally:
        ledger.close()


def _differences(tap: TapLegacyOrders, settings: Settings, table: OrdersTable, org: str | None) -> Sequence[str]:
    with ledger_of(settings) as ledger:
        if ledger is None:
            return ()
        return set_up_differences(ledger, tap.stream_name, settings.stream(tap.stream_name), table, org)
