"""The pair at work: a legacy shop in a real database, both plugins as processes, and the CRM to compare with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import forked
import sqlalchemy as sa

from sync_databases import dialects
from sync_ledger.ledger import Ledger
from target_zoho_crm.config_schema import DEFAULT_KEY_FIELD

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

BIN = Path(sys.executable).parent
TESTS = Path(__file__).parent
PROCESS_SECONDS = 600
"""For hangs alone: a loaded machine is slower, not wrong."""
READER_GONE = "the program that reads this tap's output has ended"
OPENED = datetime(2026, 1, 1, 8)  # noqa: DTZ001 - the legacy column is naive

METADATA = sa.MetaData()
ORDERS = sa.Table(
    "orders",
    METADATA,
    sa.Column("order_id", sa.String(40), primary_key=True),
    sa.Column("customer_name", sa.Unicode(300)),
    sa.Column("status", sa.String(20)),
    sa.Column("total_amount", sa.Numeric(12, 2)),
    sa.Column("order_date", sa.Date),
    sa.Column("is_gift", sa.Boolean),
    sa.Column("notes", sa.UnicodeText),
    sa.Column(
        "updated_at",
        sa.DateTime().with_variant(dialects.mysql.DATETIME(fsp=6), "mysql", "mariadb"),
        nullable=False,
        index=True,
    ),
)
COMPARED = {
    "customer_name": "Customer_Name",
    "status": "Status",
    "total_amount": "Total_Amount",
    "order_date": "Order_Date",
    "is_gift": "Is_Gift",
    "notes": "Notes",
}


@dataclass
class Finished:
    """How a process ended."""

    code: int
    out: str
    err: str

    @property
    def errors(self) -> list[str]:
        """The lines of the log at ERROR, but for the tap's that its reader is gone: whether it finds out is chance."""
        return [line for line in self.err.splitlines() if "| ERROR " in line and READER_GONE not in line]

    @property
    def summary(self) -> Counter[str]:
        """The counts of the target's summary line, by word."""
        line = next(line for line in self.err.splitlines() if ": read " in line)
        read, _, rest = line.partition(": read ")[2].partition(" = ")
        parts = rest.partition(";")[0].partition(" (")[0].split(" + ")
        counts = {word: int(number.replace(",", "")) for number, _, word in (part.partition(" ") for part in parts)}
        return Counter({"read": int(read.replace(",", "")), **counts})


