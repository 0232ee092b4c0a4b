"""The law of lines: the same lines give the same CRM lines and the same refusals, in both ways and by both channels."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Collection
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from every_type import FIELDS, OPTIONS, OWN
from made_up_values import HOWS, TAME, records_of, values_of

from sync_ledger.ledger import Ledger
from target_zoho_crm.target import TargetZohoCRM

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

LINES = 1_000
OF_ONE_ORDER = 2
WAYS = [(way, channel) for way in ("module", "subform") for channel in ("upsert", "bulk_write")]
ENCODER = msgspec.json.Encoder(decimal_format="number")

Order = tuple[str, list[dict[str, Any]]]


def place_of(way: str, channel: str) -> str:
    """The module of the lines, or the subform that holds them and the module of its rows."""
    return f"{way}_{channel}".title()


def add_places(emulator: EmulatorProcess) -> None:
    fields = [{"api_name": api_name, **field} for api_name, field in FIELDS.items()]
    fields += [{"api_name": "Country", "data_type": "text"}]
    for way, channel in WAYS:
        key = {"api_name": "line_id", "data_type": "text", "length": 40, "unique": way == "module"}
        if way == "subform":
            emulator.admin.add_subform("Orders", place_of(way, channel), [key, *fields])
        else:
            order = {"api_name": "Order", "data_type": "lookup", "lookup": "Orders"}
            emulator.admin.add_module(place_of(way, channel), [key, order, *fields])


def send(
    emulator: EmulatorProcess, folder: Path, ways: tuple[str, str], line: dict[str, Any], orders: list[Order]
) -> dict[str, tuple[str | None, frozenset[str], str]]:
    """Send orders with their lines; gives code, fields and named line of what was refused, by the order's key.

    A job's result has no text, so the line is all that messages must have in common.
    """
    way, channel = ways
    ledger_url = f"sqlite:///{folder}/{way}-{channel}.sqlite"
    secrets = {name: getattr(emulator, name) for name in ("client_id", "client_secret", "refresh_token")}
    lines = {"write_to": way, way: place_of(way, channel), "key_field": "line_id"}
    config: dict[str, Any] = {
        **secrets,
        **dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url),
        "ack_url": ledger_url,
        "first_contact": "off",
        "channel": channel,
        "child_rows_per": "parent",
        "lines": {**lines, "fields": {"Account": {}, "Clerk": {}, **OPTIONS}},
    }
    line = {"type": "object", "properties": {"_sync_key": {"type": "string"}, **line}}
    properties = {"id": {"type": "string"}, "lines": {"type": "array", "items": line}}
    head = {"type": "SCHEMA", "stream": "orders", "schema": {"properties": properties}, "key_properties": ["id"]}
    records = [{"id": f"{way} {channel} {key}", "lines": its} for key, its in orders]
    messages = [head, *({"type": "RECORD", "stream": "orders", "record": record} for record in records)]
    TargetZohoCRM(config=config).listen(io.StringIO("".join(f"{ENCODER.encode(each).decode()}\n" for each in messages)))
    ledger = Ledger.open(ledger_url)
    with ledger.connect() as connection:
        acks = list(connection.execute(sa.select(ledger.tables.ack)))
    ledger.close()
    assert {ack.status for ack in acks} <= {"synced", "rejected"}
    return {
        ack.record_key.rpartition(" ")[2]: (
            ack.error_code,
            frozenset((ack.error_field or "").split(",")),
            ack.error_message.partition(":")[0],
        )
        for ack in acks
        if ack.status == "rejected"
    }


def lines_in_the_crm(
    emulator: EmulatorProcess, way: str, channel: str, refused: Collection[str]
) -> dict[str, dict[str, Any]]:
    """The lines by key, with their order's key, and without what Zoho itself fills in.

    Those of refused orders are left out: where Zoho refuses a line, others of the order may be there or not.
    """
    orders = {each["id"]: each["parent_id"].rpartition(" ")[2] for each in emulator.admin.records("Orders")}
    points_at = "Order" if way == "module" else "Parent_Id"
    found: dict[str, dict[str, Any]] = {}
    for record in emulator.admin.records(place_of(way, channel)):
        assert record["line_id"] not in found, f"line {record['line_id']} is there twice"
        order = orders[record.pop(points_at)["id"]]
        if order not in refused:
            values = {name: value for name, value in record.items() if name not in OWN}
            found[record["line_id"]] = {**values, "order": order}
    return found


def differing(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {key: (one.get(key), other.get(key)) for key in one | other if one.get(key) != other.get(key)}


def test_lines_are_the_same_in_both_ways_and_by_both_channels(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    admin = zoho_emulator.admin
    add_places(zoho_emulator)
    ids = {
        "Account": admin.put_records("Accounts", [{"Account_Name": name} for name in "AB"]),
        "Clerk": ["4876876000000000302"],
    }
    sent: dict[str, dict[str, Any]] = {}
    refused: dict[str, Any] = {}
    for turn, how in enumerate(HOWS):
        described = {name: values_of(name, how, ids) for name in FIELDS}
        made = records_of({name: values for name, (_, values) in described.items()}, LINES // len(HOWS))
        lines = [{"_sync_key": f"{turn}-{number}", **TAME, **record} for number, record in enumerate(made)]
        sent |= {line["_sync_key"]: line for line in lines}
        orders = [(f"{turn}-{at}", lines[at : at + OF_ONE_ORDER]) for at in range(0, len(lines), OF_ONE_ORDER)]
        properties = {name: schema for name, (schema, _) in described.items()}
        fates = [send(zoho_emulator, tmp_path, ways, properties, orders) for ways in WAYS]
        for ways, fate in zip(WAYS[1:], fates[1:], strict=True):
            assert differing(fates[0], fate) == {}, ways
        refused |= fates[0]
    held, *others = (lines_in_the_crm(zoho_emulator, *ways, refused) for ways in WAYS)
    for ways, other in zip(WAYS[1:], others, strict=True):
        assert differing(held, other) == {}, ways
    codes = dict(Counter(code for code, _, _ in refused.values()))
    print(f"{len(sent):,} lines, each in 4 ways: {len(held):,} in the CRM; orders refused: {codes}")  # noqa: T201
    assert len(sent) >= LINES
    assert len(held) > LINES / 4
    assert len(refused) > LINES / OF_ONE_ORDER / 10
    assert {name for key in held for name in sent[key]} == {"_sync_key", *FIELDS}
