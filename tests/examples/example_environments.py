"""Environments of the examples' own tools: made once, and kept until what they are to hold changes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".examples"
"""What takes long to make and is the same for each run of the tests."""


def environment(name: str) -> Path:
    """The `bin` folder with what examples/NAME/requirements.txt lists; skips where pip cannot have it."""
    wanted = ROOT / "examples" / name / "requirements.txt"
    digest = hashlib.sha256(wanted.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = KEPT / f"{name}-{digest}"
    done = folder / "installed.txt"
    if not done.exists():
        shutil.rmtree(folder, ignore_errors=True)
        venv.create(folder, with_pip=True)
        pip = [folder / "bin" / "python", "-m", "pip", "--disable-pip-version-check", "--quiet"]
        install = subprocess.run(
            [*pip, "install", "--requirement", wanted], capture_output=True, text=True, check=False
        )
        if install.returncode != 0:
            pytest.skip(f"pip cannot have examples/{name}/requirements.txt: {install.stderr[-300:]}")
        done.touch()
    return folder / "bin"
