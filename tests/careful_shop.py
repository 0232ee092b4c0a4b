"""A shop whose first orders are read back and compared, at once in place of ten seconds later."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import forked
from click.testing import CliRunner
from pair_of_plugins import TESTS, Finished, Shop

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

    def alter(self, *rules: Mapping[str, Any]) -> None:
        """Let the org make something else of values."""
        self.emulator.admin.set_alterations("Orders", *rules)

    def accept(self, *options: str) -> Finished:
        """`orders-sync accept`."""
        tap, target = map(str, self.configs())
        result = CliRunner().invoke(main, ["accept", "--tap-config", tap, "--target-config", target, *options])
        return Finished(result.exit_code, result.stdout, result.stderr)


def found(ended: Finished) -> set[tuple[str, str]]:
    """Field and kind of each row of the table in a target's log."""
    texts = [each.split("| ", 3)[-1] for each in ended.errors]
    rows = [re.split(" {2,}", text.strip()) for text in texts if text.startswith("  ")]
    return {(name, kind) for name, kind, *_ in rows[1:]}
