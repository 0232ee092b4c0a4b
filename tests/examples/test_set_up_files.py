"""The files of `examples/` that a tool reads are what that tool expects, and name settings that there are."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from example_environments import ROOT

from scripts.plugins import ask

EXAMPLES = ROOT / "examples"
BIN = Path(sys.executable).parent
COMPOSE = EXAMPLES / "compose" / "compose.yaml"
KUBERNETES = EXAMPLES / "kubernetes" / "orders-sync.yaml"
SYSTEMD = EXAMPLES / "systemd"
SETTING = re.compile(r"\b(TAP_LEGACY_ORDERS|TARGET_ZOHO_CRM)_([A-Z_]*[A-Z])\b")
PLUGINS = {"TAP_LEGACY_ORDERS": "tap-legacy-orders", "TARGET_ZOHO_CRM": "target-zoho-crm"}


def checked(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_compose_file_is_one_by_the_schema_of_its_specification() -> None:
    checked(BIN / "check-jsonschema", "--builtin-schema", "vendor.compose-spec", COMPOSE)


def test_the_kubernetes_file_has_no_field_that_its_api_does_not_know() -> None:
    checked(BIN / "kubernetes-validate", "--strict", KUBERNETES)


def test_each_pod_takes_a_share_of_as_many_as_there_are_pods() -> None:
    spec = next(yaml.safe_load_all(KUBERNETES.read_text()))["spec"]["jobTemplate"]["spec"]
    (pair,) = spec["template"]["spec"]["containers"]
    (script,) = pair["args"]
    (of,) = re.findall(r'\\"of\\": (\d+)', script)
    assert spec["completions"] == spec["parallelism"] == int(of)
    (rule,) = spec["podFailurePolicy"]["rules"]
    assert rule["onExitCodes"]["containerName"] == pair["name"]
    shell = script.replace("exec run-pair", 'printf %s "$TAP_LEGACY_ORDERS_PARTITION"')
    told = subprocess.run(
        ["sh", "-c", shell], env={"JOB_COMPLETION_INDEX": "3"}, capture_output=True, text=True, check=True
    )
    assert yaml.safe_load(told.stdout) == {"index": 4, "of": 4}


@pytest.mark.parametrize("unit", sorted(each.name for each in SYSTEMD.iterdir()))
def test_systemd_takes_the_unit(unit: str, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze: apt-get install systemd")
    programs = tmp_path / ".venv" / "bin"
    programs.mkdir(parents=True)
    for program in (programs / "meltano", tmp_path / "run-pair"):
        program.write_text("#!/bin/sh\n")
        program.chmod(0o755)
    for each in SYSTEMD.iterdir():
        (tmp_path / each.name).write_text(each.read_text().replace("/srv/orders", str(tmp_path)))
    instance = unit.replace("@", "@2")
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", tmp_path / instance], capture_output=True, text=True, check=False
    )
    said = [line for line in done.stderr.splitlines() if str(tmp_path) in line or unit.partition("@")[0] in line]
    assert (done.returncode, said) == (0, [])


def test_each_line_of_the_crontab_has_five_times_a_user_and_a_command() -> None:
    lines = [line for line in (EXAMPLES / "cron" / "orders-sync").read_text().splitlines() if line.startswith("*")]
    assert len(lines) == 2
    for line in lines:
        *times, user, command = line.split(maxsplit=6)
        assert all(re.fullmatch(r"\*(/\d+)?", time) for time in times)
        assert user == "orders-sync"
        checked("sh", "-n", "-c", command)


def test_every_setting_that_an_example_or_a_page_names_is_one() -> None:
    known: dict[str, Any] = {prefix: {each.name for each in ask(name).settings} for prefix, name in PLUGINS.items()}
    for names in known.values():
        names.add("loglevel")  # a variable of singer-sdk, and no setting
    pages = [*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"]
    files = [path for path in EXAMPLES.rglob("*") if path.is_file() and path.suffix != ".pyc"] + pages
    named = {(prefix, name.lower(), path.name) for path in files for prefix, name in SETTING.findall(path.read_text())}
    assert len(named) > 20
    assert {each for each in named if each[1] not in known[each[0]]} == set()
