"""What both plugins say of files that cannot be read: one line, exit code 2."""

from __future__ import annotations

import subprocess
from pathlib import Path

import forked
import pytest


@pytest.mark.parametrize("plugin", ["tap-legacy-orders", "target-zoho-crm"])
@pytest.mark.parametrize(("content", "says"), [(None, "config.json"), ('{"orders_table":', "Expecting value")])
def test_a_config_that_cannot_be_read_is_one_line_and_exit_code_2(
    tmp_path: Path, plugin: str, content: str | None, says: str
) -> None:
    config = tmp_path / "config.json"
    if content is not None:
        config.write_text(content)
    command = forked.command(plugin, ["--config", config])
    ended = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False)
    errors = [line for line in ended.stderr.splitlines() if "| INFO " not in line]
    assert (ended.returncode, len(errors), ended.stdout) == (2, 1, "")
    assert says in errors[0]
