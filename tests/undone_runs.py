"""Runs that are undone, in tests: by the command, also one that is killed, and what the CRM holds then."""

from __future__ import annotations

import json
from typing import Any

import forked
import sqlalchemy as sa
from click.testing import CliRunner, Result
from pair_of_plugins import TESTS, Finished, Shop, finish, start

from orders_sync.cli import main
from sync_ledger.ledger import Ledger

UNDO = "orders_sync.undoing"


def last_run(shop: Shop) -> str:
    """The id of the last run that came to its end."""
    ledger = Ledger.open(shop.ack_url)
    run = ledger.tables.run
    with ledger.connect() as connection:
        query = sa.select(run.c.run_id).where(run.c.how_ended == "finished").order_by(run.c.started_at.desc())
        found: str = connection.execute(query.limit(1)).scalar_one()
    ledger.close()
    return found


def rows_of(shop: Shop, name: str) -> list[Any]:
    """The rows of a table of the ledger."""
    ledger = Ledger.open(shop.ack_url)
    with ledger.connect() as connection:
        rows = list(connection.execute(sa.select(getattr(ledger.tables, name))))
    ledger.close()
    return rows


def command(shop: Shop, name: str, *options: str) -> Result:
    _, target = shop.configs()
    return CliRunner().invoke(main, [name, *options, "--target-config", str(target), "--ack-url", shop.ack_url])


def undo(shop: Shop, run: str, *options: str) -> dict[str, Any]:
    """Undo a run; what became of it, as JSON."""
    result = command(shop, "undo", run, "--yes", "--json", *options)
    assert result.exit_code in {0, 1}, result.output
    assert result.stdout, (result.stderr, result.exc_info)
    document: dict[str, Any] = json.loads(result.stdout)
    left = [each for each in document["orders"] if each["outcome"] != "reversed"]
    assert result.exit_code == bool(left)
    assert sum(document["counts"].values()) == len(document["orders"]) == len(outcomes(document))
    return document


def outcomes(document: dict[str, Any]) -> dict[str, str]:
    return {each["key"]: each["outcome"] for each in document["orders"]}


def killed_undo(shop: Shop, run: str, point: str) -> Finished:
    _, target = shop.configs()
    options = ["undo", run, "--yes", "--target-config", target, "--ack-url", shop.ack_url]
    return finish(start(forked.command(TESTS / "push_killed_at.py", [point, *options])))


def contents(shop: Shop) -> dict[str, dict[str, Any]]:
    """The CRM's orders, but for when and by whom they were changed last."""
    return {
        key: {name: value for name, value in record.items() if name not in {"Modified_Time", "Modified_By"}}
        for key, record in shop.crm().items()
    }
