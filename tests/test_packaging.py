"""What a fresh checkout promises: the commands are there, the generated files are true, imports run one way."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from scripts.environment import OLDEST
from scripts.plugins import ask
from scripts.skipped_engines import main as check_skipped
from zoho_crm_emulator import oauth

ROOT = Path(__file__).resolve().parent.parent
BIN = Path(sys.executable).parent


def command(*words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(BIN / words[0]), *words[1:]],
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        env={**os.environ, **variables},
        timeout=600,
    )


@pytest.fixture(scope="module")
def project() -> Any:
    return yaml.safe_load((ROOT / "meltano.yml").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["tap-legacy-orders", "target-zoho-crm"])
def test_a_plugin_tells_about_itself(name: str) -> None:
    about = command(name, "--about")
    assert about.returncode == 0, about.stderr
    assert name in about.stdout


@pytest.mark.parametrize("name", ["tap-legacy-orders", "target-zoho-crm", "orders-sync", "zoho-crm-emulator"])
def test_a_command_helps(name: str) -> None:
    helped = command(name, "--help")
    assert helped.returncode == 0, helped.stderr
    assert "Usage:" in helped.stdout


def test_generated_files_say_what_their_sources_say() -> None:
    checked = command("python", "-m", "scripts.generate", "--check")
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize(("kind", "name"), [("extractors", "tap-legacy-orders"), ("loaders", "target-zoho-crm")])
def test_meltano_knows_every_setting_with_its_kind_default_and_secrecy(project: Any, kind: str, name: str) -> None:
    (definition,) = project["plugins"][kind]
    asked = ask(name)
    assert definition["name"] == name
    assert (ROOT / definition["executable"]).name == name
    assert [each["name"] for each in definition["settings"]] == [setting.name for setting in asked.settings]
    for known, setting in zip(definition["settings"], asked.settings, strict=True):
        assert known["kind"] == setting.kind
        assert known.get("value") == setting.default
        assert known.get("sensitive", False) is setting.sensitive
        assert [option["value"] for option in known.get("options", [])] == list(setting.options)


def test_meltanos_production_environment_holds_no_values_of_its_own(project: Any) -> None:
    (prod,) = (each for each in project["environments"] if each["name"] == "prod")
    values = [
        value for plugins in prod["config"]["plugins"].values() for each in plugins for value in each["config"].values()
    ]
    assert values
    assert all(value.startswith("$") for value in values)


def test_tap_and_target_are_given_one_ledger_in_production(project: Any) -> None:
    (prod,) = (each for each in project["environments"] if each["name"] == "prod")
    ledgers = {each["config"]["ack_url"] for plugins in prod["config"]["plugins"].values() for each in plugins}
    assert len(ledgers) == 1


def test_meltanos_demo_environment_fits_the_emulator(project: Any) -> None:
    (demo,) = (each for each in project["environments"] if each["name"] == "demo")
    (loader,) = demo["config"]["plugins"]["loaders"]
    assert loader["config"]["client_id"] == oauth.DEMO_CLIENT_ID
    assert loader["config"]["client_secret"] == oauth.DEMO_CLIENT_SECRET
    assert loader["config"]["refresh_token"] == oauth.DEMO_REFRESH_TOKEN


def test_a_variable_missing_in_production_stops_the_run_by_name_and_meltano_leaves_its_file_alone() -> None:
    before = (ROOT / "meltano.yml").read_bytes()
    missing = command("meltano", "--environment=prod", "config", "print", "target-zoho-crm")
    assert missing.returncode != 0
    assert "ZOHO_CLIENT_ID" in missing.stdout + missing.stderr
    assert (ROOT / "meltano.yml").read_bytes() == before


def test_every_place_names_the_same_pythons() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest = ".".join(map(str, OLDEST))
    named = [each.rpartition(" :: ")[2] for each in project["project"]["classifiers"] if ":: Python ::" in each]
    assert project["project"]["requires-python"] == f">={oldest}"
    assert project["tool"]["ruff"]["target-version"] == f"py{oldest.replace('.', '')}"
    assert project["tool"]["mypy"]["python_version"] == named[0] == oldest
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert f"Python {oldest} or later" in readme
    assert f"Python {oldest} to {named[-1]}" in readme
    assert f"Python {oldest} or later" in (ROOT / "Makefile").read_text(encoding="utf-8")


def test_a_skipped_test_of_an_engine_that_answers_fails_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "report.xml"
    report.write_text(
        '<testsuites><testsuite><testcase classname="tests.tap" name="test_pages[mariadb]">'
        '<skipped message="no server"/></testcase></testsuite></testsuites>'
    )
    monkeypatch.setattr(sys, "argv", ["engines", str(report)])
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        port = server.getsockname()[1]
        monkeypatch.setattr("scripts.skipped_engines.ENGINES", {"MariaDB": (port, ("mariadb",))})
        assert check_skipped() == 0, "nothing answers, so the skip is right"
        server.listen()
        assert check_skipped() == 1
    assert "test_pages[mariadb]" in capsys.readouterr().out
