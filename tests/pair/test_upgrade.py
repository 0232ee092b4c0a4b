"""A ledger of version 0.1 is taken over as it is: nothing is sent again by itself, and its open jobs come to an end."""

from __future__ import annotations

import json
import threading
import time
from datetime import datetime
from typing import Any

import early_ledger
import pytest
import sqlalchemy as sa
from click.testing import CliRunner
from pair_of_plugins import Finished, Shop

from orders_sync.cli import main
from sync_ledger.bindings import bindings_of
from sync_ledger.ledger import Ledger

LONGEST_LOCK_SECONDS = {"sqlite": 5.0, "postgresql": 1.0, "mysql": 1.0}
"""A file has one writer, who waits for the disk; building the index takes a third of a second of it."""
BY_THE_JOB = {"2", "3", "4", "6", "13"}
IN_THE_WINDOW = {"11", "12"}
"""Acks without content, a tick before the bookmark: their orders may have changed under the version that they have."""


def early_shop(shop: Shop) -> Shop:
    """The orders, the CRM, the ledger and STATE as version 0.1 left them."""
    early_ledger.make_tables(shop.engine)
    kept = early_ledger.KEPT
    for order in kept["orders"]:
        changed = datetime.fromisoformat(order["updated_at"])
        shop.insert([order["order_id"]], updated_at=changed, notes=order["notes"])
    records = [{"parent_id": record["parent_id"], "Name": record["Name"]} for record in kept["records"]]
    ids = shop.emulator.admin.put_records("Orders", records)
    early_ledger.fill(shop.engine, {record["parent_id"]: new for record, new in zip(kept["records"], ids, strict=True)})
    shop.state.write_text(json.dumps(kept["state"]))
    shop.lease_seconds = 2  # what its dead run left is watched before it is taken over
    return shop


def test_a_ledger_of_version_0_1_binds_itself_and_goes_on_where_it_was(any_shop: Shop) -> None:
    shop = early_shop(any_shop)
    shop.tap_config["lookback_seconds"] = 0
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert "is not used" not in ended.err  # STATE of version 0.1 is believed once
    assert "`meltano config test` of an earlier version wrote over order '1'; it is sent once more" in ended.err
    assert shop.run().code == 0  # the rest of the dead run's job: what Zoho does not know any more is sent again
    acks = shop.acks_of("orders")
    assert {key for key, ack in acks.items() if ack.status != "synced"} == {"5"}
    assert written_keys(shop) == {"1"} | BY_THE_JOB | IN_THE_WINDOW  # and nothing else by itself
    assert shop.acks_of("meltano_test_stream") == {}
    assert shop.run().summary["read"] == 0
    ledger = Ledger.open(shop.url)
    bound = bindings_of(ledger)["orders"]
    ledger.close()
    assert (bound.module, bound.key_field, bound.source_table) == ("Orders", "parent_id", "orders")
    assert bound.org == "60012345678"


def written_keys(shop: Shop) -> set[str]:
    """The orders whose records are not as they were put there: only what was sent has a customer's name."""
    return {key for key, record in shop.crm().items() if record.get("Customer_Name")}


def test_a_state_of_version_0_1_is_believed_by_its_own_ledger_alone(shop: Shop) -> None:
    shop.insert(["A", "B"])
    shop.state.write_text(json.dumps(early_ledger.KEPT["state"]))
    ended = shop.run()
    assert "bookmark is not used: it names no ledger; every order is compared once" in ended.err
    assert ended.summary["synced"] == 2


def two_streams(shop: Shop, keys: set[str]) -> Finished:
    """What becomes of a second stream of version 0.1 on the module, which has these keys of the first one."""
    early_shop(shop)
    with shop.engine.begin() as connection:
        for key in keys:
            connection.exec_driver_sql(
                "INSERT INTO zoho_sync_ack (stream, record_key, version, status, zoho_id, attempts, acked_at) VALUES "
                f"('more', '{key}', 'v', 'synced', '77{key}', 1, '2026-01-01 00:00:00')"
            )
        connection.exec_driver_sql(
            "INSERT INTO zoho_sync_run (run_id, stream, partition_name, lock_name, host, pid, process_space, "
            "started_at, heartbeat_at, finished_at, how_ended) VALUES ('m1', 'more', '1/1', 'm1', 'h', 1, 's', "
            "'2026-01-01 00:00:00', '2026-01-01 00:00:00', '2026-01-01 00:00:00', 'finished')"
        )
    assert shop.run().code == 0
    shop.tap_config = {"stream_name": "more", "filter": "order_id LIKE 'more%'"}
    shop.state.unlink()
    shop.insert(["more-1"])
    return shop.run()


