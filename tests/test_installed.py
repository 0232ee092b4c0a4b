"""What the wheel brings into an environment without extras, and with each."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from meltano_project import wheels

from scripts.version_matrix import PYTHONS
from scripts.version_matrix import main as matrix

ROOT = Path(__file__).parents[1]
WITHOUT_STARLETTE = "import sys; sys.modules['starlette'] = None; from zoho_crm_emulator.entry import main; main()"


def test_the_wheel_says_that_each_package_is_typed() -> None:
    (wheel,) = wheels().glob("*.whl")
    names = zipfile.ZipFile(wheel).namelist()
    packages = {name.partition("/")[0] for name in names if name.endswith("/__init__.py") and name.count("/") == 1}
    assert len(packages) == 7
    assert {f"{each}/py.typed" for each in packages} <= set(names)


def test_a_missing_extra_is_named_in_one_line() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", WITHOUT_STARLETTE, "--help"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [
        "zoho-crm-emulator needs starlette, which is not installed; run: pip install 'orders-sync[emulator]'"
    ]


@pytest.mark.nightly
@pytest.mark.parametrize("version", PYTHONS)
def test_the_wheel_runs_with_the_lowest_and_the_newest_dependencies(
    version: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be had here is printed, and no failure."""
    code = matrix([version])
    printed = capsys.readouterr().out
    assert code == 0, printed
    assert printed.count(f"| {version}") == 3
