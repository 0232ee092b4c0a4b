"""`orders-sync plan --save`: which orders the next run would send, kept in the ledger for `apply`."""

from __future__ import annotations

from orders_sync.config_sources.configs import ConfigFiles, given_to_tap, make_planned_tap
from orders_sync.config_sources.database_urls import place_of
from sync_ledger.bindings import bindings_of
from sync_ledger.ledger import Ledger
from sync_ledger.saved_plans import SavedPlan, prune_plans, read_plan, save_plan
from tap_legacy_orders.planned_orders import PlannedOrdersTap
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError
from target_zoho_crm.settings import Settings


def ledger_of(tap: TapLegacyOrders, settings: Settings) -> Ledger:
    """The target's ledger, or where it names none the tap's; another one would not do for a run either."""
    if settings.ack_url:
        return Ledger.open(settings.ack_url, settings.ack_schema)
    return Ledger.open(str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"]), tap.config.get("ack_schema"))


def save_current_plan(files: ConfigFiles, ledger: Ledger) -> SavedPlan:
    """Keep what a run without a bookmark would send now; makes the ledger where there is none yet.

    Raises:
        TapConfigError, TapSyncError, DatabaseError: the orders cannot be read, or the ledger cannot be written.
    """
    tap = make_planned_tap(given_to_tap(files), {})
    ours = place_of(ledger.engine.url.render_as_string(hide_password=False), ledger.tables.metadata.schema)
    theirs = str(tap.config.get("ack_url") or tap.config["sqlalchemy_url"])
    if place_of(theirs, tap.config.get("ack_schema")) != ours:
        raise TapConfigError("ack_url: the tap's settings name another ledger than the target's")
    ledger.ensure_tables()
    prune_plans(ledger)
    refuse_other_columns(ledger, tap)
    plan_id, _ = save_plan(ledger, tap.stream_name, tap.stream.unsynced(ledger))
    plan = read_plan(ledger, plan_id)
    if plan is None:
        raise AssertionError("a plan that was saved just now is there")
    return plan


def refuse_other_columns(ledger: Ledger, tap: PlannedOrdersTap) -> None:
    """Refuse to read other columns than the last run: a catalog that selects some is known to runs alone.

    Raises:
        TapConfigError: they are others.
    """
    bound = bindings_of(ledger).get(tap.stream_name)
    if bound is not None and bound.columns_mark not in {None, tap.stream.columns_mark}:
        raise TapConfigError(
            "the last run read other columns than the settings say, and a plan would write those: leave columns out "
            "by `columns` or `exclude` in place of a catalog; if the table or these settings changed, run once first"
        )