def test_two_streams_of_version_0_1_with_different_keys_go_on_in_one_module(shop: Shop) -> None:
    ended = two_streams(shop, {"x-1", "x-2"})
    assert ended.code == 0, ended.err
    assert ended.summary["synced"] == 1


def test_two_streams_of_version_0_1_with_the_same_keys_are_refused_with_ten_of_them(shop: Shop) -> None:
    ended = two_streams(shop, {"7", "8", "9", "x-1"})
    assert ended.code == 4
    assert len(ended.errors) == 1
    assert "both have orders with these keys: '7', '8', '9'; one record cannot be two orders" in ended.errors[0]


def test_acks_under_an_alias_of_version_0_1_become_those_of_the_stream(shop: Shop) -> None:
    early_shop(shop)
    with shop.engine.begin() as connection:
        for table in ("ack", "job", "run"):
            connection.exec_driver_sql(f"UPDATE zoho_sync_{table} SET stream = 'sales' WHERE stream = 'orders'")
        connection.exec_driver_sql("UPDATE zoho_sync_run SET lock_name = 'sales 1/1' WHERE lock_name = 'orders 1/1'")
    shop.target_config = {"stream_maps": {"orders": {"__alias__": "sales"}}}
    assert shop.run().code == 0
    assert shop.run().code == 0
    assert shop.acks_of("sales") == {}
    assert {key for key, ack in shop.acks_of("orders").items() if ack.status != "synced"} <= {"5", "6"}
    assert shop.run().summary["read"] == 0


@pytest.mark.nightly
def test_a_million_acks_are_taken_over_in_seconds_and_no_statement_waits(any_shop: Shop) -> None:
    shop = any_shop
    early_ledger.make_tables(shop.engine)
    early_ledger.fill(shop.engine)
    early_ledger.fill_many(shop.engine)
    waited, over = longest_wait(shop.engine)
    began = time.monotonic()
    ledger = Ledger.open(shop.url)
    ledger.ensure_tables()
    seconds = time.monotonic() - began
    over.set()
    with ledger.connect() as connection:
        due = connection.execute(
            sa.text("SELECT count(*) FROM zoho_sync_ack WHERE next_attempt_at IS NOT NULL")
        ).scalar()
    ledger.close()
    print(f"{shop.engine.dialect.name}: taken over in {seconds:.2f} s, the longest wait {waited():.2f} s")  # noqa: T201 - the figures
    assert due == 1  # the order that Meltano's test wrote over
    assert seconds < 10
    assert waited() < LONGEST_LOCK_SECONDS[shop.engine.dialect.name]


def longest_wait(engine: sa.Engine) -> tuple[Any, threading.Event]:
    """Write an ack again and again beside; how long the slowest write took, and what ends it."""
    over, slowest = threading.Event(), [0.0]

    def write() -> None:
        while not over.wait(0.02):
            began = time.monotonic()
            with engine.begin() as connection:
                connection.exec_driver_sql(
                    "UPDATE zoho_sync_ack SET attempts = 1 WHERE stream = 'orders' AND record_key = 'K-5'"
                )
            slowest[0] = max(slowest[0], time.monotonic() - began)

    thread = threading.Thread(target=write)
    thread.start()

    def waited() -> float:
        thread.join()
        return slowest[0]

    return waited, over


def test_the_operators_commands_read_it_once_it_is_taken_over(shop: Shop) -> None:
    early_shop(shop)
    assert shop.run().code == 0
    result = CliRunner().invoke(main, ["status", "--ack-url", shop.url])
    assert result.exit_code == 0
    assert "meltano_test_stream" not in result.output
