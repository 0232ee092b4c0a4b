"""Refused orders go to the order team as a sheet, and their decisions come back in one import."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import forked
import pytest
from pair_of_plugins import Finished, Shop, finish, start

from target_zoho_crm.mapping.picklists import UnknownValue, unknown_values


def operate(shop: Shop, *arguments: str | Path, tap: bool = False) -> Finished:
    tap_config, target_config = shop.configs()
    configs: list[str | Path] = ["--target-config", target_config]
    configs += ["--tap-config", tap_config] if tap else ["--ack-url", shop.ack_url]
    return finish(start(forked.command("orders-sync", [*arguments, *configs])))


def sheet(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def write_sheet(path: Path, rows: list[dict[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)


@pytest.mark.parametrize("channel", ["upsert", "bulk_write"])
def test_a_table_of_values_is_applied_on_both_channels(shop: Shop, channel: str) -> None:
    shop.target_config = {"channel": channel, "fields": {"Status": {"values": {"Shiped": "Shipped", "1": "Paid"}}}}
    shop.insert(["SO-1"], status="Shiped")
    shop.insert(["SO-2"], status="1")
    shop.insert(["SO-3"], status="New")
    shop.insert(["SO-4"], status="odd")
    assert shop.run().summary["rejected"] == 1
    assert {key: record["Status"] for key, record in shop.crm().items()} == {
        "SO-1": "Shipped", "SO-2": "Paid", "SO-3": "New",
    }  # fmt: skip


def test_refused_orders_are_mended_by_an_exported_sheet_one_import_and_one_run(shop: Shop, tmp_path: Path) -> None:
    table, out = tmp_path / "status.csv", tmp_path / "problems.csv"
    table.write_text("value,becomes\n")
    shop.target_config = {"fields": {"Status": {"values": str(table)}}}
    shop.insert([f"A-{number}" for number in range(20)], status="Shiped")
    shop.insert([f"B-{number}" for number in range(20)], status="offen")
    shop.insert(["C-1"], status="?")
    shop.insert(["C-2"], status="??")
    assert shop.run().summary["rejected"] == 42
    assert operate(shop, "problems", "--export", out).code == 0
    rows = sheet(out)
    assert (rows[0]["key"], rows[0]["field"], rows[0]["value"], rows[0]["becomes"]) == (
        "A-0", "Status", "Shiped", "Shipped",
    )  # fmt: skip
    for row in rows:
        row["decision"] = {"C-1": "dismiss", "C-2": ""}.get(row["key"], "map")
        row["becomes"] = row["becomes"] or "New"
    write_sheet(out, rows)
    ended = operate(shop, "problems", "--import", out, "--json")
    assert ended.code == 0, ended.err
    assert {name: json.loads(ended.out)[name] for name in ("mapped", "retried", "dismissed", "undecided")} == {
        "mapped": 2, "retried": 40, "dismissed": 1, "undecided": 1,
    }  # fmt: skip
    assert shop.run().summary["synced"] == 40
    found = {key[0]: record["Status"] for key, record in shop.crm().items()}
    assert found == {"A": "Shipped", "B": "New"}
    assert {key: ack.status for key, ack in shop.acks().items() if key[0] == "C"} == {
        "C-1": "parked", "C-2": "rejected",
    }  # fmt: skip


BAD_LINES: dict[str, tuple[dict[str, str], str]] = {
    "another decision": ({"decision": "maybe"}, "line 2: decision 'maybe' is none of map, retry, dismiss"),
    "nothing to map to": ({"decision": "map", "becomes": ""}, "line 2: to map, a line needs field, value and becomes"),
    "no file for the table": ({"decision": "map", "becomes": "New"}, "to map values of Status, give its table a file"),
}


@pytest.mark.parametrize("bad", BAD_LINES)
def test_a_sheet_with_a_mistake_changes_nothing(shop: Shop, tmp_path: Path, bad: str) -> None:
    change, text = BAD_LINES[bad]
    out = tmp_path / "problems.csv"
    shop.insert(["A-1", "A-2"], status="odd")
    assert shop.run().summary["rejected"] == 2
    assert operate(shop, "problems", "--export", out).code == 0
    first, second = sheet(out)
    write_sheet(out, [first | change, second | {"decision": "retry"}])
    before = shop.acks()
    ended = operate(shop, "problems", "--import", out)
    assert ended.code == 1
    (line,) = ended.err.strip().splitlines()
    assert text in line
    assert shop.acks() == before


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a,b\nx,y\n", "must begin with the line value,becomes"),
        ("value,becomes\nx\n", "line 2 has not two cells"),
        (None, "cannot be read: No such file"),
    ],
)
def test_a_table_that_is_none_ends_the_run_before_it_writes(
    shop: Shop, tmp_path: Path, text: str | None, why: str
) -> None:
    table = tmp_path / "status.csv"
    if text is not None:
        table.write_text(text)
    shop.target_config = {"fields": {"Status": {"values": str(table)}}}
    shop.insert(["SO-1"])
    ended = shop.run()
    assert (ended.code, shop.crm()) == (2, {})
    assert any(why in line for line in ended.errors)


def test_what_would_be_written_of_an_order_is_displayed_and_not_sent(shop: Shop) -> None:
    shop.target_config = {"fields": {"Status": {"values": {"Shiped": "Shipped"}}}}
    shop.insert(["SO-1"], status="Shiped", is_gift=True)
    shop.insert(["SO-2"], status="odd")
    assert shop.run().code == 0
    spent = shop.written_credits()
    ended = operate(shop, "try", "SO-1", "--json", tap=True)
    assert ended.code == 0, ended.err
    document: dict[str, Any] = json.loads(ended.out)
    assert (document["call"]["Status"], document["job"]["Status"]) == ("Shipped", "Shipped")
    assert (document["call"]["Is_Gift"], document["job"]["Is_Gift"]) == (True, "true")
    assert document["call"]["parent_id"] == document["job"]["parent_id"] == "SO-1"
    assert "Shipped" in operate(shop, "try", "SO-1", tap=True).out
    refused = operate(shop, "try", "SO-2", tap=True)
    assert refused.code == 1
    assert 'Status "odd" is not in the picklist' in refused.out
    assert operate(shop, "try", "SO-none", tap=True).code == 1
    assert "stream_maps" not in refused.err
    shop.target_config["stream_maps"] = {"orders": {"status": "'Shipped'"}}
    assert "`stream_maps` of the target are not applied here" in operate(shop, "try", "SO-2", tap=True).err
    assert shop.written_credits() == spent


def test_what_a_refusal_says_of_a_value_is_read_again() -> None:
    message = 'Status "Shi "ped" is not in the picklist (did you mean "Shipped"?); Kind "x" is not in the picklist'
    assert unknown_values(message) == [
        UnknownValue("Status", 'Shi "ped', "Shipped"),
        UnknownValue("Kind", "x", None),
    ]
    assert unknown_values("Amount is no number") == unknown_values(None) == []
