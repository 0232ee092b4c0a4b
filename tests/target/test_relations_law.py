"""The law of relations: the same orders give the same CRM records and the same refusals on both channels."""

from __future__ import annotations

import io
import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from depth import examples
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sync_ledger.ledger import Ledger
from target_zoho_crm.target import TargetZohoCRM

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

TEXT = {"type": ["string", "null"]}
COLUMNS = {"account": TEXT, "named": TEXT, "owner": TEXT, "ordered_at": TEXT}
LEGACY_IDS = ["A-1", "a-2", "O'Neil \\", "Größe; 5", "x" * 64]
TWINS = "Twin"
MISSING = ["B-1", "b-1", 'Nobody\'s "own"', "y" * 65, "\\'"]
UNFIT = ["nul\0", None, "", "  "]
EMAILS = ["emuladmin@shops.com", " EmulClerk@shops.com", "formerclerk@shops.com", "nobody@shops.com", None]


def spelled(names: list[str]) -> st.SearchStrategy[str]:
    """Names in spellings that Zoho takes for them."""
    spellings = [str, str.upper, str.lower, lambda text: f"  {text} "]
    return st.builds(lambda name, spell: spell(name), st.sampled_from(names), st.sampled_from(spellings))


ACCOUNTS = st.one_of(spelled(LEGACY_IDS), spelled(LEGACY_IDS), spelled(MISSING), st.sampled_from(UNFIT))
NAMES = st.one_of(spelled(["Name 0", "Name 1"]), spelled([TWINS]), spelled(MISSING[:3]), st.none())
RECORDS = st.fixed_dictionaries(
    {
        "account": ACCOUNTS,
        "named": NAMES,
        "owner": st.sampled_from(EMAILS),
        "ordered_at": st.sampled_from(["2024-07-01T10:20:30Z", "2024-07-01T10:20:30Z", None, "last Tuesday"]),
    }
)


def written(emulator: EmulatorProcess, folder: Path, config: dict[str, Any], records: list[dict[str, Any]]) -> Any:
    """Write to an empty CRM; gives the orders with the accounts they point at, the accounts, and the refusals."""
    emulator.admin.reset()
    emulator.admin.add_field("Orders", "Named", "lookup", lookup="Accounts")
    accounts = [{"Account_Name": f"Name {n}", "Legacy_Id": each} for n, each in enumerate(LEGACY_IDS)]
    emulator.admin.put_records("Accounts", [*accounts, {"Account_Name": TWINS}, {"Account_Name": TWINS.upper()}])
    folder.mkdir(exist_ok=True)
    ledger_url = f"sqlite:///{folder}/ledger.sqlite"
    (folder / "ledger.sqlite").unlink(missing_ok=True)
    schema = {"properties": {"id": {"type": "string"}, **COLUMNS}}
    messages = [{"type": "SCHEMA", "stream": "orders", "schema": schema, "key_properties": ["id"]}]
    messages += [
        {"type": "RECORD", "stream": "orders", "record": {"id": f"SO-{n}", **each}} for n, each in enumerate(records)
    ]
    target = TargetZohoCRM(
        config={
            "client_id": emulator.client_id,
            "client_secret": emulator.client_secret,
            "refresh_token": emulator.refresh_token,
            **dict.fromkeys(("accounts_url", "api_url", "upload_url"), emulator.base_url),
            "ack_url": ledger_url,
            "first_contact": "off",
            **config,
        }
    )
    target.listen(io.StringIO("".join(f"{json.dumps(each)}\n" for each in messages)))
    return found(emulator, ledger_url)


def found(emulator: EmulatorProcess, ledger_url: str) -> Any:
    accounts = {
        each["id"]: each.get("Legacy_Id") or each["Account_Name"] for each in emulator.admin.records("Accounts")
    }
    orders = {
        record["parent_id"]: (
            *(accounts[record[name]["id"]] if record.get(name) else None for name in ("Account", "Named")),
            record["Owner"]["id"],
            record.get("Ordered_At"),
        )
        for record in emulator.admin.records("Orders")
    }
    ledger = Ledger.open(ledger_url)
    with ledger.connect() as connection:
        acks = list(connection.execute(sa.select(ledger.tables.ack)))
    ledger.close()
    refusals = {
        ack.record_key: (ack.status, ack.family, ack.error_code, ack.error_field, ack.error_message)
        for ack in acks
        if ack.status != "synced"
    }
    return orders, dict(Counter(accounts.values())), refusals


@pytest.mark.slow
@pytest.mark.parametrize("on_missing", ["reject", "create", "null"])
@settings(
    max_examples=examples(4, 25),
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(records=st.lists(RECORDS, min_size=1, max_size=150))
def test_both_channels_give_the_same(
    zoho_emulator: EmulatorProcess, tmp_path: Path, on_missing: str, records: list[dict[str, Any]]
) -> None:
    fields = {
        "Account": {"source": "account", "find_by": "Legacy_Id", "on_missing_parent": on_missing},
        "Named": {"source": "named", "find_by": "Account_Name", "on_missing_parent": on_missing},
        "Owner": {"source": "owner", "find_by": "email"},
    }
    by_upsert, by_job = (
        written(zoho_emulator, tmp_path / channel, {"channel": channel, "fields": fields}, records)
        for channel in ("upsert", "bulk_write")
    )
    for one, other in zip(by_upsert, by_job, strict=True):
        assert {key: (one.get(key), other.get(key)) for key in one | other if one.get(key) != other.get(key)} == {}
    orders, _, refusals = by_upsert
    assert orders.keys() | refusals.keys() == {f"SO-{n}" for n in range(len(records))}
    assert not orders.keys() & refusals.keys()
