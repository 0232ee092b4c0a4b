"""Each run leaves one line of JSON in `summary_file`, however it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pair_of_plugins import Shop


@pytest.fixture
def file(shop: Shop, tmp_path: Path) -> Path:
    shop.target_config["summary_file"] = str(tmp_path / "logs" / "runs.jsonl")
    return tmp_path / "logs" / "runs.jsonl"


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_run_adds_a_line_with_what_its_last_line_says(shop: Shop, file: Path) -> None:
    shop.target_config["run_group"] = "nightly"
    shop.insert([f"SO-{number}" for number in range(5)])
    shop.insert(["SO-bad"], status="odd")
    first = shop.run()
    shop.change(["SO-1"])
    assert shop.run().code == 0
    one, two = lines(file)
    assert (one["how_ended"], one["complete"], one["error"], one["run_group"]) == ("finished", True, None, "nightly")
    (stream,) = one["streams"]
    counts = first.summary
    assert (stream["stream"], stream["read"]) == ("orders", counts["read"])
    outcomes = stream["outcomes"]
    assert (outcomes["synced"], outcomes["rejected"]) == (counts["synced"], counts["rejected"]) == (5, 1)
    assert sum(outcomes.values()) == stream["read"]
    assert [(each["field"], each["orders"]) for each in stream["causes"]] == [("Status", 1)]
    said = f"{one['credits']['bulk_write']} for bulk write, {one['credits']['upsert']} for upserts"
    assert f"{said}, {one['credits']['other']} for others" in first.err
    assert two["streams"][0]["run"] in {ack.run_id for ack in shop.acks().values()} - {stream["run"]}
    assert file.stat().st_mode & 0o077 == 0


def test_what_is_wrong_at_the_end_is_in_the_line(shop: Shop, file: Path) -> None:
    shop.target_config["on_rejection"] = "fail"
    shop.insert(["SO-bad"], status="odd")
    assert shop.run().code == 1
    (line,) = lines(file)
    assert (line["how_ended"], line["complete"]) == ("finished", False)
    assert "1 orders were refused" in line["streams"][0]["complaint"]
    with shop.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT error FROM zoho_sync_run").scalars().all()
    assert kept == [line["streams"][0]["complaint"]]


def test_a_run_that_fails_says_why_and_what_it_had_done(shop: Shop, file: Path) -> None:
    shop.target_config["on_rejection"] = "fail_fast"
    shop.insert(["SO-bad"], status="odd")
    assert shop.run().code == 1
    shop.target_config["module"] = "Nothing"
    assert shop.run().code == 2
    one, two = lines(file)
    assert (one["how_ended"], one["complete"]) == ("failed", False)
    assert "on_rejection is fail_fast" in one["error"]
    assert one["streams"][0]["read"] == 1
    assert two["how_ended"] == "failed"
    assert "Nothing" in two["error"]
    with shop.engine.connect() as connection:
        kept = connection.exec_driver_sql("SELECT error FROM zoho_sync_run ORDER BY started_at").scalars().all()
    assert kept == [one["error"], two["error"]]


def test_a_file_that_cannot_be_written_is_a_warning(shop: Shop, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    shop.target_config["summary_file"] = str(tmp_path / "taken" / "runs.jsonl")
    shop.insert(["SO-1"])
    ended = shop.run()
    assert ended.code == 0
    assert "summary_file: " in ended.err
    shop.assert_all_synced()
