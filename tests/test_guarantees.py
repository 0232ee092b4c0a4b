"""docs/guarantees.md: every test that it names exists, and the four things that users do not forgive are among them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
NAMED = re.compile(r"`(tests/[^`]+)`")
UNFORGIVABLE = {
    f"tests/pair/test_unforgivable.py::test_an_order_is_never_{fault}"
    for fault in ("lost", "doubled", "falsely_called_synced", "retried_for_ever")
}


def test_every_test_that_the_guarantees_name_exists() -> None:
    named = set(NAMED.findall((ROOT / "docs" / "guarantees.md").read_text(encoding="utf-8")))
    assert named >= UNFORGIVABLE
    assert {name for name in named if not _exists(name)} == set()


def _exists(name: str) -> bool:
    path, _, test = name.partition("::")
    if not test:
        return (ROOT / path).exists()
    try:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return False
    return test in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
