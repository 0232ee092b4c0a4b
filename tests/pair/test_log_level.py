"""One logger name a program: its level reaches every line of the program, from the environment and from Meltano."""

from __future__ import annotations

import ast
import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from pair_of_plugins import Shop

from sync_ledger.ledger import Ledger
from tap_legacy_orders.tap import TapLegacyOrders

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ROOT = Path(__file__).parents[2]
TAP, TARGET = "tap-legacy-orders", "target-zoho-crm"
PROGRAMS = {"tap_legacy_orders": TAP, "target_zoho_crm": TARGET, "orders_sync": "orders-sync"}
SHARED = ("sync_ledger", "sync_databases", "sync_processes")
VARIABLES = ("TAP_LEGACY_ORDERS_LOGLEVEL", "TARGET_ZOHO_CRM_LOGLEVEL")


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    """A shop whose run logs at INFO, and at WARNING since one order is dated ahead of the clock."""
    shop = Shop(sqlite_url, zoho_emulator, tmp_path)
    shop.insert(["SO-1", "SO-2"])
    shop.insert(["SO-3"], updated_at=shop.tick().replace(year=2999))
    yield shop
    shop.engine.dispose()


def log_config(folder: Path, root: str, **levels: str) -> str:
    """A logging config in the form that Meltano writes for plugins, with the loggers' names in the lines."""
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"named": {"format": "%(levelname)s %(name)s: %(message)s"}},
        "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "named", "stream": "ext://sys.stderr"}},
        "root": {"handlers": ["console"], "level": root},
        "loggers": {name.replace("_", "-"): {"level": level} for name, level in levels.items()},
    }
    path = folder / "logging.json"  # JSON is YAML too
    path.write_text(json.dumps(config))
    return str(path)


def test_by_default_a_run_logs_what_it_does(shop: Shop) -> None:
    log = shop.run().err
    assert "Reading orders by updated_at" in log
    assert "more than a day ahead" in log
    assert ": read 3 = " in log


@pytest.mark.parametrize("variables", [VARIABLES, ("LOGLEVEL",)], ids=["of each plugin", "of all"])
def test_a_level_of_the_environment_reaches_every_line(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, variables: tuple[str, ...]
) -> None:
    for variable in variables:
        monkeypatch.setenv(variable, "ERROR")
    ended = shop.run()
    assert (ended.code, ended.err) == (0, "")


def test_meltanos_log_level_reaches_every_line(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINGER_SDK_LOG_CONFIG", log_config(tmp_path, "ERROR"))
    ended = shop.run()
    # What singer-sdk logs while it starts comes before it has read the config.
    assert (ended.code, ended.err) == (0, "")


def test_one_name_a_program_turns_all_its_lines_on(shop: Shop, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    levels = {"tap_legacy_orders": "DEBUG", "target_zoho_crm": "DEBUG"}
    monkeypatch.setenv("SINGER_SDK_LOG_CONFIG", log_config(tmp_path, "ERROR", **levels))
    named = [line.split(": ")[0].split()[1] for line in shop.run().err.splitlines() if line[:1].isupper()]
    assert {name.partition(".")[0] for name in named} == {TAP, TARGET}


def test_every_module_of_a_program_logs_under_its_name() -> None:
    for package, program in PROGRAMS.items():
        for path in (ROOT / package).rglob("*.py"):
            for name in loggers_of(path):
                assert name == program, f"{path.name} logs as {name}"


def test_shared_packages_log_as_the_program_that_uses_them() -> None:
    found = {name for package in SHARED for path in (ROOT / package).rglob("*.py") for name in loggers_of(path)}
    assert found <= {"orders-sync", "py.warnings"}  # the default, for the command line; and what is kept out of logs


def loggers_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and ast.unparse(node.func) in {"logging.getLogger", "getLogger"}:
            argument = node.args[0] if node.args else ast.Constant("root")
            yield str(argument.value) if isinstance(argument, ast.Constant) else ast.unparse(argument)


def test_the_ledger_logs_as_its_program(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    ledger = TapLegacyOrders(config={"sqlalchemy_url": shop.url, "orders_table": "orders"}).ledger
    assert log_of_a_retry(ledger, caplog) == TAP
    ledger.close()


def log_of_a_retry(ledger: Ledger, caplog: pytest.LogCaptureFixture) -> str:
    """The logger of the line that says that a statement is tried again."""
    tries: list[int] = []

    def fail_once(_connection: sa.Connection) -> None:
        tries.append(1)
        if len(tries) == 1:
            raise sa.exc.OperationalError("SELECT 1", {}, Exception("the connection is lost"))

    with caplog.at_level(logging.WARNING):
        ledger.transact(fail_once)
    return next(record.name for record in caplog.records if "trying again" in record.message)
