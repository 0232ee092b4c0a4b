"""A tap that dies amid its orders is not taken for one that had no more: the target says so, and keeps what it has."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from following_pair import FOLLOW, following, until
from pair_of_plugins import Finished, Shop

from sync_ledger.ledger import Ledger

CUT = "stream 'orders': the tap did not finish"
BATCHES = {"encoding": {"format": "jsonl", "compression": "gzip"}}

ACCOUNT = {"customer_name": "Account_Name"}

WAYS: dict[str, dict[str, Any]] = {
    "blocks": {},
    "record by record": {"stream_maps": {"orders": {"notes": "None"}}},
    "another stream name": {"stream_maps": {"orders": {"__alias__": "sales"}}},
    "a partition": {"partition": {"index": 1, "of": 1}},
    "files": {"batch_config": BATCHES},
}
"""Ways of the tap to send its orders, by its settings."""


def tapped(shop: Shop, config: dict[str, Any], folder: Path) -> list[str]:
    """The tap's messages, a line each."""
    if "batch_config" in config:
        config = {"batch_config": {**BATCHES, "storage": {"root": folder.as_uri()}}}
    shop.tap_config = {"page_size": 2, **config}
    ended = shop.tap()
    assert ended.code == 0, ended.err
    return ended.out.splitlines(keepends=True)


def kinds(lines: list[str]) -> list[str]:
    return [json.loads(line)["type"] for line in lines]


def last_run(shop: Shop) -> str:
    return str(of_last_run(shop).how_ended)


def of_last_run(shop: Shop) -> Any:
    ledger = Ledger.open(shop.ack_url)
    run = ledger.tables.run
    with ledger.connect() as connection:
        found = connection.execute(sa.select(run).order_by(run.c.started_at.desc())).first()
    ledger.close()
    return found


def assert_cut_short(ended: Finished) -> None:
    assert ended.code == 1, ended.err
    (line,) = ended.errors
    assert CUT in line
    assert "its log says why" in line


