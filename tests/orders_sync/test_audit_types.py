"""Orders with a field of every type are equal after a run, read by queries and by jobs, and a change is found."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import every_type
import pytest
import sqlalchemy as sa
from audited_shop import audit, kinds
from pair_of_plugins import Shop

from orders_sync.comparison import module_reading

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

COLUMNS = {
    "Text": ("VARCHAR(100)", "Zo\u00eb", "Z\u00f6e"),
    "Short": ("VARCHAR(100)", "longer than eight", "other"),
    "Area": ("VARCHAR(500)", "line one\r\nline two", "line one"),
    "Email": ("VARCHAR(100)", "Zoe@Shop.com", "joe@shop.com"),
    "Phone": ("VARCHAR(30)", "+49 30 123", "+49 30 124"),
    "Website": ("VARCHAR(100)", "https://shop.com", "https://shop.org"),
    "Status": ("VARCHAR(30)", "New", "Lost"),
    "Channel": ("VARCHAR(30)", "Web", "Shop"),
    "Marks": ("JSONB", '["gift", "express"]', ["gift"]),
    "Day": ("DATE", "2026-01-31", "2026-02-01"),
    "Moment": ("TIMESTAMP", "2026-01-31 08:00:00", "2026-01-31T08:00:01+00:00"),
    "Whole": ("INTEGER", 7, 8),
    "Big": ("BIGINT", 487687600000000030, "487687600000000031"),
    "Money": ("NUMERIC(12, 2)", 12.5, 12.51),
    "Double": ("NUMERIC(18, 9)", 0.123456789, 0.123456788),
    "Rounded": ("NUMERIC(18, 9)", 1.23456, 1.3),
    "Share": ("NUMERIC(12, 2)", 12.25, 12.5),
    "Flag": ("BOOLEAN", True, False),
    "Clerk": ("VARCHAR(100)", "emulclerk@shops.com", {"id": "4876876000000000301"}),
    "Must": ("VARCHAR(100)", "there", "not there"),
}
"""By field: the column's type, its value, and what somebody writes into the record."""


@pytest.fixture
def shop(postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(postgresql_url, zoho_emulator, tmp_path)
    columns = ", ".join(f'"{name.lower()}" {kind}' for name, (kind, _, _) in COLUMNS.items())
    with made.engine.begin() as connection:
        statement = f"CREATE TABLE every_type (order_id INTEGER PRIMARY KEY, {columns}, updated_at TIMESTAMP NOT NULL)"
        connection.exec_driver_sql(statement)
    every_type.add_module(zoho_emulator, "Everything")
    made.tap_config = {"orders_table": "every_type", "lookback_seconds": 0}
    options: dict[str, Any] = {name: each for name, each in every_type.OPTIONS.items() if name in COLUMNS}
    options["Clerk"] = {"source": "clerk", "find_by": "email"}
    made.target_config = {"module": "Everything", "fields": options}
    yield made
    made.engine.dispose()


def insert(shop: Shop, number: int, *, filled: bool) -> None:
    values = {name.lower(): value if filled or name == "Must" else None for name, (_, value, _) in COLUMNS.items()}
    names = ", ".join(f'"{name}"' for name in values)
    marks = ", ".join(f"CAST(:{name} AS {COLUMNS[name.capitalize()][0]})" for name in values)
    with shop.engine.begin() as connection:
        statement = f"INSERT INTO every_type (order_id, {names}, updated_at) VALUES (:key, {marks}, :at)"
        connection.execute(sa.text(statement), {"key": number, "at": shop.tick(), **values})


@pytest.mark.parametrize("by_jobs", [False, True])
@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_each_type_is_equal_after_a_run_and_each_change_of_one_is_found(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, channel: str, *, by_jobs: bool
) -> None:
    if by_jobs:
        monkeypatch.setattr(module_reading, "READ_JOB_CREDITS", 0)
    shop.target_config["channel"] = channel
    for number in range(2, 2 + len(COLUMNS)):
        insert(shop, number, filled=True)
    insert(shop, 1_000, filled=False)
    shop.ticks += 1_000_000
    insert(shop, 1_001, filled=True)
    ended = shop.run()
    assert (ended.code, ended.summary["synced"]) == (0, len(COLUMNS) + 2), ended.err
    equal = audit(shop)
    assert (equal["findings"], equal["equal"], equal["counts"]["not_comparable"]) == ([], True, {})
    for number, (name, (_, _, other)) in enumerate(COLUMNS.items(), 2):
        shop.emulator.admin.put_records("Everything", [{"parent_id": str(number), name: other}])
    found = audit(shop)
    assert {each["key"]: each["fields"] for each in found["findings"]} == {
        str(number): [name] for number, name in enumerate(COLUMNS, 2)
    }
    assert kinds(found).keys() == {"differs"}
    assert json.dumps(found["findings"]).count("2026-01-31T08") == 0
