"""The command line sees the Meltano project that it stands in, and agrees with what `meltano run` does there."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from host_recorder import HostRecorder
from pair_of_plugins import BIN
from project_of_two_environments import LONGER_THAN_ITS_FIELD, MeltanoProject

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

BOTH = ("test", "prod")


@pytest.fixture
def recorder() -> Iterator[HostRecorder]:
    with HostRecorder().listening() as recorder:
        yield recorder


@pytest.fixture
def project(
    zoho_emulator_factory: Callable[..., EmulatorProcess], recorder: HostRecorder, tmp_path: Path
) -> MeltanoProject:
    folder = tmp_path / "project"
    folder.mkdir()
    project = MeltanoProject(folder, {name: zoho_emulator_factory() for name in BOTH}, recorder.variables)
    project.make()
    return project


def document(project: MeltanoProject, *arguments: str, code: int = 0) -> Any:
    done = project.run("orders-sync", *arguments, "--json")
    assert done.returncode == code, done.stdout + done.stderr
    return json.loads(done.stdout)


def edit(project: MeltanoProject, change: Callable[[Any], None]) -> None:
    file = project.folder / "meltano.yml"
    content = yaml.safe_load(file.read_text(encoding="utf-8"))
    change(content)
    file.write_text(yaml.safe_dump(content), encoding="utf-8")


@pytest.mark.nightly
@pytest.mark.parametrize("name", BOTH)
def test_doctor_plan_status_problems_and_retry_agree_with_meltano_run(
    project: MeltanoProject, recorder: HostRecorder, name: str
) -> None:
    at = ("--environment", name) if name != "test" else ()  # which is the project's default
    project.write(
        name,
        "INSERT INTO customers VALUES ('C1', 'Ada', '2026-01-01 08:00:00'), ('C2', 'Bob', '2026-01-01 08:00:01');"
        "INSERT INTO orders VALUES ('A1', 'Ada', 'Paid', '2026-01-01 08:00:00'),"
        f" ('A2', '{LONGER_THAN_ITS_FIELD}', 'Paid', '2026-01-01 08:00:01')",
    )
    assert project.meltano_run(name, "tap-customers") == 2
    assert project.meltano_run(name, "tap-orders") == 2
    project.write(
        name,
        "INSERT INTO orders VALUES ('A3', 'Eve', 'Paid', '2026-01-01 08:00:02'),"
        " ('A4', 'Eve', 'Draft', '2026-01-01 08:00:03')",
    )
    new = 1 if name == "prod" else 2  # prod's filter leaves drafts out
    planned = document(project, *at, "plan", "--tap", "tap-orders")
    assert planned["backlog"]["unsynced"] == planned["orders"] == new
    streams = {each["stream"]: each for each in document(project, *at, "status")["streams"]}
    assert {stream: each["unsynced"] for stream, each in streams.items()} == {"customers": 0, "orders": new}
    assert (streams["orders"]["refused"], streams["customers"]["binding"]["module"]) == (1, "Accounts")
    (problem,) = document(project, *at, "problems", "--stream", "orders")["problems"]
    assert problem["sample_keys"] == ["A2"]
    assert document(project, *at, "retry", "--all", "--stream", "orders")["retried"] == 1
    assert document(project, *at, "plan", "--tap", "tap-orders")["orders"] == new + 1
    assert project.meltano_run(name, "tap-orders") == new + 1
    # What status advises needs the stream alone; a named tap says which stream is meant, and what its mapping is now.
    advised = project.run("orders-sync", *at, "resend", "--older-than-mapping", "--dry-run", "--stream", "orders")
    assert (advised.returncode, "several pairs, and no --tap" in advised.stderr) == (0, True), advised.stderr
    named = document(project, *at, "resend", "--older-than-mapping", "--dry-run", "--tap", "tap-orders")
    assert (named["stream"], named["found"]) == ("orders", 0)
    examined = document(project, *at, "doctor", "--tap", "tap-orders")
    assert examined["ok"], examined
    (addresses,) = [each["message"] for each in examined["findings"] if each["subject"] == "Zoho's addresses"]
    assert addresses.count(project.emulators[name].base_url) == 3
    (other,) = [each for each in BOTH if each != name]
    assert project.emulators[other].admin.requests() == []
    assert recorder.hosts == set()


@pytest.mark.nightly
def test_meltano_invoke_gives_the_same_command_the_same_project(project: MeltanoProject) -> None:
    def add(content: Any) -> None:
        utility = {"name": "orders-sync", "namespace": "orders_sync", "executable": str(BIN / "orders-sync")}
        content["plugins"]["utilities"] = [utility]

    edit(project, add)
    done = project.run("meltano", "--environment=prod", "invoke", "orders-sync", "doctor", "--settings", "--json")
    assert done.returncode == 1, done.stderr  # two taps, and none named
    found = json.loads(done.stdout)
    assert found["place"].endswith("environment prod")
    assert (
        "has several taps of ours: tap-customers, tap-orders. Name one by --tap."
        in found["missing"]["tap-legacy-orders"]
    )


def test_a_number_for_a_name_in_the_projects_file_is_said_to_need_quotes(project: MeltanoProject) -> None:
    def translate(content: Any) -> None:
        fields = {"Status": {"source": "state", "values": {1: "New", 2: "Paid"}}}
        content["plugins"]["loaders"][0].setdefault("config", {})["fields"] = fields

    edit(project, translate)
    done = project.run("orders-sync", "doctor", "--tap", "tap-orders")
    assert done.returncode == 1
    assert "expected str instance, int found" in done.stdout
    assert "need quotes" in done.stdout


def test_the_variable_of_meltano_chooses_the_environment_for_both_commands(project: MeltanoProject) -> None:
    found = project.run("orders-sync", "doctor", "--settings", "--json", MELTANO_ENVIRONMENT="prod")
    assert json.loads(found.stdout)["place"].endswith("environment prod")
    printed = project.run("meltano", "config", "print", "tap-orders", MELTANO_ENVIRONMENT="prod")
    assert "status <> 'Draft'" in json.loads(printed.stdout)["filter"]  # which `test` has not


def test_settings_say_where_each_was_found_and_no_secret(project: MeltanoProject) -> None:
    done = project.run("orders-sync", "doctor", "--settings", "--tap", "tap-orders", "--json", TAP_ORDERS_PAGE_SIZE="7")
    assert done.returncode == 0, done.stdout + done.stderr
    found = {(each["plugin"], each["name"]): each for each in json.loads(done.stdout)["settings"]}
    tap, target = "tap-legacy-orders", "target-zoho-crm"
    assert found[tap, "orders_table"]["found"] == "meltano.yml"
    assert found[tap, "page_size"] == {
        "plugin": tap,
        "name": "page_size",
        "value": "7",
        "found": "variable TAP_ORDERS_PAGE_SIZE in the environment",
    }
    inherited = "the active environment in meltano.yml as $TEST_SHOP_URL, inherited from tap-legacy-orders"
    assert found[tap, "sqlalchemy_url"]["found"] == inherited
    assert found[target, "client_secret"]["found"] == "variable TARGET_ZOHO_CRM_CLIENT_SECRET in .env"
    assert found[target, "data_center"] == {"plugin": target, "name": "data_center", "value": "us", "found": "default"}
    for emulator in project.emulators.values():
        assert emulator.client_secret not in done.stdout
        assert emulator.refresh_token not in done.stdout


def test_an_error_about_a_value_says_where_it_was_set(project: MeltanoProject) -> None:
    edit(project, lambda content: content["plugins"]["extractors"][0].update(config={"timezone": "Mars/Base"}))
    said = "there is no zone 'Mars/Base'; expected e.g. Europe/Berlin or UTC (`timezone`: {})\n"
    done = project.run("orders-sync", "plan", "--tap", "tap-orders", TAP_ORDERS_TIMEZONE="Mars/Base")
    assert said.format("variable TAP_ORDERS_TIMEZONE in the environment") in done.stderr
    done = project.run("orders-sync", "doctor", "--tap", "tap-orders", TEST_SHOP_URL="sqlite:////nowhere/shop.sqlite")
    assert "there is no SQLite file /nowhere/shop.sqlite" in done.stdout
    assert "(`sqlalchemy_url`: the active environment in meltano.yml as $TEST_SHOP_URL, inherited" in done.stdout
    done = project.run("meltano", "invoke", "tap-orders")
    assert said.format("variable TAP_ORDERS_TIMEZONE, or meltano.yml") in done.stderr


@pytest.mark.nightly
def test_credentials_without_their_place_go_nowhere(project: MeltanoProject, recorder: HostRecorder) -> None:
    edit(project, lambda content: content.pop("default_environment"))
    done = project.run("orders-sync", "doctor", "--tap", "tap-orders", TARGET_ZOHO_CRM_REFRESH_TOKEN="1000.somebodys")
    assert done.returncode == 1
    assert "no environment of the project is active, and nothing says where Zoho's side is" in done.stdout
    assert "the environments test, prod have settings for it" in done.stdout
    assert recorder.hosts == set()
    # A project that says where sends them there, and nowhere else: the recorder does see hosts.
    done = project.run(
        "orders-sync",
        "doctor",
        "--tap",
        "tap-orders",
        TARGET_ZOHO_CRM_REFRESH_TOKEN="1000.somebodys",
        TARGET_ZOHO_CRM_DATA_CENTER="eu",
    )
    assert done.returncode == 1
    assert recorder.hosts == {"accounts.zoho.eu"}


@pytest.mark.nightly
def test_a_project_whose_meltano_cannot_be_asked_is_no_reason_to_go_by_the_environment(
    project: MeltanoProject, recorder: HostRecorder, tmp_path: Path
) -> None:
    (project.folder / "meltano.yml").write_text("plugins: [\n")
    secrets = {"ZOHO_CLIENT_ID": "a", "ZOHO_CLIENT_SECRET": "b", "ZOHO_REFRESH_TOKEN": "c"}
    done = project.run("orders-sync", "doctor", **secrets)
    assert done.returncode == 1
    assert "Meltano" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    outside = tmp_path / "outside"
    outside.mkdir()
    project.folder = outside  # no project, and credentials that nobody has said a place for
    done = project.run("orders-sync", "doctor", **secrets)
    assert "the environment has credentials (variable ZOHO_CLIENT_SECRET), and nothing says where" in done.stdout
    assert recorder.hosts == set()


@pytest.mark.nightly
def test_login_writes_the_variables_that_the_target_reads(project: MeltanoProject, recorder: HostRecorder) -> None:
    def rename(content: Any) -> None:
        (target,) = content["plugins"]["loaders"]
        content["plugins"]["loaders"].append({"name": "target-archive", "inherit_from": target["name"]})

    edit(project, rename)
    emulator = project.emulators["prod"]
    typed = {"ZOHO_CLIENT_SECRET": emulator.client_secret, "ZOHO_GRANT_CODE": emulator.admin.grant_code()}
    done = project.run("orders-sync", "--environment", "prod", "login", "--target", "target-archive", **typed)
    assert done.returncode == 0, done.stderr
    env_file = (project.folder / ".env").read_text()
    assert "PROD_REFRESH_TOKEN='1000." in env_file  # meltano.yml names this variable
    assert f"TARGET_ARCHIVE_CLIENT_SECRET='{emulator.client_secret}'" in env_file
    assert "ZOHO_DATA_CENTER" not in env_file
    found = document(project, "--environment", "prod", "doctor", "--tap", "tap-orders", "--target", "target-archive")
    assert next(each for each in found["findings"] if each["subject"] == "Token")["result"] == "ok"
    assert recorder.hosts == set()
