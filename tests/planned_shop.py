"""A shop whose orders are planned, and applied by the command in a process of its own."""

from __future__ import annotations

import json
from typing import Any

import forked
from audited_shop import orders_in
from pair_of_plugins import ORDERS, TESTS, Finished, Shop, finish, start


def files_of(shop: Shop) -> list[str]:
    tap, target = shop.configs()
    return ["--tap-config", str(tap), "--target-config", str(target)]


def plan(shop: Shop, *options: str) -> dict[str, Any]:
    """Save a plan; what the command says of it."""
    command = ["plan", *files_of(shop), "--save", "--json", *options]
    ended = finish(start(forked.command("orders-sync", command)))
    assert ended.code == 0, ended.err
    return dict(json.loads(ended.out))


def apply(shop: Shop, plan_id: str, *options: str, kill_at: str | None = None) -> Finished:
    command = ["apply", plan_id, *files_of(shop), *options]
    if kill_at is not None:
        return finish(start(forked.command(TESTS / "push_killed_at.py", [kill_at, *command])))
    return finish(start(forked.command("orders-sync", command)))


def counts(ended: Finished) -> dict[str, int]:
    """What became of the orders of a plan, without what none became."""
    found = json.loads(ended.out)["counts"]
    return {name: count for name, count in found.items() if count}


def delete(shop: Shop, keys: list[str]) -> None:
    orders_in(shop, keys, ORDERS.delete())
