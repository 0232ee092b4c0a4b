"""One fault met by one pair of real processes: start them, disturb them, see how they end, and hold them to the law."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import forked
import pytest
from faults_table import Row
from pair_of_plugins import BIN, TESTS, Finished, Shop

ENGINES = ("sqlite", "postgresql", "mariadb")
END_SECONDS = 600.0
"""For hangs alone: a loaded machine is slower, not wrong."""
CLEAN_RUNS = 4
"""After a fault so many clean runs at most bring everything about."""

CUT_SHORT = "ended by {} while something was still under way"
"""What a process says that did not end by itself within the grace after a signal."""

full_only = pytest.mark.full


def on(*engines: str, quick: Sequence[str] = ("sqlite",)) -> pytest.MarkDecorator:
    """Parametrize a test by engine; those not in `quick` run by `make faults` only."""
    return pytest.mark.parametrize("engine", choices(engines, quick))


def choices(values: Iterable[Any], quick: Sequence[Any]) -> list[Any]:
    """Parameters of a test; those not in `quick` run by `make faults` only."""
    return [
        pytest.param(value, marks=() if value in quick else full_only, id=getattr(value, "name", str(value)))
        for value in values
    ]


@dataclass
class Ended:
    """How a disturbed pair ended. Codes are those of Popen: minus the signal where one killed the process."""

    tap: int
    target: int
    tap_log: str
    target_log: str
    out: str
    seconds: float

    @property
    def log(self) -> str:
        return self.tap_log + self.target_log

    def complaints(self, log: str) -> list[str]:
        return [line for line in log.splitlines() if "| ERROR " in line or "| CRITICAL " in line]

    def must_be_told_in_one_line(self) -> None:
        """No traceback, and of each process at most one line that says what was wrong."""
        assert "Traceback" not in self.log, self.log
        assert "Exception ignored" not in self.log, self.log
        for log in (self.tap_log, self.target_log):
            # Who ends by itself in the very moment in which its grace is over says that beside the line of the grace.
            assert len([line for line in self.complaints(log) if "ended by SIG" not in line]) <= 1, log


def _as_a_shell_says(code: int) -> int:
    """The exit code; 128 and the signal's number for who was ended by one, as Python is in its last moments."""
    return 128 - code if code < 0 else code


def program(name: str, forks: bool, grace: bool) -> Sequence[str | Path]:  # noqa: FBT001 - as given
    """The command of a plugin, without its options."""
    if forks:
        return forked.command(TESTS / "with_grace.py", [name]) if grace else forked.command(name, [])
    return [sys.executable, TESTS / "with_grace.py", name] if grace else [BIN / name]


