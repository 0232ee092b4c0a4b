"""The law of the mapping: both channels give the same CRM record for the same input, or the same refusal."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

from every_type import FIELDS, add_module, by_job, by_upsert, fate, mapping_to, stored
from made_up_values import HOWS, TAME, records_of, values_of
from zoho_clients import MakeClient

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

RECORDS = 2_000
BATCH = 100


def test_both_channels_give_the_same_record_or_the_same_refusal(
    make_client: MakeClient, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    client = make_client()
    for module in ("By_Call", "By_Job"):
        add_module(zoho_emulator, module)
    ids = {
        "Account": zoho_emulator.admin.put_records("Accounts", [{"Account_Name": name} for name in "AB"]),
        "Clerk": [user["id"] for user in client.get("users", {"type": "ActiveUsers"}).body["users"]],
    }
    ids["Owner"] = ids["Clerk"]
    tally: Counter[str] = Counter()
    refused_fields: Counter[str] = Counter()
    written_fields: Counter[str] = Counter()
    names = [*FIELDS, "Owner"]
    for how in HOWS:
        described = {name: values_of(name, how, ids) for name in names}
        properties = {name: schema for name, (schema, _) in described.items()}
        generated = records_of({name: values for name, (_, values) in described.items()}, RECORDS // len(HOWS))
        mappings = {module: mapping_to(client, module, properties) for module in ("By_Call", "By_Job")}
        rows = [
            tuple({**TAME, **record}.get(column.source) for column in mappings["By_Call"].columns)
            for record in generated
        ]
        for start in range(0, len(rows), BATCH):
            some = rows[start : start + BATCH]
            keys = [f"{how}-{sum(tally.values()) + n}" for n in range(len(some))]
            by_call = by_upsert(client, "By_Call", mappings["By_Call"], keys, some)
            by_file = by_job(client, "By_Job", mappings["By_Job"], keys, some, tmp_path)
            for key, record in zip(keys, generated[start : start + BATCH], strict=True):
                assert fate(by_call[key]) == fate(by_file[key]), (record, by_call[key], by_file[key])
                tally[fate(by_call[key])[0]] += 1
                if by_call[key].code:
                    refused_fields.update((by_call[key].field or "").split(","))
                else:
                    written_fields.update(record.keys())
    ours, theirs = stored(zoho_emulator, "By_Call"), stored(zoho_emulator, "By_Job")
    assert len(ours) == tally["synced"]
    for key, record in ours.items():
        assert record == theirs[key], key
    assert ours.keys() == theirs.keys()
    print(f"{sum(tally.values()):,} records by both channels: {dict(tally)}; refused by field: {dict(refused_fields)}")  # noqa: T201
    assert sum(tally.values()) >= RECORDS
    assert tally["synced"] > RECORDS / 4
    assert tally["refused"] > RECORDS / 10
    assert set(written_fields) == set(names)
