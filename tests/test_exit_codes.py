"""The table of exit codes is the code's: each program ends by its codes alone, and each code means one thing."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from pair_of_plugins import Shop

from orders_sync.cli import COMMANDS, main
from scripts.exit_codes_page import exit_codes_page
from sync_ledger.leases import Lease
from sync_ledger.ledger import Ledger
from sync_processes.exit_codes import EVERY, MEANINGS, SIGNALLED, TAP, TARGET, ExitCode

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ROOT = Path(__file__).parents[1]
PROGRAMS = {"tap_legacy_orders": TAP, "target_zoho_crm": TARGET, "orders_sync": "orders-sync", "sync_processes": ""}
ENDS = {"SystemExit", "exit", "_exit"}


def ends() -> Iterator[tuple[str, ast.expr]]:
    """Each place where a program of ours ends by a code of its own, and what it gives."""
    for package in PROGRAMS:
        for path in sorted((ROOT / package).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and node.args:
                    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
                    if name in ENDS:
                        yield f"{package}/{path.name}", node.args[0]


def test_the_page_is_the_table() -> None:
    assert (ROOT / "docs" / "exit-codes.md").read_text(encoding="utf-8") == exit_codes_page()


def test_nobody_ends_by_a_number_of_his_own() -> None:
    found = list(ends())
    assert len(found) >= 6
    for where, code in found:
        assert not isinstance(code, ast.Constant), f"{where}: {ast.dump(code)}"


def test_each_code_that_a_program_names_is_in_its_table() -> None:
    for package, program in PROGRAMS.items():
        text = "".join(path.read_text(encoding="utf-8") for path in (ROOT / package).rglob("*.py"))
        named = {ExitCode[name] for name in re.findall(r"ExitCode\.([A-Z_]+)", text)}
        told = {code for each, codes in MEANINGS.items() if program and each.startswith(program) for code in codes}
        assert named <= told or package == "sync_processes", (package, named - told)


def test_the_table_names_no_command_that_is_not_there() -> None:
    commands = {f"orders-sync {command.name}" for command in COMMANDS} | {f"orders-sync {EVERY}", TAP, TARGET}
    assert set(MEANINGS) <= commands


def test_the_pair_ends_by_the_codes_of_the_table(shop: Shop) -> None:
    shop.insert(["SO-1"])
    assert shop.run().code == ExitCode.OK
    shop.emulator.admin.add_fault(kind="record_error", code="INVALID_DATA", field="Notes", keys=["SO-2"])
    shop.insert(["SO-2"])
    shop.target_config["on_rejection"] = "fail"
    assert shop.run().code == ExitCode.FAILED
    shop.target_config["module"] = "Nosuch"
    shop.insert(["SO-3"])
    assert shop.run().code == ExitCode.SET_UP
    del shop.target_config["module"]
    ledger = Ledger.open(shop.ack_url)
    lease = Lease.acquire(ledger, "orders")
    assert shop.run().code == ExitCode.LOCKED
    lease.release("finished", {}, credits_spent=0)
    ledger.close()
    assert SIGNALLED == 128  # tests/faults/test_signals.py sees it on runs


def test_a_wrong_option_and_a_failed_command_end_by_the_codes_of_the_table(shop: Shop) -> None:
    shop.insert(["SO-1"])
    shop.run()
    ledger = ["--ack-url", shop.ack_url]
    for arguments, code in (
        (["status", *ledger], ExitCode.OK),
        (["status", "--max-age", "1h", *ledger], ExitCode.OK),
        (["status", "--nosuch"], ExitCode.SET_UP),
        (["retry", *ledger], ExitCode.SET_UP),
        (["retry", "SO-1", *ledger], ExitCode.FAILED),
        (["jobs", "--abandon", "x", *ledger], ExitCode.FAILED),
        (["problems", "--ack-url", "sqlite:////no/such/ledger"], ExitCode.FAILED),
    ):
        assert CliRunner().invoke(main, arguments).exit_code == code, arguments


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    yield shop
    shop.engine.dispose()
