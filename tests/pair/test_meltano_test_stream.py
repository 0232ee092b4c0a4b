"""`meltano config test target-zoho-crm`: its made-up order is never written, a set-up that does not work is named."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from meltano_checks import MESSAGES, STATE, STREAM, Tried, meltano, what_is_known, writes
from pair_of_plugins import Shop

CONFIG_TEST = ("target-zoho-crm", "config", "test")

SETTINGS: dict[str, dict[str, Any]] = {
    "as they come": {},
    "jobs only": {"channel": "bulk_write"},
    "a column for the name": {"fields": {"Customer_Name": "name"}},
    "settings of its own": {"streams": {STREAM: {"module": "Orders"}}},
    "another name by stream map": {"stream_maps": {STREAM: {"__alias__": "orders"}}},
    "a stream made of it": {"stream_maps": {"orders": {"__source__": STREAM}}},
    "keys by hash": {"on_missing_key": "hash"},
    "a run that lasts": {"max_age_seconds": 1},
    "insert": {"operation": "insert"},
    "no ledger named": {"ack_url": None},
}


@pytest.fixture
def shop_with_order_1(shop: Shop) -> Shop:
    """A real order 1 is in the CRM, and its ack says so."""
    shop.insert(["1", "2"])
    assert shop.run().summary["synced"] == 2
    return shop


@pytest.mark.parametrize("settings", SETTINGS.values(), ids=SETTINGS)
def test_the_test_stream_is_never_written(shop_with_order_1: Shop, settings: dict[str, Any]) -> None:
    shop = shop_with_order_1
    known, written = what_is_known(shop), writes(shop)
    shop.target_config = settings
    tested = shop.take(MESSAGES)
    assert tested.code == 0, tested.err
    output = (tested.out + tested.err).lower()
    assert "error" not in output
    assert "exception" not in output
    assert json.loads(tested.out.splitlines()[-1]) == STATE
    assert what_is_known(shop) == known
    assert writes(shop) == written
    assert "is never written" in tested.err
    shop.assert_all_synced()


def test_nothing_is_made_where_there_is_no_ledger_yet(shop: Shop, tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.sqlite"
    shop.target_config = {"ack_url": f"sqlite:///{ledger}"}
    assert shop.take(MESSAGES).code == 0
    assert not ledger.exists()
    assert sum(writes(shop).values()) == 0


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"refresh_token": "1000.wrong"}, "invalid_code"),
        ({"module": "Ordesr"}, "has no module Ordesr"),
        ({"streams": {"orders": {"module": "Ordesr"}}}, "has no module Ordesr"),
        ({"key_field": "parent_di"}, "parent_di"),
        ({"key_field": "Customer_Name"}, "is not unique"),
        ({"ack_url": "postgresql://nobody:wrong@127.0.0.1:1/none"}, "ledger"),
    ],
    ids=["token", "module", "module of a stream", "key field", "key field not unique", "ledger"],
)
def test_what_does_not_work_is_named_in_one_line(shop: Shop, settings: dict[str, Any], named: str) -> None:
    shop.target_config = settings
    tested = shop.take(MESSAGES)
    assert tested.code in {1, 2}
    assert len(tested.errors) == 1, tested.err
    assert named in tested.errors[0]
    assert tested.err.splitlines()[-1] == tested.errors[0]
    assert "Traceback" not in tested.err
    assert sum(writes(shop).values()) == 0


def test_a_stream_map_cannot_give_orders_the_name_of_the_test_stream(shop: Shop) -> None:
    """They would be passed over, and called synced by nobody: so the run ends and says why."""
    shop.insert(["1"])
    shop.target_config = {"stream_maps": {"orders": {"__alias__": STREAM}}}
    refused = shop.run()
    assert refused.code == 1
    assert "is never written" in refused.errors[-1]
    assert shop.crm() == {}


def assert_well(tried: Tried) -> None:
    # Meltano 4.4 takes a set-up for valid where the target ended well; then it may end with a ProcessLookupError of its
    # own, since it terminates a process that has ended. So its exit code says nothing.
    assert (tried.code, tried.verdict) == (0, "valid")
    assert "error" not in tried.said.lower()
    assert "exception" not in tried.said.lower()


def test_meltano_config_test_takes_the_set_up_for_valid(shop_with_order_1: Shop, tmp_path: Path) -> None:
    shop = shop_with_order_1
    known, written = what_is_known(shop), writes(shop)
    assert_well(meltano(shop, tmp_path / "try", *CONFIG_TEST))
    assert what_is_known(shop) == known
    assert writes(shop) == written


@pytest.mark.nightly
def test_meltano_config_test_does_so_twenty_times(
    shop_with_order_1: Shop, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    shop = shop_with_order_1
    known, written = what_is_known(shop), writes(shop)
    tries = [meltano(shop, tmp_path / f"try-{number}", *CONFIG_TEST) for number in range(20)]
    for tried in tries:
        assert_well(tried)
    assert what_is_known(shop) == known
    assert writes(shop) == written
    verdicts = Counter((each.verdict, each.meltano_code, each.by_process_lookup) for each in tries)
    record_property("verdicts of Meltano (its word, its exit code, whether by ProcessLookupError)", repr(verdicts))


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        pytest.param({"refresh_token": "1000.wrong"}, "invalid_code", id="token"),
        pytest.param({"module": "Ordesr"}, "Ordesr", id="module", marks=pytest.mark.nightly),
    ],
)
def test_meltano_config_test_names_what_does_not_work_in_one_line(
    shop: Shop, tmp_path: Path, settings: dict[str, str], named: str
) -> None:
    shop.target_config = settings
    tried = meltano(shop, tmp_path / "try", *CONFIG_TEST)
    assert tried.code == 2
    assert tried.verdict != "valid"
    (error,) = tried.errors
    assert named in error
    assert tried.said.splitlines()[-1] == error
    assert "Traceback" not in tried.said
    assert sum(writes(shop).values()) == 0
