"""`orders-sync accept`: the differences that a first contact found, with their values, and which of them are right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import click

from orders_sync.checks.crm_checks import open_client
from orders_sync.checks.findings import EXPECTED, error_message
from orders_sync.comparison.written_orders import WrittenOrders
from orders_sync.config_sources.configs import ConfigFiles, Named, open_tap, open_target
from orders_sync.config_sources.ledgers import (
    existing_ledger,
    json_option,
    ledger_and_config_options,
    stream_option,
    the_stream,
)
from orders_sync.output import line, new_table, open_console, print_json, row, say
from sync_ledger.audited_acks import AuditedAcks
from sync_ledger.first_contact import FieldKind, FoundDifference, accept_kinds, differences_of
from sync_ledger.ledger import Ledger
from tap_legacy_orders.every_order import EveryOrder
from target_zoho_crm.api.limits import CreditMeter
from target_zoho_crm.compare.difference_kinds import WHY, DifferenceKind
from target_zoho_crm.compare.records import Difference
from target_zoho_crm.delivery.read_back import NAME
from target_zoho_crm.settings import Settings
from target_zoho_crm.writing.records_read import RecordsRead

VALUE_CHARACTERS = 60
"""Characters of a value that the table shows."""


@click.command()
@ledger_and_config_options
@stream_option
@click.option("--field", "fields", multiple=True, metavar="FIELD", help="Accept what differs in it; may be repeated.")
@click.option("--all", "everything", is_flag=True, help="Accept all that was found.")
@json_option
def accept(
    ack_url: str | None,
    ack_schema: str | None,
    stream: str | None,
    tap_config: Named,
    target_config: Named,
    fields: Sequence[str],
    *,
    everything: bool,
    as_json: bool,
) -> None:
    """Show how the first orders in the CRM differ from what was sent, and accept what is right as it is.

    The values are read from database and CRM for this list; no log and no ledger has them. What is accepted stops no
    run, and no audit counts it.
    """
    if everything and fields:
        raise click.UsageError("--all and --field exclude each other")
    with existing_ledger(ack_url, ack_schema) as ledger:
        name = the_stream(ledger, stream)
        found = differences_of(ledger, name)
        unknown = sorted(set(fields) - {each.field for each in found})
        if unknown:
            raise click.ClickException(f"no difference was found in {', '.join(unknown)}")
        if everything or fields:
            chosen = [each for each in found if each.accepted_at is None and (everything or each.field in fields)]
            accept_kinds(ledger, name, [(each.field, each.kind) for each in chosen])
            _say_accepted(name, chosen, as_json=as_json)
            return
        values, why_not = _values(ConfigFiles(tap_config, target_config), ledger, name, found)
    if as_json:
        differences = [_document(each, values.get((each.field, each.kind))) for each in found]
        print_json({"stream": name, "differences": differences, "values_not_read": why_not})
        return
    _show(name, found, values, why_not)


def _say_accepted(stream: str, chosen: Sequence[FoundDifference], *, as_json: bool) -> None:
    if as_json:
        accepted = [{"field": each.field, "kind": each.kind} for each in chosen]
        print_json({"stream": stream, "accepted": accepted})
        return
    names = ", ".join(f"{each.field} ({each.kind})" for each in chosen) or "nothing is left to accept"
    say(f"Stream {stream}: accepted: {names}; the next run goes on.")


def _values(
    files: ConfigFiles, ledger: Ledger, stream: str, found: Sequence[FoundDifference]
) -> tuple[Mapping[FieldKind, Difference], str | None]:
    """One order's values for each difference, as far as they can be read; and why not, if not."""
    keys = list(dict.fromkeys(each.keys[0] for each in found if each.keys))
    if not keys:
        return {}, None
    try:
        tap, settings = open_tap(files), Settings.read(open_target(files).config)
        own = settings.stream(stream)
        acks = AuditedAcks(ledger, stream).of(keys)
        with open_client(settings, CreditMeter()) as client:
            written = WrittenOrders(EveryOrder(tap, ledger), settings, own, client)
            read = written.every.by_key(keys)
            tap.engine.dispose()
            values = written.values(read)
            ids = {key: acks[key].zoho_id or "" for key in values if key in acks}
            names = (*written.names, NAME) if NAME in written.readable else written.names
            records = RecordsRead(client, own.module).by_id(list(ids.values()), tuple(dict.fromkeys(names)))
    except EXPECTED as error:
        return {}, error_message(error)
    except click.ClickException as error:
        return {}, error.message
    there = [key for key, zoho_id in ids.items() if zoho_id in records]
    differ = written.comparer.differences(there, [values[key] for key in there], [records[ids[key]] for key in there])
    names_held = ((key, records[ids[key]].get(NAME)) for key in there)
    filled = [Difference(key, NAME, DifferenceKind.FILLED, None, held) for key, held in names_held if held]
    shown: dict[FieldKind, Difference] = {}
    for each in (*differ, *filled):
        shown.setdefault((each.field, each.kind.value), each)
    return shown, None


def _document(found: FoundDifference, shown: Difference | None) -> dict[str, Any]:
    return {
        "field": found.field,
        "kind": found.kind,
        "keys": found.keys,
        "accepted": found.accepted_at is not None,
        "why": _why(found),
        "sent": None if shown is None else shown.sent,
        "held": None if shown is None else shown.held,
    }


def _show(
    stream: str, found: Sequence[FoundDifference], values: Mapping[FieldKind, Difference], why_not: str | None
) -> None:
    if not found:
        say(f"Stream {stream}: its first orders hold what was sent; there is nothing to accept.")
        return
    out = open_console()
    table = new_table("Field", "Difference", "Order", "Sent", "Held", "Why that may be", "Accepted")
    for each in found:
        shown = values.get((each.field, each.kind))
        sent, held = ("?", "?") if shown is None else (_cell(shown.sent), _cell(shown.held))
        accepted = "no" if each.accepted_at is None else f"{each.accepted_at:%Y-%m-%d}"
        row(table, each.field, each.kind, each.keys[0] if each.keys else "", sent, held, _why(each), accepted)
    out.print(table)
    if why_not is not None:
        line(out, f"The values cannot be read now: {why_not}")
    if any(each.accepted_at is None for each in found):
        line(out, "What is right as it is: `orders-sync accept --field FIELD`, or `--all`.")


def _cell(value: Any) -> str:
    if isinstance(value, dict):
        value = value.get("name") or value.get("id")
    text = "(nothing)" if value in (None, "", []) else repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= VALUE_CHARACTERS else f"{text[:VALUE_CHARACTERS]}..."


def _why(found: FoundDifference) -> str:
    return WHY[DifferenceKind(found.kind)] if found.kind in set(DifferenceKind) else ""