@dataclass
class Pair:
    """Tap and target as an orchestrator starts them, in the middle of their work."""

    tap: subprocess.Popen[bytes]
    target: subprocess.Popen[bytes]
    folder: Path
    began: float = field(default_factory=time.monotonic)

    @classmethod
    def start(
        cls,
        shop: Shop,
        *,
        environment: Mapping[str, str] | None = None,
        target_environment: Mapping[str, str] | None = None,
        tap_program: Sequence[str | Path] | None = None,
        target_out: int | None = None,
        forks: bool = True,
        grace: bool = False,
        **target_options: Any,
    ) -> Pair:
        """Start both; with `grace`, nothing ends them after a signal but themselves.

        They are forked from a process that has imported the plugins, unless something of theirs is to be another.
        """
        forks = forks and not (environment or target_environment or target_options)
        tap_config, target_config = shop.configs()
        state = ["--state", str(shop.state)] if shop.state.exists() else []
        common = {**os.environ, "PYTHONWARNINGS": "ignore", **(environment or {})}
        folder = shop.folder
        tap_command = [*(tap_program or program("tap-legacy-orders", forks, grace)), "--config", tap_config, *state]
        target_command = [*program("target-zoho-crm", forks, grace), "--config", target_config]
        with (
            (folder / "tap.log").open("wb") as tap_log,
            (folder / "target.log").open("wb") as target_log,
            (folder / "target.out").open("wb") as out,
        ):
            tap = subprocess.Popen(
                list(map(str, tap_command)),
                stdout=subprocess.PIPE,
                stderr=tap_log,
                env=common,
                stdin=subprocess.DEVNULL,
            )
            target = subprocess.Popen(
                list(map(str, target_command)),
                stdin=tap.stdout,
                stdout=out if target_out is None else target_out,
                stderr=target_log,
                env={**common, **(target_environment or {})},
                **target_options,
            )
        assert tap.stdout is not None
        tap.stdout.close()
        return cls(tap, target, folder)

    def signal(self, who: str, number: int) -> None:
        """Send a signal to `tap`, `target` or `both`; the seconds count from here."""
        self.began = time.monotonic()
        for process in {"tap": [self.tap], "target": [self.target], "both": [self.tap, self.target]}[who]:
            process.send_signal(number)

    def fault_is_now(self) -> None:
        self.began = time.monotonic()

    def ended(self, within: float = END_SECONDS) -> Ended:
        """Wait for both to end."""
        try:
            self.target.wait(max(0.1, self.began + within - time.monotonic()))
            self.tap.wait(max(0.1, self.began + within - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.stop()
            pytest.fail(f"not ended {within} s after the fault:\n{self._told()}")
        seconds = time.monotonic() - self.began
        read = [(self.folder / name).read_text() for name in ("tap.log", "target.log", "target.out")]
        return Ended(self.tap.returncode, self.target.returncode, read[0], read[1], read[2], seconds)

    def stop(self) -> None:
        """Leave nothing running, whatever the test came to."""
        for process in (self.tap, self.target):
            if process.poll() is None:
                process.kill()
            process.wait()

    def wait_for_log(self, text: str, log: str = "target.log", within: float = END_SECONDS, *, times: int = 1) -> None:
        """Wait until a log says something, so many times."""
        end = time.monotonic() + within
        while time.monotonic() < end:
            if (self.folder / log).read_text().count(text) >= times:
                return
            time.sleep(0.02)
        pytest.fail(f"{log} does not say {text!r}:\n{self._told()}")

    def _told(self) -> str:
        return "".join((self.folder / name).read_text() for name in ("tap.log", "target.log"))


@dataclass
class Case:
    """A shop with orders, the fault that it meets, and the row of the table that comes of it."""

    shop: Shop
    engine: str
    row: Row = field(default_factory=Row)
    pairs: list[Pair] = field(default_factory=list)
    forks: bool = True
    """Whether clean runs are processes forked from one that has imported the plugins: as real, and quicker."""

    def is_about(self, fault: str, expected: str) -> None:
        self.row.fault, self.row.expected, self.row.engine = fault, expected, self.engine

    def orders(self, count: int, *, length: int = 10) -> None:
        """Insert orders whose notes are `length` characters long; long ones fill the pipe between tap and target."""
        self.shop.insert([f"SO-{number}" for number in range(count)], notes="n" * length)

    def start(self, **options: Any) -> Pair:
        self.pairs.append(Pair.start(self.shop, **{"forks": self.forks, **options}))
        return self.pairs[-1]

    def ends(self, pair: Pair, *, tap: Sequence[int], target: Sequence[int], within: float = END_SECONDS) -> Ended:
        """Wait for the disturbed pair and hold it to its exit codes and its one line."""
        ended = pair.ended(within)
        self.row.exits = f"{ended.tap}, {ended.target}"
        self.row.seconds = f"{ended.seconds:.1f}"
        assert {ended.tap, _as_a_shell_says(ended.tap)} & set(tap), ended.log
        assert {ended.target, _as_a_shell_says(ended.target)} & set(target), ended.log
        ended.must_be_told_in_one_line()
        if ended.out:
            self.shop.state.write_text(ended.out.splitlines()[-1])
        return ended

    def seen(self, text: str) -> None:
        self.row.seen = "; ".join(filter(None, (self.row.seen, text)))

    def acks(self) -> dict[str, int]:
        """Acks by status as they are now."""
        counts: dict[str, int] = {}
        for ack in self.shop.acks().values():
            counts[ack.status] = counts.get(ack.status, 0) + 1
        return counts

    def run(self) -> Finished:
        """One run that nothing disturbs."""
        if self.forks:
            return self.shop.run()
        ended = self.start().ended()
        run = Finished(ended.target, ended.out, ended.log)
        self.shop.keep_state(run)
        return run

    def law(self) -> None:
        """Run cleanly until nothing is left: each order's newest version is in the CRM once, and its ack says so."""
        runs = 0
        while runs < CLEAN_RUNS:
            runs += 1
            run = self.run()
            assert run.code == 0, run.err
            assert "Traceback" not in run.err, run.err
            acks = self.shop.acks()
            if len(acks) == len(self.shop.orders()) and all(ack.status == "synced" for ack in acks.values()):
                break
            self.shop.emulator.admin.wait_jobs()
        self.shop.assert_all_synced()
        assert {job.step for job in self.shop.jobs()} <= {"applied", "abandoned"}
        self.seen(f"whole after {runs} clean run{'s' if runs > 1 else ''}")
        synced = sum(ack.status == "synced" for ack in acks.values())
        self.row.orders = f"{len(self.shop.orders())} / {len(self.shop.crm())} / {synced}"

    def close(self) -> None:
        """End what is still running."""
        self.shop.emulator.admin.clear_faults()
        for pair in self.pairs:
            pair.stop()
        self.shop.engine.dispose()
