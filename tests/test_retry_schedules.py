"""Every wait and every number of attempts comes from the one table, and docs/retries.md is that table."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from scripts.retries_page import retries_page
from sync_databases.retrying import RetrySchedule
from sync_ledger import retry_schedules
from sync_ledger.retry_schedules import INTERVALS, POLLS, RETRIES, PollSchedule

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("sync_databases", "sync_processes", "sync_ledger", "tap_legacy_orders", "target_zoho_crm", "orders_sync")
TABLE = "sync_ledger/retry_schedules.py"

WAITS = frozenset({"wait", "wait_or_stop", "sleep"})
"""Calls that wait; those of `wait` without an argument are for work to end, and are no pauses."""

HANDED_ON = {
    "orders_sync/probing/pace.py": "waits as long as its caller says",
    "sync_databases/waiting.py": "waits as long as its caller says",
    "sync_databases/writable_database.py": "waits by the schedule that each database brings along",
    "tap_legacy_orders/poll_wakeup.py": "waits as long as its caller says",
    "target_zoho_crm/message_reader.py": "waits for input as long as the target says",
}
"""Files that wait and name no schedule."""

COUNT_OR_PAUSE = re.compile(r"(^|_)(ATTEMPTS|TRIES|RETRIES|PAUSE|BACKOFF)(_|$)")

NO_SCHEDULES = {"ATTEMPTS_IN_SILENCE": "of a run that tries on, until it is in the log"}
"""Constants so named that are figures of something else."""


def sources(root: Path) -> Iterator[tuple[str, ast.Module]]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield path.relative_to(root).as_posix(), ast.parse(path.read_text(encoding="utf-8"))


def waits(module: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(module):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            selects = ast.unparse(node.func) == "select.select"  # and not SQLAlchemy's
            if selects or (name in WAITS and (node.args or node.keywords)):
                yield node


def constants(module: ast.Module) -> dict[str, ast.expr]:
    """What a module assigns to names in capitals."""
    return {
        target.id: node.value
        for node in module.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id.isupper()
    }


def assigned(function: ast.AST) -> dict[str, ast.expr]:
    """What a function assigns to its own names, the last value of each."""
    return {
        target.id: node.value
        for node in ast.walk(function)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }


def own_figures(expression: ast.AST, known: dict[str, ast.expr]) -> list[str]:
    """The numbers other than zero in an expression, its own and those of the module's constants that it names."""
    found = []
    for node in ast.walk(expression):
        if isinstance(node, ast.Constant) and isinstance(node.value, (int, float)) and node.value not in {0, True}:
            found.append(str(node.value))
        if isinstance(node, ast.Name) and node.id in known:
            others = {name: value for name, value in known.items() if name != node.id}
            found += [node.id] if own_figures(known[node.id], others) else []
    return found


def strays(root: Path) -> list[str]:
    """Waits and numbers of attempts whose figures stand somewhere else than in the table."""
    found = []
    for name, module in sources(root):
        if name == TABLE:
            continue
        known, calls = constants(module), list(waits(module))
        names_table = any(
            isinstance(node, ast.ImportFrom) and node.module == "sync_ledger.retry_schedules" for node in module.body
        )
        if calls and not names_table and name not in HANDED_ON:
            found.append(f"{name}: waits and imports no schedule")
        for call in calls:
            around = [each for each in ast.walk(module) if isinstance(each, ast.FunctionDef) and call in ast.walk(each)]
            names = known | {key: value for function in around for key, value in assigned(function).items()}
            found += [f"{name}: line {call.lineno} waits by {figure}" for figure in own_figures(call, names)]
        for constant, value in known.items():
            if COUNT_OR_PAUSE.search(constant) and constant not in NO_SCHEDULES:
                found += [f"{name}: {constant} = {figure}" for figure in own_figures(value, {})]
    return found


def test_every_wait_goes_by_the_table() -> None:
    assert strays(ROOT) == []


@pytest.mark.parametrize(
    "text",
    [
        "import time\ntime.sleep(5)",
        "PERIOD = 3.0\nstop.wait(PERIOD)",
        "def f(stop, seconds):\n    stop.wait(seconds)",
        "CHECK = 5.0\ndef f(stop, left):\n    seconds = min(left, CHECK)\n    stop.wait(seconds)",
        "CALL_ATTEMPTS = 3",
        "FIRST_PAUSE_SECONDS = 0.5",
    ],
)
def test_a_wait_of_its_own_is_found(tmp_path: Path, text: str) -> None:
    path = tmp_path / "target_zoho_crm" / "somewhere.py"
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    assert len(strays(tmp_path)) >= 1


def test_what_may_wait_without_a_schedule_still_waits() -> None:
    assert HANDED_ON.keys() <= {name for name, module in sources(ROOT) if any(waits(module))}


def test_every_schedule_has_a_row_and_every_row_a_schedule() -> None:
    named = vars(retry_schedules).items()
    assert {id(each.schedule) for each in RETRIES} == {id(each) for _, each in named if isinstance(each, RetrySchedule)}
    assert {id(each) for _, each in POLLS} == {id(each) for _, each in named if isinstance(each, PollSchedule)}
    seconds = [name for name, each in named if name.endswith("_SECONDS") and isinstance(each, (int, float))]
    assert len(INTERVALS) + len(["RETRY_AFTER_MOST_SECONDS"]) == len(seconds)


def test_every_schedule_is_somebodys() -> None:
    used = {
        alias.name
        for name, module in sources(ROOT)
        if name != TABLE
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and node.module == "sync_ledger.retry_schedules"
        for alias in node.names
    }
    ours = {name for name, each in vars(retry_schedules).items() if isinstance(each, (RetrySchedule, PollSchedule))}
    assert ours <= used


def test_the_page_is_the_table() -> None:
    assert (ROOT / "docs" / "retries.md").read_text(encoding="utf-8") == retries_page()
