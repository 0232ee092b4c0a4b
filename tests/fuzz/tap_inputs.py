"""STATE, config and catalog of the tap, on a small SQLite shop."""

from __future__ import annotations

import io
import json
import logging
import os
import sqlite3
import tempfile
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any
from unittest import mock

from fuzz.choices import NUMBERS, Choices, Number, json_text
from singer_sdk.exceptions import ConfigValidationError

from sync_ledger.ledger import Ledger
from tap_legacy_orders.tap import TapLegacyOrders
from tap_legacy_orders.tap_errors import TapConfigError, TapSyncError

MOMENTS = [f"2024-03-01 12:00:0{second}" for second in range(6)]
BOOKMARKS = (
    *MOMENTS, "2024-03-01T12:00:03", "2024-03-01", "", "x", "9999-12-31 23:59:59", "0000-00-00", "-1", "1e999", "\0",
    "2024-02-30 00:00:00", "2024-03-01 12:00:03'; DROP TABLE orders; --", "٢٠٢٤-٠٣-٠١", "2024-03-01 12:00:03+99:99",
)  # fmt: skip
NAMES = (
    "id",
    "name",
    "updated_at",
    "amount",
    "orders",
    "main.orders",
    "nosuch",
    "",
    ".",
    'a"b',
    "a;b",
    "o r",
    "\0",
    "%s",
)
SETTINGS = (
    "orders_table", "stream_name", "key_column", "replication_key", "version_column", "columns", "lines", "ack_schema",
    "page_size", "lookback_seconds", "settle_seconds", "timezone", "find_deleted", "sqlalchemy_url", "ack_url",
)  # fmt: skip
URLS = (
    "sqlite://",
    "sqlite:///nosuch.db",
    "sqlite:////nosuch/x.db",
    "nosuch://x",
    "",
    "x",
    "://",
    "sqlite:///\0",
    "sqlite:///.",
)
LOOKBACK = 2


def run_one(data: bytes) -> None:
    choices = Choices(data)
    config: dict[str, Any] = {
        "sqlalchemy_url": f"sqlite:///{_shop()}",
        "ack_url": "sqlite:///ledger.sqlite",
        "orders_table": "orders",
        "lookback_seconds": LOOKBACK,
    }
    changed = choices.one_in(2)
    for _ in range(1 + choices.number(1) if changed else 0):
        name = choices.pick(SETTINGS)
        config[name] = _setting(choices, name)
    state = _state(choices)
    text = complaint = None
    try:
        text = _run(_as_json(config), _as_json(state), choices)
    except (TapConfigError, TapSyncError, ConfigValidationError) as error:
        complaint = str(error)
    if text is None:
        assert complaint
        return
    messages = [json.loads(line) for line in text.split("\n") if line]
    keys = [message["record"]["_sync_key"] for message in messages if message["type"] == "RECORD"]
    if not changed:
        assert len(keys) == len(set(keys))
        assert set(keys) >= _surely_due(_as_json(state))


def _as_json(value: Any) -> Any:
    """As the command line would read it from a file."""
    try:
        return json.loads(json_text(value))
    except ValueError:
        return {}


def _setting(choices: Choices, name: str) -> Any:
    if name.endswith("_url"):
        return choices.pick(URLS)
    kind = choices.number(5)
    if kind < 3:
        return choices.pick(NAMES)
    if kind == 3:
        return [choices.pick(NAMES) for _ in range(choices.number(3))]
    if kind == 4:
        return Number(choices.pick(NUMBERS))
    if name == "lines" and choices.one_in(2):
        return {choices.pick(("table", "parent_key", "key_column", "columns", "name")): choices.pick(NAMES)}
    return choices.json(2)


def _state(choices: Choices) -> Any:
    if choices.one_in(6):
        return choices.json()
    own: Any = {
        "replication_key": choices.pick(("updated_at", "updated_at", "updated_at", "nosuch", "id", 1, None)),
        "replication_key_value": choices.pick(BOOKMARKS) if not choices.one_in(4) else choices.json(1),
    }
    own["ledger"] = {"id": _ledger_id()} if not choices.one_in(4) else choices.json(2)
    if choices.one_in(8):
        own[
            choices.pick(
                ("filter", "compared_at", "progress_markers", "replication_key_signpost", "starting_replication_value")
            )
        ] = choices.json(2)
    streams = {"orders": own if not choices.one_in(10) else choices.json(1)}
    return {"bookmarks": streams if not choices.one_in(10) else choices.json(1)}


def _surely_due(state: Any) -> set[str]:
    """The orders that a run must send: with the bookmark of a moment those after it, without one all."""
    own = state.get("bookmarks") if isinstance(state, dict) else None
    own = own.get("orders") if isinstance(own, dict) else None
    own = own if isinstance(own, dict) else {}
    value = own.get("replication_key_value")
    if value is None or own.get("replication_key") not in {None, "updated_at"}:
        return {str(number) for number in range(6)}
    return {str(number) for number, moment in enumerate(MOMENTS) if value in MOMENTS and moment >= value}


def _run(config: dict[str, Any], state: Any, choices: Choices) -> str:
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8", newline="")
    catalog = None
    if choices.one_in(8):
        catalog = _as_json({"streams": choices.json() if choices.one_in(2) else [_entry(choices)]})
    tap = None
    try:
        with redirect_stdout(out), mock.patch("time.sleep"):  # what fails here does not pass by waiting
            tap = TapLegacyOrders(config=config, state=state, catalog=catalog)
            tap.sync_all()
    finally:
        if tap is not None and "engine" in vars(tap):
            tap.engine.dispose()
    out.seek(0)
    return out.read()


def _entry(choices: Choices) -> Any:
    schema = {"properties": {choices.pick(NAMES): choices.json(1) for _ in range(choices.number(3))}}
    entry = {"tap_stream_id": "orders", "stream": "orders", "schema": schema, "metadata": choices.json(2)}
    if choices.one_in(3):
        entry[choices.pick(("tap_stream_id", "schema", "metadata", "replication_key", "key_properties"))] = (
            choices.json(1)
        )
    return entry


@cache
def _ledger_id() -> str:
    _shop()
    ledger = Ledger.open("sqlite:///ledger.sqlite")
    ledger.ensure_tables()
    return ledger.ledger_id


@cache
def _shop() -> Path:
    """Six orders; the process moves to a folder of its own, where a relative path does no harm."""
    logging.disable(logging.CRITICAL)
    folder = Path(tempfile.mkdtemp(prefix=f"fuzz-{os.getpid()}-"))
    os.chdir(folder)
    path = folder / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, amount NUMERIC, updated_at DATETIME)"
        )
        rows = [(number, f"order {number}", 1.5, moment) for number, moment in enumerate(MOMENTS)]
        connection.executemany("INSERT INTO orders VALUES (?, ?, ?, ?)", rows)
    return path
