"""A small legacy shop, and what a test does to it: change orders, write acks, run the tap."""

from __future__ import annotations

import io
import json
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from typing import Any

import sqlalchemy as sa
from ledger_runs import run_row

from sync_ledger.ledger import Ledger
from sync_ledger.retry_schedules import DUE_ORDERS
from sync_ledger.state_contract import StateMark, mark_of, stamped, streams_of_ours
from sync_ledger.tables import AckStatus
from tap_legacy_orders.tap import TapLegacyOrders

START = datetime(2024, 3, 1, 12)  # noqa: DTZ001 - the shop's clock has no zone
LONG_AGO = datetime(2020, 1, 1)  # noqa: DTZ001 - the ledger's moments are naive UTC
FAR_OFF = datetime.now(timezone.utc).replace(tzinfo=None) + timedelta(seconds=DUE_ORDERS.longest_pause)
"""As far ahead as a next attempt may be."""


@dataclass
class Output:
    """What one run of the tap wrote."""

    messages: list[dict[str, Any]]
    records: list[dict[str, Any]] = field(init=False)
    states: list[dict[str, Any]] = field(init=False)

    def __post_init__(self) -> None:
        self.records = [m["record"] for m in self.messages if m["type"] == "RECORD"]
        self.states = [m["value"] for m in self.messages if m["type"] == "STATE"]

    @property
    def keys(self) -> list[str]:
        return [record["_sync_key"] for record in self.records]

    @property
    def versions(self) -> dict[str, str]:
        return {record["_sync_key"]: record["_sync_version"] for record in self.records}

    @property
    def state(self) -> dict[str, Any]:
        return self.states[-1]

    def bookmark(self, stream: str = "orders") -> str | None:
        value: str | None = self.state["bookmarks"][stream].get("replication_key_value")
        return value


def let_out(config: Mapping[str, Any], state: Mapping[str, Any]) -> Mapping[str, Any]:
    """STATE of the tap as the target lets it out: with a run of the ledger, if that is there."""
    ledger = Ledger.open(config.get("ack_url") or config["sqlalchemy_url"], config.get("ack_schema"))
    try:
        if ledger.tables.run.name in ledger.missing_tables():
            return state
        for stream in streams_of_ours(state):
            mark = mark_of(state["bookmarks"][stream])
            if mark is not None and mark.run_id is None:
                state = stamped(state, stream, StateMark(mark.ledger_id, _run_of(ledger, stream)), mark.ledger_id)
    finally:
        ledger.close()
    return state


def _run_of(ledger: Ledger, stream: str) -> str:
    """A run of the target that is over."""
    identity = uuid.uuid4().hex
    row = run_row(identity, LONG_AGO, LONG_AGO, stream=stream, how_ended="finished", settlements=0)
    ledger.transact(lambda connection: connection.execute(sa.insert(ledger.tables.run), row))
    return identity


def run(config: Mapping[str, Any], state: dict[str, Any] | None = None, **options: Any) -> Output:
    """Run the tap in this process and read its messages."""
    out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    with redirect_stdout(out):
        tap = TapLegacyOrders(
            config=dict(config), state=json.loads(json.dumps(let_out(config, state or {}))), **options
        )
        tap.sync_all()
        tap.engine.dispose()
    out.seek(0)
    return Output([json.loads(line) for line in out])


class Shop:
    """Orders in table `orders` (id, name, updated_at), and their ledger."""

    def __init__(self, url: str, ack_url: str | None = None) -> None:
        self.url = url
        self.engine = sa.create_engine(url)
        self.ledger = Ledger.open(ack_url or url)
        self.ledger.ensure_tables()
        self.config: dict[str, Any] = {"sqlalchemy_url": url, "orders_table": "orders"}
        if ack_url:
            self.config["ack_url"] = ack_url

    @classmethod
    @contextmanager
    def opened(cls, url: str, ack_url: str | None = None) -> Iterator[Shop]:
        shop = cls(url, ack_url)
        kind = {"mysql": "DATETIME(6)", "postgresql": "TIMESTAMP"}.get(shop.engine.dialect.name, "DATETIME")
        shop.sql(f"CREATE TABLE orders (id INTEGER PRIMARY KEY, name VARCHAR(50), updated_at {kind} NULL)")
        try:
            yield shop
        finally:
            shop.engine.dispose()
            shop.ledger.close()

    def sql(self, statement: str, *rows: Mapping[str, Any]) -> None:
        with self.engine.begin() as connection:
            connection.execute(sa.text(statement), list(rows) or None)

    def moment(self, seconds: float | None) -> str | None:
        """A moment so many seconds after the shop opened, as the shop writes it."""
        return None if seconds is None else (START + timedelta(seconds=seconds)).isoformat(" ")

    def put(self, *orders: tuple[int, float | None]) -> None:
        """Insert orders (id, seconds) or change them."""
        for number, seconds in orders:
            self.sql("DELETE FROM orders WHERE id = :i", {"i": number})
            row = {"i": number, "n": f"order {number} at {seconds}", "u": self.moment(seconds)}
            self.sql("INSERT INTO orders (id, name, updated_at) VALUES (:i, :n, :u)", row)

    def put_at(self, number: int, moment: datetime) -> None:
        row = {"i": number, "u": moment.isoformat(" ", timespec="microseconds")}
        self.sql("INSERT INTO orders VALUES (:i, 'dated', :u)", row)

    def wait_for_the_next_second(self) -> None:
        """Where moments are texts of whole seconds (SQLite), what changed in this one is read in the next at last."""
        if self.engine.dialect.name != "sqlite":
            return
        with self.engine.connect() as connection:
            now = "SELECT strftime('%s', 'now')"
            began = connection.exec_driver_sql(now).scalar_one()
            while connection.exec_driver_sql(now).scalar_one() == began:
                time.sleep(0.01)

    def ack(
        self,
        key: str,
        version: str,
        status: AckStatus = AckStatus.SYNCED,
        due: datetime | None = None,
        stream: str = "orders",
        job_id: str | None = None,
    ) -> None:
        """Write what the target would."""
        self._write([(key, version)], status, due, stream, job_id)

    def ack_all(self, output: Output, status: AckStatus = AckStatus.SYNCED) -> None:
        self._write(list(output.versions.items()), status, None, "orders", None)

    def _write(
        self, acks: list[tuple[str, str]], status: AckStatus, due: datetime | None, stream: str, job_id: str | None
    ) -> None:
        table = self.ledger.tables.ack
        common = {
            "stream": stream,
            "status": status.value,
            "next_attempt_at": due,
            "job_id": job_id,
            "attempts": 1,
            "content_form": "none",  # with no content: the order was settled when it was read
            "acked_at": LONG_AGO,
        }
        with self.ledger.begin() as connection:
            keys = [key for key, _ in acks]
            connection.execute(sa.delete(table).where(table.c.stream == stream, table.c.record_key.in_(keys)))
            rows = [common | {"record_key": key, "version": version} for key, version in acks]
            if rows:
                connection.execute(sa.insert(table), rows)

    def run(self, state: dict[str, Any] | None = None, **config: Any) -> Output:
        return run(self.config | config, state)
