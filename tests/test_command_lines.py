"""What both plugins say of files that cannot be read: one line, exit code 2."""

from __future__ import annotations

import os
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


@pytest.mark.parametrize(("given", "code"), [("0.3", 1), ("soon", 2)])
def test_a_number_may_come_from_the_environment(tmp_path: Path, given: str, code: int) -> None:
    settings = dict.fromkeys(("CLIENT_ID", "CLIENT_SECRET", "REFRESH_TOKEN"), "made-up")
    variables = {f"TARGET_ZOHO_CRM_{name}": value for name, value in {**settings, "MAX_AGE_SECONDS": given}.items()}
    ended = subprocess.run(
        forked.command("target-zoho-crm", ["--config", "ENV"]),
        env={**os.environ, **variables},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        check=False,
    )
    errors = [line for line in ended.stderr.splitlines() if "| ERROR " in line]
    assert (ended.returncode, len(errors)) == (code, 1), ended.stderr
    if given == "soon":
        assert "'soon' is not of type 'number'" in errors[0]
        assert "max_age_seconds" in errors[0]
    else:
        assert "Input: it is empty" in errors[0]  # so the setting was taken
