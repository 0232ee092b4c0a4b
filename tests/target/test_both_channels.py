"""The law of the mapping: both channels give the same CRM record for the same input, or the same refusal."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timezone
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from every_type import FIELDS, add_module, by_job, by_upsert, fate, mapping_to, stored
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from zoho_clients import MakeClient

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

RECORDS = 2_000
BATCH = 100
HOWS = ("typed", "text", "untyped", "typed")
TAME = {"Must": "must", "Text": "text"}
LONGEST_EMAIL = "a" * 88 + "@example.com"

plain = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)
digits = st.integers(-(10**9), 10**9)
moments = st.datetimes(datetime(1950, 1, 1), datetime(2090, 1, 1), timezones=st.none() | st.just(timezone.utc))  # noqa: DTZ001
amounts = st.decimals(-(10**12), 10**12, places=2)


def texts_of(length: int) -> st.SearchStrategy[str]:
    return plain | st.sampled_from(
        ["x" * length, "x" * (length + 1), 'a "quoted", text', "two\nlines", " ", "a\0b", "½"]
    )


STRINGS: dict[str, st.SearchStrategy[Any]] = {
    "Text": texts_of(255),
    "Short": texts_of(8),
    "Area": texts_of(2000),
    "Must": plain | st.sampled_from(["x" * 20, "x" * 21, ""]),
    "Email": st.sampled_from(["ada@example.com", LONGEST_EMAIL, "a" + LONGEST_EMAIL, "ada", "a b@c.de"]),
    "Phone": st.sampled_from(["+49 30 1234", "1" * 30, "1" * 31, "(030) 12-34", "?"]),
    "Website": st.sampled_from(["https://example.com/a?b=c", "example.com", "not a site", "x" * 451]),
    "Status": st.sampled_from(["New", "Shipped", "Lost", "Shiped", "new", "x" * 200]),
    "Channel": st.sampled_from(["Web", "Shop", "Fax", "x" * 120, "x" * 121]),
    "Kind": st.sampled_from(["Plain", "Gift", "Odd"]),
    "Marks": st.sampled_from(["gift", "gift;express", "express; gift", "gift;odd", ";", "gift;gift"]),
    "Day": moments.map(lambda at: at.date().isoformat()) | st.sampled_from(["2024-02-30", "2024-06-30T23:30:00+02:00"]),
    "Moment": st.sampled_from(["2024-01-01T10:00:00Z", "2024-07-01 10:20:30.5-05", "so"])
    | moments.map(datetime.isoformat),
    "Whole": digits.map(str) | st.sampled_from(["1.0", "1.5", "999999999", "1000000000", "x"]),
    "Big": st.integers(-(10**18), 10**18).map(str) | st.sampled_from(["9" * 18, "9" * 19, "x"]),
    "Money": amounts.map(str) | st.sampled_from(["1E+3", "0.005", "9" * 16, "9" * 17, "1,5", "1.500"]),
    "Double": amounts.map(str) | st.sampled_from(["0.123456789", "0.1234567891", "-0", "1E-9"]),
    "Rounded": amounts.map(str) | st.sampled_from(["0.0005", "-2.00049", "9999999999999999.9996"]),
    "Share": st.sampled_from(["12.5", "99999", "100000", "0.125", "5"]),
    "Flag": st.sampled_from(["true", "No", "1", "perhaps"]),
}  # fmt: skip
NATURAL: dict[str, tuple[str, st.SearchStrategy[Any]]] = {
    "Day": ("string", STRINGS["Day"]),
    "Whole": ("integer", digits | st.sampled_from([10**9, 10**9 - 1, -(10**9)])),
    "Big": ("integer", st.integers(-(10**18), 10**18)),
    "Money": ("number", amounts | st.sampled_from([Decimal("0.005"), Decimal(10**16), Decimal("1E+2")])),
    "Double": ("number", amounts | st.sampled_from([Decimal("0.1234567891"), Decimal("1E-9")])),
    "Rounded": ("number", amounts | st.sampled_from([Decimal("0.0005"), Decimal("9999999999999999.9996")])),
    "Share": ("integer", st.sampled_from([0, 5, 99_999, 100_000])),
    "Flag": ("boolean", st.booleans()),
    "Marks": ("array", st.lists(st.sampled_from(["gift", "express", "odd", "a;b", 5]), max_size=3)),
}
ODD = st.none() | st.booleans() | digits | amounts | plain | st.lists(plain, max_size=2) | st.just({"id": "x"})


def values_of(name: str, how: str, ids: dict[str, list[str]]) -> tuple[dict[str, Any], st.SearchStrategy[Any]]:
    """The JSON schema of a property and its values: typed as a database would, all text, or of no certain type."""
    if name in ids:
        known = st.sampled_from(ids[name])
        return {}, st.none() | known | known.map(int) | known.map(lambda given: {"id": given}) | st.sampled_from(
            ["x", "7"]
        )
    if how == "typed" and name in NATURAL:
        json_type, values = NATURAL[name]
        return {"type": [json_type, "null"]}, st.none() | values
    if how == "untyped":
        return {}, STRINGS[name] | STRINGS[name] | STRINGS[name] | ODD
    return {"type": ["string", "null"]}, st.none() | STRINGS[name]


def records_of(described: dict[str, st.SearchStrategy[Any]], count: int) -> list[dict[str, Any]]:
    """Records with a few wild values each, so that most of them can be written."""
    generated: list[dict[str, Any]] = []
    wild = st.lists(st.sampled_from(sorted(described)), max_size=4, unique=True).flatmap(
        lambda chosen: st.fixed_dictionaries({name: described[name] for name in chosen})
    )

    @settings(max_examples=count, phases=[Phase.generate], database=None, deadline=None)
    @given(wild)
    def generate(record: dict[str, Any]) -> None:
        generated.append(record)

    generate()
    return generated


@pytest.mark.timeout(120)
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
