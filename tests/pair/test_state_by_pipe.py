"""STATE that a shell keeps: `tap --state state.json | target >> state.json`, whatever became of the file."""

from __future__ import annotations

import json
from pathlib import Path

import forked
import pytest
from pair_of_plugins import Finished, Shop, finish, start

from tap_legacy_orders.state_file import newest_state

STATES = ("newest of several", "pretty", "empty", "blank lines")


def test_the_last_line_of_several_counts_and_a_file_without_state_costs_time_alone(any_shop: Shop) -> None:
    shop = any_shop
    shop.insert(["SO-1", "SO-2"])
    kept = first_lines(shop)
    for what in STATES:
        write(shop.state, what, kept)
        shop.insert([f"NEW-{what}"])
        ended = shop.run()
        assert (ended.code, ended.summary["read"], ended.summary["synced"]) == (0, 1, 1), (what, ended.err)
        warned = "all orders are compared with the ledger" in ended.err
        assert warned == (what in {"empty", "blank lines"}), ended.err
        kept.append(shop.state.read_text())
    shop.assert_all_synced()


def first_lines(shop: Shop) -> list[str]:
    """Two runs' lines of STATE."""
    lines = []
    for _ in range(2):
        assert shop.run().code == 0
        lines.append(shop.state.read_text())
        shop.insert([f"SO-{len(lines) + 2}"])
    assert shop.run().code == 0
    return [*lines, shop.state.read_text()]


def write(file: Path, what: str, kept: list[str]) -> None:
    texts = {
        "newest of several": "\n".join([*kept, ""]),
        "pretty": json.dumps(json.loads(kept[-1]), indent=2),
        "empty": "",
        "blank lines": "\n\n",
    }
    file.write_text(texts[what])


@pytest.mark.parametrize("text", ['{"bookmarks": {}}\n{"bookmarks": {"ord', "no json at all", '{"bookmarks": 5}'])
def test_what_is_no_state_is_refused_in_one_line(shop: Shop, text: str) -> None:
    shop.state.write_text(text)
    ended: Finished = shop.tap()
    assert (ended.code, ended.out, len(ended.errors)) == (2, "", 1), ended.err
    assert "state" in ended.errors[0]


def test_orders_that_another_program_took_from_the_tap_are_found(any_shop: Shop) -> None:
    shop = any_shop
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    shop.insert(["SO-2", "SO-3"])
    alone = shop.tap()  # into a file, or a target that is not ours
    assert alone.code == 0
    states = [line for line in alone.out.splitlines() if '"STATE"' in line]
    shop.state.write_text(json.dumps(json.loads(states[-1])["value"]))
    shop.tap_config["lookback_seconds"] = 0
    ended = shop.run()
    assert "bookmark is not used: no run of this ledger's target let it out" in ended.err
    shop.assert_all_synced()


def test_a_missing_file_is_said_and_the_ledger_decides(shop: Shop) -> None:
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    shop.insert(["SO-2"])
    config, _ = shop.configs()
    missing = shop.folder / "nowhere.json"
    ended = finish(start(forked.command("tap-legacy-orders", ["--config", config, "--state", missing])))
    assert ended.code == 0, ended.err
    assert ended.out.count('"type":"RECORD"') == 1
    assert "there is no file" in ended.err


def test_a_file_that_nobody_may_read_is_named(shop: Shop) -> None:
    shop.state.mkdir()
    ended = shop.tap()
    assert ended.code == 2
    assert "state.json cannot be read" in ended.err
    assert "Traceback" not in ended.err


def test_one_document_may_have_several_lines() -> None:
    assert newest_state('{\n"bookmarks": {}\n}\n') == '{\n"bookmarks": {}\n}\n'
    assert newest_state('{"a": 1}\n{"a": 2}\n\n') == '{"a": 2}'
    assert newest_state(" \n") is None
