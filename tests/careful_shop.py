"""A shop whose first orders are read back and compared, at once in place of ten seconds later."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import forked
from click.testing import CliRunner
from pair_of_plugins import PROCESS_SECONDS, TESTS, Finished, Shop, finish, start

from orders_sync.cli import main

FIRST = 10


@dataclass
class CarefulShop(Shop):
    """The setting `first_contact` has its default here."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.target_config |= {"first_contact": None}

    def _command(self, program: str, arguments: Sequence[str | Path]) -> list[str]:
        if program == "target-zoho-crm":
            return forked.command(TESTS / "contact_soon.py", ["0", *arguments])
        return super()._command(program, arguments)

    def partition(self, index: int, of: int = 2) -> CarefulShop:
        """The same shop, of whose orders this has one share."""
        folder = self.folder / str(index)
        folder.mkdir(exist_ok=True)
        return replace(self, folder=folder, tap_config=self.tap_config | {"partition": {"index": index, "of": of}})

    def alter(self, *rules: Mapping[str, Any]) -> None:
        """Let the org make something else of values."""
        self.emulator.admin.set_alterations("Orders", *rules)

    def accept(self, *options: str) -> Finished:
        """`orders-sync accept`."""
        tap, target = map(str, self.configs())
        result = CliRunner().invoke(main, ["accept", "--tap-config", tap, "--target-config", target, *options])
        return Finished(result.exit_code, result.stdout, result.stderr)

    def has_begun(self) -> bool:
        """Whether any run has begun a first contact."""
        return bool(self.rows("contact"))


def found(ended: Finished) -> set[tuple[str, str]]:
    """Field and kind of each row of the table in a target's log."""
    texts = [each.split("| ", 3)[-1] for each in ended.errors]
    rows = [re.split(" {2,}", text.strip()) for text in texts if text.startswith("  ")]
    return {(name, kind) for name, kind, *_ in rows[1:]}


class Worker:
    """The pair of one partition of a shop, as it works."""

    def __init__(self, shop: CarefulShop) -> None:
        tap, target = shop.configs()
        self.tap = start(forked.command("tap-legacy-orders", ["--config", tap]))
        self.target = start(forked.command(TESTS / "contact_soon.py", ["0", "--config", target]), stdin=self.tap.stdout)
        assert self.tap.stdout is not None
        self.tap.stdout.close()
        self._log = ""

    def log_until(self, *texts: str) -> str:
        """The next line of the target's log that has one of these texts."""
        assert self.target.stderr is not None
        for line in self.target.stderr:
            self._log += line
            if any(text in line for text in texts):
                return line
        raise AssertionError(self._log)

    def stop(self) -> Finished:
        """Ask both to end; the target's result."""
        for process in (self.tap, self.target):
            process.terminate()
        return self.end()

    def end(self) -> Finished:
        """Wait for the target's end; its result."""
        ended = finish(self.target)
        self.tap.terminate()  # in follow mode it would go on
        self.tap.communicate(timeout=PROCESS_SECONDS)
        return Finished(ended.code, ended.out, self._log + ended.err)


def until(condition: Callable[[], bool]) -> None:
    """Wait for something to come true."""
    ends = time.monotonic() + PROCESS_SECONDS
    while not condition():
        assert time.monotonic() < ends, "it did not come true"
        time.sleep(0.05)
