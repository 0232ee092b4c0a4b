"""A shop whose first run is done, and the refusal of a run with a set-up that its ledger does not speak of."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

from pair_of_plugins import BIN, Finished, Shop, finish, start

EXIT_LOOK = 4
KEYS = [f"SO-{number}" for number in range(6)]


def loaded(shop: Shop) -> Shop:
    """With orders that a first run has written."""
    shop.target_config = {"channel": "upsert"}
    shop.insert(KEYS)
    assert shop.run().code == 0
    shop.assert_all_synced()
    return shop


def assert_refused(shop: Shop, *lines: str, run: Callable[[], Finished] | None = None) -> None:
    """A run ends with a line for each difference, writes nothing to the CRM, and moves no bookmark."""
    credits_before = shop.written_credits()
    state = shop.state.read_text() if shop.state.exists() else ""
    ended = shop.run() if run is None else run()
    assert ended.code == EXIT_LOOK, ended.err
    assert len(ended.errors) == len(lines), ended.errors
    for line, expected in zip(ended.errors, lines, strict=True):
        assert expected in line
    assert {json.dumps(json.loads(line)) for line in ended.out.splitlines()} <= {json.dumps(json.loads(state or "{}"))}
    assert shop.written_credits() == credits_before


def operate(shop: Shop, command: str, *options: str) -> Finished:
    """Run one of the operator's commands on the shop's ledger, with the pair's settings."""
    tap, target = shop.configs()
    configs = [] if command in {"forget", "status"} else ["--tap-config", tap, "--target-config", target]
    where = configs or ["--ack-url", shop.ack_url]
    return finish(start([BIN / "orders-sync", command, *where, *options], stdin=subprocess.DEVNULL))
