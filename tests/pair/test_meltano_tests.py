"""`meltano test` and `meltano config test` of both plugins: right in every state, and nothing is written.

What our processes say and how they end is tried in every state at each change; Meltano's own verdict beside it each
night, since each of its commands takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked
import pytest
from meltano_checks import MESSAGES, Tried, meltano, what_is_known, writes
from pair_of_plugins import BIN, Finished, Shop, finish, start


@dataclass(frozen=True)
class State:
    """One state of a set-up, and what each of our processes makes of it."""

    prepare: Callable[[Shop], object]
    to_send: int = 0
    tap: dict[str, Any] | None = None
    target: dict[str, Any] | None = None
    tap_says: str | None = None
    """Part of the tap's one line of error; None where it ends well."""
    target_says: str | None = None


def sync(shop: Shop) -> None:
    assert shop.run().code == 0


def two_unsynced(shop: Shop) -> None:
    shop.insert(["SO-1", "SO-2"])


def two_synced(shop: Shop) -> None:
    two_unsynced(shop)
    sync(shop)


def order_1_in_the_crm(shop: Shop) -> None:
    shop.insert(["1"])
    sync(shop)
    shop.insert(["2"])


STATES: dict[str, State] = {
    "orders to send": State(two_unsynced, to_send=2),
    "all synced": State(two_synced),
    "no order at all": State(sync),
    "an order 1 in the CRM": State(order_1_in_the_crm, to_send=1),
    "wrong password": State(
        two_synced,
        tap={"sqlalchemy_url": "mysql://root:wrong@127.0.0.1:3306/mysql", "ack_url": None},
        target={"ack_url": "mysql://root:wrong@127.0.0.1:3306/mysql"},
        tap_says="Access denied",
        target_says="Access denied",
    ),
    "missing module": State(two_unsynced, to_send=2, target={"module": "Ordesr"}, target_says="has no module Ordesr"),
    "wrong token": State(two_unsynced, to_send=2, target={"refresh_token": "1000.wrong"}, target_says="invalid_code"),
    "missing table": State(two_synced, tap={"orders_table": "ordres"}, tap_says="ordres"),
}


@pytest.fixture(params=STATES)
def state(request: pytest.FixtureRequest, shop: Shop) -> State:
    """The shop in one state after another."""
    if request.param == "wrong password":
        request.getfixturevalue("mariadb_url")  # where no server answers, the test is left out by name
    state = STATES[request.param]
    state.prepare(shop)
    shop.tap_config, shop.target_config = state.tap or {}, state.target or {}
    return state


def ours(shop: Shop) -> dict[str, Finished]:
    """Each process as Meltano starts it: by `config test` without STATE, by `test` with `--test`."""
    tap, target = shop.configs()
    return {
        "tap, config test": finish(start(forked.command("tap-legacy-orders", ["--config", tap]))),
        "tap, test": finish(start(forked.command("tap-legacy-orders", ["--config", tap, "--test"]))),
        "target, config test": shop.take(MESSAGES),
        "target, test": finish(start(forked.command("target-zoho-crm", ["--config", target, "--test"]))),
    }


def test_our_processes_are_right_in_every_state_and_write_nothing(shop: Shop, state: State) -> None:
    known, written, orders = what_is_known(shop), writes(shop), shop.orders()
    for name, ended in ours(shop).items():
        says = state.tap_says if name.startswith("tap") else state.target_says
        if says is None:
            assert ended.code == 0, (name, ended.err)
            assert "error" not in (ended.out + ended.err).lower(), name
        else:
            assert ended.code in {1, 2}, (name, ended.err)
            assert len(ended.errors) == 1, (name, ended.err)
            assert says in ended.errors[0], name
            assert "Traceback" not in ended.err, name
        sent = records(ended)
        if name.startswith("tap"):
            assert len(sent) == min(state.to_send, 1 if name.endswith(", test") else state.to_send), name
        assert {each["order_id"] for each in sent} <= orders.keys(), name  # none is made up
    assert what_is_known(shop) == known
    assert writes(shop) == written


def records(ended: Finished) -> list[dict[str, Any]]:
    messages = [json.loads(line) for line in ended.out.splitlines() if line.startswith("{")]
    return [message["record"] for message in messages if message.get("type") == "RECORD"]


@pytest.mark.nightly
def test_meltanos_verdict_in_every_state(
    shop: Shop, state: State, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """Meltano's own word for `config test` of a tap that has nothing to send is that it is invalid: see the page."""
    known, written = what_is_known(shop), writes(shop)
    for plugin, says in (("tap-legacy-orders", state.tap_says), ("target-zoho-crm", state.target_says)):
        for number, words in enumerate((("test",), ("config", "test"))):
            tried = meltano(shop, tmp_path / f"{plugin}-{number}", plugin, *words)
            record_property(f"{plugin} {' '.join(words)}", described(tried))
            # Meltano ends a tap at its first order, by a signal, and takes it for valid.
            errors = [line for line in tried.errors if "stopped by SIGTERM" not in line]
            assert len(errors) == (0 if says is None else 1), tried.said
            nothing_to_send = plugin.startswith("tap") and words[0] == "config" and not state.to_send
            assert (tried.verdict == "valid") == (says is None and not nothing_to_send), tried.out
    assert what_is_known(shop) == known
    assert writes(shop) == written


def described(tried: Tried) -> str:
    verdict = "valid" if tried.verdict == "valid" else tried.out.strip().splitlines()[-1]
    return f"ours {tried.code}, Meltano {tried.meltano_code}: {verdict}; {' '.join(tried.errors)}"


@pytest.mark.parametrize("plugin", [pytest.param("tap-legacy-orders", marks=pytest.mark.nightly), "target-zoho-crm"])
def test_meltano_test_runs_the_test_that_a_plugin_declares(shop: Shop, tmp_path: Path, plugin: str) -> None:
    two_unsynced(shop)
    shop.tap_config = {"columns": ["notes"], "page_size": 7}
    shop.target_config = {"fields": {"notes": "Notes"}, "trigger": [], "max_attempts": 3}
    tried = meltano(shop, tmp_path / "try", plugin, "test")
    assert (tried.code, tried.meltano_code, tried.verdict) == (0, 0, "valid"), tried.out
    assert sum(writes(shop).values()) == 0


@pytest.mark.nightly
def test_numbers_of_the_environment_are_numbers(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"LOOKBACK_SECONDS": "0.5", "MAX_CHANGES": "12", "SETTLE_SECONDS": "2"}.items():
        monkeypatch.setenv(f"TAP_LEGACY_ORDERS_{name}", value)
    monkeypatch.setenv("TAP_LEGACY_ORDERS_SQLALCHEMY_URL", shop.url)
    monkeypatch.setenv("TAP_LEGACY_ORDERS_ORDERS_TABLE", "orders")
    tried = finish(start([BIN / "tap-legacy-orders", "--config=ENV", "--test"]))
    assert tried.code == 0, tried.err
    monkeypatch.setenv("TAP_LEGACY_ORDERS_SETTLE_SECONDS", "two")
    refused = finish(start([BIN / "tap-legacy-orders", "--config=ENV", "--test"]))
    assert (refused.code, len(refused.errors)) == (2, 1), refused.err
    assert "'two' is not of type 'number'" in refused.errors[0]
