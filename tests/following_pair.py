"""The pair in follow mode, as processes: started, killed, told to stop; STATE kept as an orchestrator keeps it."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import forked
from pair_of_plugins import TESTS, Finished, Shop

FOLLOW = {"follow": True, "poll_interval_seconds": 0.2, "settle_seconds": 0}
PATIENCE_SECONDS = 300
"""For hangs alone: a loaded machine is slower, not wrong."""


def with_grace(program: str, *arguments: str | Path) -> list[str]:
    """The command of a plugin that nothing ends but itself: a stop that works by the watchdog alone is found."""
    return forked.command(TESTS / "with_grace.py", [program, *arguments])


class FollowingPair:
    """One life of the pair."""

    def __init__(self, shop: Shop) -> None:
        tap, target = shop.configs()
        self._shop = shop
        state = ["--state", str(shop.state)] if shop.state.exists() else []
        self._logs = [shop.folder / f"{role}-{time.monotonic_ns()}.log" for role in ("tap", "target")]
        environment = {**os.environ, "PYTHONWARNINGS": "ignore"}
        with self._logs[0].open("wb") as tap_log, self._logs[1].open("wb") as target_log:
            self.tap = subprocess.Popen(
                with_grace("tap-legacy-orders", "--config", tap, *state),
                stdout=subprocess.PIPE,
                stderr=tap_log,
                env=environment,
            )
            self.target = subprocess.Popen(
                with_grace("target-zoho-crm", "--config", target),
                stdin=self.tap.stdout,
                stdout=subprocess.PIPE,
                stderr=target_log,
                env=environment,
            )
        assert self.tap.stdout is not None
        self.tap.stdout.close()
        self.states: list[str] = []
        self._reading = threading.Thread(target=self._keep_states, daemon=True)
        self._reading.start()

    def _keep_states(self) -> None:
        assert self.target.stdout is not None
        for line in self.target.stdout:
            self.states.append(line.decode())
            spare = self._shop.state.with_suffix(".new")
            spare.write_bytes(line)
            spare.replace(self._shop.state)

    @property
    def log(self) -> str:
        return "".join(path.read_text(encoding="utf-8") for path in self._logs)

    def both(self) -> tuple[subprocess.Popen[bytes], subprocess.Popen[bytes]]:
        return self.tap, self.target

    def kill(self) -> None:
        self._end(signal.SIGKILL)

    def stop(self) -> Finished:
        """SIGTERM to both, as a service manager or a container gives it; the target's result."""
        self._end(signal.SIGTERM)
        assert self.tap.returncode == 0, self.log
        return Finished(self.target.returncode, "".join(self.states), self.log)

    def _end(self, number: signal.Signals) -> None:
        for process in self.both():
            if process.poll() is None:
                process.send_signal(number)
        for process in self.both():
            process.wait(PATIENCE_SECONDS)
        self._reading.join()


@contextmanager
def following(shop: Shop) -> Iterator[FollowingPair]:
    pair = FollowingPair(shop)
    try:
        yield pair
    finally:
        pair.kill()


def until(condition: Callable[[], bool], pair: FollowingPair, seconds: float = PATIENCE_SECONDS) -> None:
    """Wait for something to come true while the pair lives."""
    ends = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends, f"it did not come true\n{pair.log}"
        assert all(process.poll() is None for process in pair.both()), pair.log
        time.sleep(0.05)