@dataclass
class Shop:
    """A legacy database, a CRM, and the pair between them."""

    url: str
    emulator: EmulatorProcess
    folder: Path
    ack_url: str = ""
    tap_config: dict[str, Any] = field(default_factory=dict)
    target_config: dict[str, Any] = field(default_factory=dict)
    ticks: int = 0
    lease_seconds: float | None = None
    """For how long a silent lease is watched, in place of a minute."""

    def __post_init__(self) -> None:
        self.ack_url = self.ack_url or self.url
        self.engine = sa.create_engine(self.url)
        self.state = self.folder / "state.json"
        METADATA.create_all(self.engine, tables=[ORDERS])

    # The legacy side

    def tick(self) -> datetime:
        """A moment later than all before, and past enough to be settled."""
        self.ticks += 1
        return OPENED + timedelta(milliseconds=self.ticks)

    def insert(self, keys: Iterable[str], **values: Any) -> None:
        rows = [self.order(key, **values) for key in keys]
        with self.engine.begin() as connection:
            connection.execute(sa.insert(ORDERS), rows)

    def order(self, key: str, **values: Any) -> dict[str, Any]:
        number = self.ticks
        return {
            "order_id": key,
            "customer_name": f"Zoë {number}",
            "status": ("New", "Paid", "Shipped")[number % 3],
            "total_amount": Decimal(number % 9_999_999) + Decimal("0.99"),
            "order_date": OPENED.date() + timedelta(days=number % 500),
            "is_gift": number % 2 == 0,
            "notes": None if number % 5 else f'a "quoted", note\nof {number}',
            "updated_at": self.tick(),
            **values,
        }

    def change(self, keys: Sequence[str], **values: Any) -> None:
        with self.engine.begin() as connection:
            for key in keys:
                change = {"updated_at": self.tick(), **values}
                connection.execute(sa.update(ORDERS).where(ORDERS.c.order_id == key).values(change))

    def orders(self) -> dict[str, Any]:
        with self.engine.connect() as connection:
            return {row.order_id: row for row in connection.execute(sa.select(ORDERS))}

    def versions(self, where: str = "1 = 1") -> dict[str, str]:
        """Key and version text of orders, in a session as the database's users have it."""
        text = "CHAR" if self.engine.dialect.name in {"mysql", "mariadb"} else "TEXT"
        with self.engine.connect() as connection:
            query = f"SELECT order_id, CAST(updated_at AS {text}) FROM orders WHERE {where}"
            return {key: version for key, version in connection.exec_driver_sql(query)}  # noqa: C416 - rows are no pairs to mypy

    # The pair

    def configs(self) -> tuple[Path, Path]:
        base = self.emulator.base_url
        tap = {"sqlalchemy_url": self.url, "orders_table": "orders", "ack_url": self.ack_url, **self.tap_config}
        target = {
            "client_id": self.emulator.client_id,
            "client_secret": self.emulator.client_secret,
            "refresh_token": self.emulator.refresh_token,
            **dict.fromkeys(("accounts_url", "api_url", "upload_url"), base),
            "ack_url": self.ack_url,
            "first_contact": "off",
            **self.target_config,
        }
        paths = self.folder / "tap.json", self.folder / "target.json"
        for path, config in zip(paths, (tap, target), strict=True):
            path.write_text(json.dumps({name: value for name, value in config.items() if value is not None}))
        return paths

    def tap(self) -> Finished:
        tap, _ = self.configs()
        state = ["--state", str(self.state)] if self.state.exists() else []
        return finish(start(forked.command("tap-legacy-orders", ["--config", tap, *state])))

    def take(self, messages: str) -> Finished:
        """Run the target alone on these messages."""
        _, target = self.configs()
        given = self.folder / "messages.jsonl"
        given.write_text(messages, encoding="utf-8")
        with given.open("rb") as source:
            return finish(start(forked.command("target-zoho-crm", ["--config", target]), stdin=source))

    def run(self, *, kill_at: str | None = None) -> Finished:
        """One run of the pair; the target's result. With `kill_at` the target kills itself there (see killed_at.py)."""
        tap, target = self.configs()
        state = ["--state", str(self.state)] if self.state.exists() else []
        source = start(self._command("tap-legacy-orders", ["--config", tap, *state]))
        if kill_at:
            command = forked.command(TESTS / "killed_at.py", [kill_at, "--config", target])
        else:
            command = self._command("target-zoho-crm", ["--config", target])
        sink = start(command, stdin=source.stdout)
        assert source.stdout is not None
        source.stdout.close()
        ended = finish(sink)
        assert source.stderr is not None
        log = source.stderr.read()
        source.stderr.close()
        source.wait()
        if ended.code == 0:
            assert source.returncode == 0, log
        self.keep_state(ended)
        ended.err = log + ended.err
        return ended

    def _command(self, program: str, arguments: Sequence[str | Path]) -> list[str]:
        if self.lease_seconds is None:
            return forked.command(program, arguments)
        return forked.command(TESTS / "stopped_at.py", ["nowhere", str(self.lease_seconds), program, *arguments])

    def keep_state(self, ended: Finished) -> None:
        """Keep the last STATE that the target let out, as an orchestrator does."""
        lines = ended.out.splitlines()
        if lines:
            self.state.write_text(lines[-1])

    # What became of it

    def acks(self) -> dict[str, Any]:
        return {row.record_key: row for row in self.rows("ack")}

    def acks_of(self, stream: str) -> dict[str, Any]:
        """The acks of one stream, where the ledger has several."""
        return {row.record_key: row for row in self.rows("ack") if row.stream == stream}

    def jobs(self) -> list[Any]:
        return self.rows("job")

    def rows(self, name: str) -> list[Any]:
        """The rows of one of the ledger's tables; none where no target made it yet."""
        ledger = Ledger.open(self.ack_url)
        table = getattr(ledger.tables, name)
        try:
            if table.name in ledger.missing_tables():
                return []
            with ledger.connect() as connection:
                return list(connection.execute(sa.select(table)))
        finally:
            ledger.close()

    def crm(self) -> dict[str, dict[str, Any]]:
        """The CRM's orders by key; fails where one is there twice."""
        found: dict[str, dict[str, Any]] = {}
        for record in self.emulator.admin.records("Orders"):
            assert record[DEFAULT_KEY_FIELD] not in found, f"{record[DEFAULT_KEY_FIELD]} is in the CRM twice"
            found[record[DEFAULT_KEY_FIELD]] = record
        return found

    def written_credits(self) -> int:
        kinds = self.emulator.admin.stats()["credits"]["by_kind"]
        return sum(spent for kind, spent in kinds.items() if kind not in {"metadata", "coql"})

    def assert_all_synced(self, *, but: Iterable[str] = ()) -> None:
        """Each order is in the CRM once, at its newest version, and its ack says so with the record's id."""
        orders, crm, acks = self.orders(), self.crm(), self.acks()
        expected = set(orders) - set(but)
        assert set(crm) == expected
        for key in expected:
            assert (acks[key].status, acks[key].zoho_id) == ("synced", crm[key]["id"]), key
            assert differences(orders[key], crm[key]) == {}, key
        assert {key for key, ack in acks.items() if ack.status == "synced"} == expected

    def assert_all_synced_but_theirs(self, theirs: Sequence[str]) -> None:
        """As `assert_all_synced`, where the CRM also holds records of these keys that are not ours."""
        orders, crm, acks = self.orders(), self.crm(), self.acks()
        assert set(crm) == set(orders)
        for key in set(orders) - set(theirs):
            assert (acks[key].status, acks[key].zoho_id) == ("synced", crm[key]["id"]), key
            assert differences(orders[key], crm[key]) == {}, key


def differences(order: Any, record: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """Columns in which an order and its CRM record differ."""
    found = {}
    for column, name in COMPARED.items():
        ours, theirs = getattr(order, column), record.get(name)
        if column == "order_date" and ours is not None:
            ours = ours.isoformat()
        if column == "total_amount" and theirs is not None:
            theirs = Decimal(str(theirs))
        if ours != theirs:
            found[column] = (ours, theirs)
    return found


def start(command: Sequence[str | Path], **options: Any) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
    return subprocess.Popen(
        [str(part) for part in command],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        **options,
    )


def finish(process: subprocess.Popen[str]) -> Finished:
    out, err = process.communicate(timeout=PROCESS_SECONDS)
    return Finished(process.returncode, out, err)
