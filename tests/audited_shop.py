"""A shop whose CRM, table and ledger differ in known ways: differences of eight kinds, each told apart."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from click.testing import CliRunner, Result
from emulator_client import Client
from pair_of_plugins import ORDERS, Shop

from orders_sync.cli import main
from sync_databases.chunks import chunks_of
from sync_ledger.ledger import Ledger

CLERK = "4876876000000000302"
"""A user of the emulator's who is not the token's."""

FULL_WIDTH = str.maketrans("SO0123456789", "\uff33\uff2f\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19")
"""What we take for the same key, and the emulator's unique field does not."""


def orders_in(shop: Shop, keys: Sequence[str], statement: Any) -> None:
    """Change or delete these orders in the table."""
    with shop.engine.begin() as connection:
        for some in chunks_of(keys, 500):
            connection.execute(statement.where(ORDERS.c.order_id.in_(some)))


def change_acks(shop: Shop, keys: Collection[str], **values: Any) -> None:
    """Change acks, or delete them where there is nothing to set."""
    ledger = Ledger.open(shop.ack_url)
    ack = ledger.tables.ack
    with ledger.begin() as connection:
        for some in chunks_of(keys, 500):
            statement: Any = sa.update(ack).values(values) if values else sa.delete(ack)
            connection.execute(statement.where(ack.c.record_key.in_(some)))
    ledger.close()


def delete_records(shop: Shop, keys: Collection[str]) -> None:
    """Delete orders' records in the CRM, as a person does."""
    wanted, client = set(keys), Client(shop.emulator)
    ids = [each["id"] for each in shop.emulator.admin.records("Orders") if each["parent_id"] in wanted]
    assert len(ids) == len(wanted)
    for some in chunks_of(ids, 100):
        answer = client.delete(f"/crm/v8/Orders?ids={','.join(some)}")
        assert {each["code"] for each in answer.json()["data"]} == {"SUCCESS"}


def edit(shop: Shop, keys: Sequence[str], user: str | None = CLERK, **values: Any) -> None:
    """Change orders' records in the CRM: as a person does, or without `user` as the token's own."""
    shop.emulator.admin.put_records("Orders", [{"parent_id": key, **values} for key in keys], user=user)


def synced(shop: Shop, count: int) -> list[str]:
    """So many orders, in the CRM; and a later one, so that no window reaches back to them."""
    keys = [f"SO-{number:06d}" for number in range(count)]
    shop.tap_config = {"lookback_seconds": 0}
    for some in chunks_of(keys, 10_000):
        shop.insert(some)
    shop.ticks += 10_000_000
    shop.insert(["LAST"])
    ended = shop.run()
    assert ended.code == 0, ended.err
    return keys


def plant(shop: Shop, keys: Sequence[str], each: int) -> dict[str, set[str]]:
    """Plant so many differences of each of the eight kinds; by kind, the keys that are to be found."""
    parts = [list(keys[start : start + each]) for start in range(0, 8 * each, each)]
    missing, without, doubled, older, by_people, differs, unknown, acked = parts
    half, wrong = acked[: each // 2], acked[each // 2 :]
    delete_records(shop, [*missing, *half])
    orders_in(shop, [*without, *half], sa.delete(ORDERS))
    edit(shop, [key.translate(FULL_WIDTH) for key in doubled], None, Status="New")
    # Dated back, so that no run comes upon it.
    orders_in(shop, older[: each // 2], sa.update(ORDERS).values(updated_at=datetime(2025, 12, 31, 8)))  # noqa: DTZ001
    edit(shop, older[each // 2 :], None, Updated_At="2020-01-01T00:00:00+00:00")
    edit(shop, by_people, Status="Returned", Total_Amount=1.5)
    edit(shop, differs, None, Notes="as nobody wrote it")
    change_acks(shop, unknown)
    change_acks(shop, wrong, zoho_id="1")
    names = ("missing_in_crm", "missing_in_database", "doubled", "older_version", "edited_by_people", "differs")
    return dict(zip((*names, "unknown_to_ledger", "ack_without_record"), map(set, parts), strict=True))


def ask(shop: Shop, *options: str) -> Result:
    """Run the command."""
    tap, target = shop.configs()
    return CliRunner().invoke(main, ["audit", "--tap-config", str(tap), "--target-config", str(target), *options])


def audit(shop: Shop, *options: str) -> Any:
    """What an audit says, as JSON."""
    result = ask(shop, "--json", *options)
    assert result.exit_code in {0, 1}, result.output
    assert result.stdout, (result.stderr, result.exc_info)
    document = json.loads(result.stdout)
    assert document["equal"] == (result.exit_code == 0)
    return document


def kinds(document: Any) -> dict[str, set[str]]:
    """The keys of the findings by kind."""
    found: dict[str, set[str]] = {}
    for finding in document["findings"]:
        found.setdefault(finding["kind"], set()).add(finding["key"])
    return found


def credits_spent(shop: Shop) -> int:
    """What the emulator has charged so far."""
    return sum(shop.emulator.admin.stats()["credits"]["by_kind"].values())