CUTS: dict[str, Callable[[list[str]], int]] = {
    "after SCHEMA": lambda lines: kinds(lines).index("SCHEMA") + 1,
    "amid the orders": lambda lines: kinds(lines).index("STATE") + 1,
    "before the last STATE": lambda lines: len(lines) - 1,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("cut", CUTS)
def test_the_target_keeps_what_came_and_does_not_call_the_run_finished(
    shop: Shop, way: str, cut: str, tmp_path: Path
) -> None:
    shop.target_config = {"streams": {"sales": {"module": "Orders"}}}
    shop.insert(f"SO-{number}" for number in range(5))
    lines = tapped(shop, WAYS[way], tmp_path)
    part = lines[: CUTS[cut](lines)]
    ended = shop.take("".join(part))
    assert_cut_short(ended)
    assert ended.summary["read"] == ended.summary["synced"] == len(shop.crm())
    assert len(shop.crm()) == {"after SCHEMA": 0, "amid the orders": 2}.get(cut, 5)
    assert last_run(shop) == "failed"
    shop.keep_state(ended)
    assert '"end"' not in ended.out

    whole = shop.take("".join(tapped(shop, WAYS[way], tmp_path)))
    assert (whole.code, len(shop.crm()), last_run(shop)) == (0, 5, "finished"), whole.err
    assert '"end"' not in whole.out


def test_the_ledger_says_that_the_tap_did_not_finish_besides_what_else_is_wrong(shop: Shop, tmp_path: Path) -> None:
    shop.target_config = {"on_rejection": "fail"}
    shop.insert(["SO-bad"], status="odd")
    lines = tapped(shop, {}, tmp_path)
    assert shop.take("".join(lines[:-1])).code == 1
    why = of_last_run(shop).error
    assert CUT in why
    assert "1 orders were refused" in why


def test_a_tap_that_goes_on_from_a_state_and_dies_before_its_schema(shop: Shop) -> None:
    shop.insert(["SO-1"])
    assert shop.run().code == 0
    first = shop.tap().out.splitlines(keepends=True)[0]
    assert json.loads(first)["type"] == "STATE"
    assert_cut_short(shop.take(first))


def test_a_run_without_an_order_has_an_end_too(shop: Shop) -> None:
    assert shop.run().code == 0
    shop.insert(["SO-1"])
    assert shop.run().summary["synced"] == 1
    assert shop.run().summary["read"] == 0


def test_state_of_another_target_has_the_mark_and_the_next_run_does_not_end_by_it(shop: Shop) -> None:
    shop.insert([f"SO-{number}" for number in range(4)])
    lines = tapped(shop, {}, shop.folder)
    state = json.loads(lines[-1])["value"]
    assert state["bookmarks"]["orders"]["end"] is True
    shop.take("".join(lines))
    shop.state.write_text(json.dumps(state))
    shop.insert([f"NEW-{number}" for number in range(4)])
    lines = tapped(shop, {}, shop.folder)
    assert kinds(lines)[:2] == ["STATE", "SCHEMA"]
    assert_cut_short(shop.take("".join(lines[:-1])))
    assert len(shop.crm()) == 8


def test_of_two_taps_in_one_input_each_must_come_to_its_end(shop: Shop) -> None:
    shop.target_config = {"streams": {"sales": {"module": "Accounts", "key_field": "Legacy_Id", "fields": ACCOUNT}}}
    shop.insert(["SO-1"])
    first = tapped(shop, {}, shop.folder)
    second = tapped(shop, {"stream_name": "sales"}, shop.folder)
    ended = shop.take("".join([*first[:-1], *second]))
    assert_cut_short(ended)


def test_a_tap_that_is_not_ours_says_nothing_of_its_end(shop: Shop) -> None:
    schema = {"properties": {"id": {"type": "string"}}}
    messages = [
        {"type": "SCHEMA", "stream": "orders", "schema": schema, "key_properties": ["id"]},
        {"type": "RECORD", "stream": "orders", "record": {"id": "X-1"}},
        {"type": "STATE", "value": {"bookmarks": {"orders": {"end": True}}}},
    ]
    for count in (2, 3):
        ended = shop.take("".join(json.dumps(each) + "\n" for each in messages[:count]))
        assert ended.code == 0, ended.err
    assert json.loads(ended.out) == messages[2]["value"]


def test_contents_are_compared_since_a_run_that_was_not_cut_short(shop: Shop) -> None:
    """Without STATE a run compares contents from the start of the last one that came to its end."""
    changed = datetime.now(timezone.utc).replace(tzinfo=None, microsecond=0) - timedelta(minutes=30)
    shop.tap_config = {"lookback_seconds": 0}
    shop.insert(["SO-1"], updated_at=changed, notes="first")
    assert shop.run().code == 0
    began(shop, timedelta(minutes=40))
    shop.change(["SO-1"], updated_at=changed, notes="second")
    shop.state.unlink()
    lines = shop.tap().out.splitlines(keepends=True)
    assert_cut_short(shop.take(lines[0]))
    began(shop, timedelta(minutes=20))
    shop.insert(["SO-2"], updated_at=changed + timedelta(minutes=29))
    shop.state.unlink(missing_ok=True)
    assert shop.run().code == 0
    assert shop.crm()["SO-1"]["Notes"] == "second"


def began(shop: Shop, ago: timedelta) -> None:
    """Let the last run have begun so long ago."""
    ledger = Ledger.open(shop.ack_url)
    run = ledger.tables.run
    with ledger.begin() as connection:
        last = connection.execute(sa.select(run.c.run_id).order_by(run.c.started_at.desc())).scalars().first()
        at = ledger.now(connection) - ago
        connection.execute(sa.update(run).where(run.c.run_id == last).values(started_at=at))
    ledger.close()


def test_a_following_tap_that_dies_is_no_stop(shop: Shop) -> None:
    shop.tap_config, shop.target_config = dict(FOLLOW), {"max_age_seconds": 0.2}
    shop.insert(["SO-1"])
    with following(shop) as pair:
        until(lambda: len(shop.crm()) == 1, pair)
        pair.tap.send_signal(signal.SIGKILL)
        pair.target.wait(60)
        assert pair.target.returncode == 1, pair.log
        assert CUT in pair.log
    with following(shop) as pair:
        until(lambda: bool(pair.states), pair)
        assert pair.stop().code == 0
