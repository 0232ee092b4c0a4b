"""A MariaDB that takes no statement above 256 KiB: ours stay below, or the line names its setting."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from own_servers import OwnMariaDB, server_binary
from pair_of_plugins import Shop

from sync_processes.exit_codes import ExitCode

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

LONG_KEYS = [f"{number:04}-" + "ä" * 35 for number in range(3_000)]
"""Of 75 bytes, so that those of a page take 225 KiB and more with what stands around them."""


@pytest.fixture
def shop(zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    if server_binary() is None:
        pytest.skip("there is no MariaDB to start")
    server = OwnMariaDB()
    server.start_command = [*server.start_command, "--max-allowed-packet=262144"]
    server.create()
    try:
        engine = sa.create_engine(server.url)
        with engine.begin() as connection:
            connection.exec_driver_sql("CREATE DATABASE shop CHARACTER SET utf8mb4")
        engine.dispose()
        shop = Shop(server.url.set(database="shop").render_as_string(hide_password=False), zoho_emulator, tmp_path)
        yield shop
        shop.engine.dispose()
    finally:
        server.remove()


@pytest.mark.nightly
def test_many_orders_with_long_keys_arrive_and_what_no_packet_holds_names_the_setting(shop: Shop) -> None:
    for start in range(0, len(LONG_KEYS), 500):
        shop.insert(LONG_KEYS[start : start + 500])
    shop.target_config |= {"channel": "upsert"}
    shop.tap_config["ack_url"] = f"{shop.url}&connect_timeout=60"  # another URL: acks are looked up by their keys
    ended = shop.run()
    assert (ended.code, ended.summary["synced"]) == (ExitCode.OK, 3_000), ended.err
    assert shop.run().summary["read"] == 0
    letters = random.Random(7)  # noqa: S311 - made-up orders, whose keys cannot be packed
    keys = ["".join(letters.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=40)) for _ in range(12_000)]
    for start in range(0, len(keys), 500):
        shop.insert(keys[start : start + 500])
    shop.target_config |= {"channel": "bulk_write"}
    ended = shop.run()
    assert ended.code == ExitCode.FAILED
    assert "closes the connection at a statement above 256 KiB: set its `max_allowed_packet` to 16M" in ended.errors[-1]
