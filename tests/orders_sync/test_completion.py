"""A shell that was asked to completes commands and options; docs/get-started.md says how it is asked."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
TYPED = """
{ask}
COMP_WORDS=({words}) COMP_CWORD={at}
_orders_sync_completion orders-sync
printf '%s\\n' "${{COMPREPLY[@]}}"
"""


@pytest.mark.parametrize(
    ("words", "at", "completed"),
    [
        pytest.param("orders-sync probl", 1, ["problems"], marks=pytest.mark.nightly),
        ("orders-sync status --max", 2, ["--max-age", "--max-rejected"]),
    ],
)
def test_bash_completes_commands_and_options(words: str, at: int, completed: list[str]) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    page = (ROOT / "docs" / "get-started.md").read_text()
    (ask,) = re.findall(r"^(eval .*=bash_source .*?)(?: +#.*)?$", page, re.MULTILINE)
    script = TYPED.format(ask=ask, words=words, at=at)
    path = f"{BIN}{os.pathsep}{os.environ['PATH']}"
    done = subprocess.run(
        [bash, "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.split()) == (0, completed), done.stderr
