"""What is compared at one size: taps alone on each engine, targets alone, and pairs by pipe and by `meltano run`."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from benchmarks.contenders import Pair, Plugin, by_files, pairs, taps
from benchmarks.orders import make_orders
from benchmarks.processes import BenchmarkError, Processes, Usages
from scripts.servers import postgresql_database
from zoho_crm_emulator.control import EmulatorProcess

GROUPS = {
    "tap-sqlite": "Tap alone on SQLite, into a file",
    "tap-postgresql": "Tap alone on PostgreSQL, into a file",
    "target": "Target alone, from a file",
    "pipe": "Tap and target joined by the shell's pipe",
    "meltano": "Tap and target by `meltano run`",
}


@dataclass(frozen=True)
class Case:
    """One thing to measure, as often as wished: a contender in a group; `measure` gets the number of the round."""

    group: str
    contender: str
    measure: Callable[[int], Usages]


class Bench:
    """The orders of one size, and what is measured with them. Every run gets a database that no other has used."""

    def __init__(self, folder: Path, emulator: EmulatorProcess, rows: int, postgresql: str) -> None:
        """`postgresql` is an empty database on PostgreSQL, where the orders are made too."""
        self._folder = folder / str(rows)
        self._folder.mkdir()
        self._emulator = emulator
        self._processes = Processes(self._folder)
        self._originals = {"sqlite": f"sqlite:///{self._folder / 'orders.sqlite'}", "postgresql": postgresql}
        self.rows = rows
        for url in self._originals.values():
            make_orders(url, rows)

    def cases(self) -> Iterator[Case]:
        """All of them; a tap stands before the target that reads its file."""
        for engine in self._originals:
            for name, tap in taps(engine).items():
                yield Case(f"tap-{engine}", name, self._tap(engine, name, tap))
        by_pipe = pairs(self._emulator)
        everyone = [*by_pipe, by_files(by_pipe[-1], self._folder / "batches")]
        for pair in by_pipe:
            yield Case("target", pair.name, self._target(pair))
        for pair in everyone:
            yield Case("pipe", pair.name, self._pipe(pair))
        for pair in everyone:
            yield Case("meltano", pair.name, self._meltano(pair))

    def _tap(self, engine: str, name: str, tap: Plugin) -> Callable[[int], Usages]:
        def measure(_: int) -> Usages:
            with self._fresh(engine) as url:
                command = self._processes.tap_command(tap, url)
                into = self._written(engine, tap)
                used = self._processes.alone("tap", command, into=into)
            read = _records(into)
            if read != self.rows:
                raise BenchmarkError(f"{name} on {engine}: the tap wrote {read} of {self.rows} records")
            return used

        return measure

    def _target(self, pair: Pair) -> Callable[[int], Usages]:
        def measure(_: int) -> Usages:
            with self._fresh("sqlite") as url:
                source = self._written("sqlite", pair.tap)
                command = self._processes.command("target", pair.target, url)
                used = self._processes.alone("target", command, source=source, into=self._folder / "state.jsonl")
                self._check(pair, url)
            return used

        return measure

    def _pipe(self, pair: Pair) -> Callable[[int], Usages]:
        def measure(_: int) -> Usages:
            with self._fresh("sqlite") as url:
                tap = self._processes.tap_command(pair.tap, url)
                used = self._processes.pipe(tap, self._processes.command("target", pair.target, url))
                self._check(pair, url)
            return used

        return measure

    def _meltano(self, pair: Pair) -> Callable[[int], Usages]:
        def measure(number: int) -> Usages:
            with self._fresh("sqlite") as url:
                project = self._folder / f"meltano {pair.name}".replace(" ", "-").replace(",", "")
                used = self._processes.meltano(project, pair, url, str(number))
                self._check(pair, url)
            return used

        return measure

    def _written(self, engine: str, tap: Plugin) -> Path:
        """What this tap has written from this engine."""
        return self._folder / f"{Path(tap.command[-1]).stem}-{engine}.singer"

    @contextmanager
    def _fresh(self, engine: str) -> Iterator[str]:
        """A copy of the orders, and an empty CRM."""
        self._emulator.admin.reset()
        if engine == "postgresql":
            with postgresql_database(like=self._originals[engine]) as url:
                yield url
            return
        path = self._folder / "run.sqlite"
        shutil.copyfile(self._folder / "orders.sqlite", path)
        yield f"sqlite:///{path}"
        for left in ("", "-wal", "-shm", "-journal"):
            path.with_name(path.name + left).unlink(missing_ok=True)

    def _check(self, pair: Pair, url: str) -> None:
        """Raise where an order has not reached the CRM, or has no ack."""
        if not pair.confirms:
            return
        there = self._emulator.admin.stats()["modules"]["Orders"]
        engine = sa.create_engine(url, poolclass=sa.NullPool)
        with engine.connect() as connection:
            acks = connection.scalar(sa.text("SELECT count(*) FROM zoho_sync_ack WHERE status = 'synced'"))
        if there != self.rows or acks != self.rows:
            raise BenchmarkError(f"{pair.name}: of {self.rows} orders {there} reached the CRM, {acks} have an ack")


def _records(path: Path) -> int:
    """How many RECORD messages a file holds."""
    with path.open("rb") as lines:
        return sum(line[:20].replace(b" ", b"").startswith(b'{"type":"RECORD"') for line in lines)
