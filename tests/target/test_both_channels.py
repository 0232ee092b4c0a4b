"""The law of the mapping: both channels give the same CRM record for the same input, or the same refusal."""

from __future__ import annotations

import io
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import sqlalchemy as sa
from depth import examples
from every_type import FIELDS, LINKED, OPTIONS, add_module, add_multiple, stored
from made_up_values import HOWS, TAME, links_of, records_of, values_of

from sync_ledger.ledger import Ledger
from target_zoho_crm.target import TargetZohoCRM

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

RECORDS = examples(1_000, 10_000)
CHANNELS = {"By_Call": "upsert", "By_Job": "bulk_write"}
ENCODER = msgspec.json.Encoder(decimal_format="number")
Fate = tuple[str, str | None, frozenset[str]]


def send(
    emulator: EmulatorProcess, folder: Path, module: str, properties: dict[str, Any], orders: dict[str, dict[str, Any]]
) -> Counter[str]:
    """Send orders to a module by its channel; gives how many went which way."""
    secrets = {name: getattr(emulator, name) for name in ("client_id", "client_secret", "refresh_token")}
    config: dict[str, Any] = {
        **secrets,
        **dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url),
        "ack_url": ledger_url(folder, module),
        "first_contact": "off",
        "module": module,
        "channel": CHANNELS[module],
        "fields": {"Account": {}, "Clerk": {}, "Owner": {}, **{name: {} for name in LINKED}, **OPTIONS},
    }
    schema = {"properties": {"id": {"type": "string"}, **properties}}
    head = {"type": "SCHEMA", "stream": "orders", "schema": schema, "key_properties": ["id"]}
    records = ({"id": key, **dict.fromkeys(properties), **TAME, **order} for key, order in orders.items())
    messages = [head, *({"type": "RECORD", "stream": "orders", "record": record} for record in records)]
    TargetZohoCRM(config=config).listen(io.StringIO("".join(f"{ENCODER.encode(each).decode()}\n" for each in messages)))
    return Counter(channel for _, channel in acks(folder, module, orders).values())


def ledger_url(folder: Path, module: str) -> str:
    return f"sqlite:///{folder}/{module}.sqlite"


def acks(folder: Path, module: str, keys: dict[str, Any]) -> dict[str, tuple[Fate, str]]:
    """What became of each order: whether it is in the CRM, else the code and the fields; and the way that it went."""
    ledger = Ledger.open(ledger_url(folder, module))
    with ledger.connect() as connection:
        rows = {row.record_key: row for row in connection.execute(sa.select(ledger.tables.ack))}
    ledger.close()
    return {
        key: (
            (row.status, row.error_code, frozenset((row.error_field or "").split(",")) - {""}),
            row.channel,
        )
        for key in keys
        for row in [rows[key]]
    }


def test_both_channels_give_the_same_record_or_the_same_refusal(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    """Half of the records are second versions of the others."""
    admin = zoho_emulator.admin
    for module in CHANNELS:
        add_module(zoho_emulator, module)
        add_multiple(zoho_emulator, module)
    accounts = admin.put_records("Accounts", [{"Account_Name": name} for name in "ABCDE"])
    users = ["4876876000000000301", "4876876000000000302"]
    ids = {"Account": accounts[:2], "Clerk": users, "Owner": users}
    tally: Counter[str] = Counter()
    ways: Counter[str] = Counter()
    refused_fields: Counter[str] = Counter()
    written_fields: Counter[str] = Counter()
    for turn, how in enumerate(HOWS):
        described = {name: values_of(name, how, ids) for name in [*FIELDS, "Owner"]}
        properties = {name: schema for name, (schema, _) in described.items()} | {name: {} for name in LINKED}
        each = RECORDS // len(HOWS)
        plain = records_of({name: values for name, (_, values) in described.items()}, each)
        several = records_of(links_of(accounts, users), each)
        made = [{**record, **links} for record, links in zip(plain, several, strict=True)]
        for version in (made[: each // 2], made[each // 2 :]):
            orders = {f"{turn}-{number}": record for number, record in enumerate(version)}
            for module in CHANNELS:
                ways += {
                    f"{module} {way}": n for way, n in send(zoho_emulator, tmp_path, module, properties, orders).items()
                }
            by_call, by_job = (acks(tmp_path, module, orders) for module in CHANNELS)
            for key, record in orders.items():
                (fate, _), (other, _) = by_call[key], by_job[key]
                assert fate == other, (key, record)
                tally[fate[0]] += 1
                refused_fields.update(fate[2])
                if fate[0] == "synced":
                    written_fields.update(record.keys())
    ours, theirs = (stored(zoho_emulator, module) for module in CHANNELS)
    assert ours.keys() == theirs.keys()
    for key, record in ours.items():
        assert record == theirs[key], key
    print(f"{sum(tally.values()):,} records by both channels: {dict(tally)}; {dict(ways)}")  # noqa: T201
    print(f"written {dict(written_fields)}; refused by field: {dict(refused_fields)}")  # noqa: T201
    assert sum(tally.values()) >= RECORDS
    assert tally["synced"] > RECORDS / 4
    assert tally["rejected"] > RECORDS / 10
    assert set(written_fields) == {*FIELDS, "Owner", *LINKED}
    assert ways["By_Job bulk_write"] > RECORDS / 4
