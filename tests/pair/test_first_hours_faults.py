"""What goes wrong in a first hour with files, pipes and databases is one line; no library's warning is in the log."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pair_of_plugins import BIN, PROCESS_SECONDS, Finished, Shop

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

ROOT = Path(__file__).parents[2]


@pytest.fixture
def shop(sqlite_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path) -> Iterator[Shop]:
    made = Shop(sqlite_url, zoho_emulator, tmp_path)
    yield made
    made.engine.dispose()


def run(*command: str | Path, typed: str = "", to: str | None = None, **variables: str) -> Finished:
    with open(to or os.devnull, "w") as out:  # noqa: PTH123 - a device
        done = subprocess.run(
            [str(each) for each in command],
            input=typed,
            stdout=subprocess.PIPE if to is None else out,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, **variables},
            timeout=PROCESS_SECONDS,
            check=False,
        )
    return Finished(done.returncode, done.stdout or "", done.stderr)


def assert_one_line(ended: Finished, code: int, *words: str) -> None:
    assert ended.code == code, ended.err
    assert "Traceback" not in ended.err
    (line,) = ended.errors
    for word in words:
        assert word in line


@pytest.mark.parametrize("program", ["tap-legacy-orders", "target-zoho-crm"])
def test_a_folder_in_place_of_the_config_file(program: str, tmp_path: Path) -> None:
    assert_one_line(run(BIN / program, "--config", tmp_path), 2, "the file cannot be read", "Is a directory")


def test_a_target_that_gets_nothing_does_not_end_as_if_all_were_well(shop: Shop) -> None:
    _, target = shop.configs()
    assert_one_line(run(BIN / "target-zoho-crm", "--config", target), 1, "not even a SCHEMA", "its log says why")
    assert shop.emulator.admin.requests() == []


@pytest.mark.parametrize("option", [[], ["--discover"]])
def test_an_output_that_takes_nothing(shop: Shop, option: list[str]) -> None:
    shop.insert(["A"])
    tap, _ = shop.configs()
    ended = run(BIN / "tap-legacy-orders", "--config", tap, *option, to="/dev/full")
    assert_one_line(ended, 1, "the output cannot be written: No space left on device")


def test_a_folder_in_place_of_the_token_cache_is_a_warning(shop: Shop, tmp_path: Path) -> None:
    shop.insert(["A"])
    assert shop.run().code == 0
    (kept,) = (tmp_path / "cache" / "target-zoho-crm").glob("*.json")
    kept.unlink()
    kept.mkdir()
    shop.insert(["B"])
    ended = shop.run()
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err
    assert "The access token is not cached" in ended.err
    assert list(kept.parent.glob(".token-*")) == []
    shop.assert_all_synced()


def test_what_a_database_says_is_given_advice_that_fits(shop: Shop) -> None:
    shop.insert(["A"])
    shop.tap_config["filter"] = "no_such_column = 1"
    assert "no such column" in shop.tap().errors[0]
    assert "check `sqlalchemy_url`, the user's rights, and `filter`" in shop.tap().errors[0]


@pytest.mark.parametrize("set_by", ["nobody", "meltano"])
def test_a_run_on_postgresql_logs_no_warning_of_a_library(
    set_by: str, postgresql_url: str, zoho_emulator: EmulatorProcess, tmp_path: Path
) -> None:
    filters = {"nobody": "", "meltano": "once"}[set_by]
    shop = Shop(postgresql_url, zoho_emulator, tmp_path)
    shop.insert(["A"])
    tap, target = shop.configs()
    read = run(BIN / "tap-legacy-orders", "--config", tap, PYTHONWARNINGS=filters)
    written = run(BIN / "target-zoho-crm", "--config", target, typed=read.out, PYTHONWARNINGS=filters)
    doctor = ("doctor", "--tap-config", tap, "--target-config", target)
    checked = run(BIN / "orders-sync", *doctor, PYTHONWARNINGS=filters)
    assert (read.code, written.code, checked.code) == (0, 0, 0), read.err + written.err + checked.err
    assert "Warning" not in read.err + written.err + checked.err
    shop.engine.dispose()


def test_no_page_proposes_a_file_that_others_can_read() -> None:
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    assert [page.name for page in pages if "--dump=config" in page.read_text(encoding="utf-8")] == []
