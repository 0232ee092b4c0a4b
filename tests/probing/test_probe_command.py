"""`orders-sync probe` says what it costs, asks no production org unawares, and leaves nothing, even if it is killed."""

from __future__ import annotations

import json
import re
import signal
from multiprocessing import get_context
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from pair_of_plugins import BIN, finish, start
from probed_org import ProbedOrg

from orders_sync.cli import main
from orders_sync.probing.fields import FIELDS
from orders_sync.probing.verdicts import Sureness
from zoho_crm_emulator.control import EmulatorProcess

SECONDS = 120


class Set:
    """An emulator with real time, and a config of the target for it."""

    def __init__(self, emulator: EmulatorProcess, folder: Path) -> None:
        self.emulator, self.folder = emulator, folder
        self.config = folder / "target.json"
        url = emulator.base_url
        places = {"accounts_url": url, "api_url": url, "upload_url": url, "data_center": "us"}
        client = {"client_id": emulator.client_id, "client_secret": emulator.client_secret}
        self.config.write_text(json.dumps({**client, **places, "refresh_token": emulator.refresh_token}))
        self.profile = folder / "zoho-profile.json"

    def words(self, command: str, *options: str) -> list[str]:
        return [command, *options, "--target-config", str(self.config)]

    def run(self, command: str, *options: str, typed: str = "") -> Result:
        return CliRunner().invoke(main, self.words(command, *options), input=typed, catch_exceptions=False)

    def probe(self, *options: str) -> Result:
        return self.run("probe", "Orders", "--profile", str(self.profile), "--yes", "--production-i-know", *options)

    def spent(self) -> int:
        return int(self.emulator.admin.stats()["credits"]["spent"])

    def left(self) -> int:
        return sum("orders-sync-probe" in str(each) for each in self.emulator.admin.records("Orders"))


@pytest.fixture
def given(zoho_emulator: EmulatorProcess, tmp_path: Path) -> Set:
    made = Set(zoho_emulator, tmp_path)
    zoho_emulator.admin.switch(search_lag_seconds=0, time_zone="Asia/Kolkata")
    assert made.run("init", "--probe", "Orders", "--yes").exit_code == 0
    return made


def test_a_whole_probe_costs_what_it_foretold_shows_nothing_of_the_org_and_leaves_nothing(given: Set) -> None:
    before, report = given.spent(), given.folder / "report.html"
    result = given.probe("--report", str(report))
    assert result.exit_code == 0, result.output
    most = int(re.findall(r"at most ([\d,]+) API credits", result.output)[0].replace(",", ""))
    counted = int(re.findall(r"; ([\d,]+) of ", result.output)[0].replace(",", ""))
    spent = given.spent() - before
    assert most < 3_000
    assert spent <= counted <= most
    assert counted - spent <= 30  # queries at once that were refused
    assert (given.left(), list(given.emulator.admin.records("Orders"))) == (0, [])
    profile = json.loads(given.profile.read_text())
    assert (profile["zoho_profile"], profile["org_type"], profile["api_version"]) == (1, "production", "v8")
    assert profile["measures"]["job_seconds"].keys() == {"1", "1000", "25000"}
    assert len(profile["positions"]) > 45
    for text in (given.profile.read_text(), report.read_text(), result.output):
        assert_nothing_of_the_org(text, given.emulator)
    assert "<h2>Evidence</h2>" in report.read_text()
    assert not list(given.folder.glob("*.jobs"))


def assert_nothing_of_the_org(text: str, emulator: EmulatorProcess) -> None:
    state = emulator.admin.state()["switches"]
    secrets = [emulator.client_secret, emulator.refresh_token, emulator.client_id, state["zgid"], "1000."]
    people = ["emuladmin", "emulclerk", "Emulator Shop", "shops.com", "Emulator Admin", "Asia/Kolkata"]
    fields = ["Customer_Email", "Is_Gift", "Linked_Orders"]
    assert [each for each in (*secrets, *people, *fields) if each in text] == []
    assert re.findall(r"\d{15,}", text.replace("123456789012345678", "")) == []


def test_nothing_is_asked_of_a_production_org_unawares(given: Set) -> None:
    result = given.run("probe", "Orders", "--profile", str(given.profile), "--yes")
    assert (result.exit_code, given.profile.exists()) == (1, False)
    assert "this org is of type production" in result.output
    assert given.emulator.admin.stats()["records"] == {}
    assert given.run("probe", "Orders", "--profile", str(given.profile), typed="n\n").exit_code == 1


def test_a_clean_up_deletes_nothing_of_a_production_org_unawares_and_nothing_unasked(given: Set) -> None:
    given.emulator.admin.put_records("Orders", [{"Name": "orders-sync-probe-left"}])
    clean_up = ("probe", "Orders", "--profile", str(given.profile), "--clean-up")
    refused = given.run(*clean_up, "--yes")
    assert (refused.exit_code, "this org is of type production" in refused.output) == (1, True)
    asked = given.run(*clean_up, "--production-i-know", typed="n\n")
    assert (asked.exit_code, given.left()) == (1, 1)
    assert "orders-sync-probe-" in asked.output
    done = given.run(*clean_up, "--production-i-know", typed="y\n")
    assert (done.exit_code, given.left()) == (0, 0), done.output


@pytest.mark.parametrize("cleans", [True, False])
def test_a_probe_that_is_interrupted_keeps_what_it_found_and_deletes_what_it_made(given: Set, cleans: bool) -> None:  # noqa: FBT001 - a parameter of the test
    admin = given.emulator.admin
    held = admin.add_fault("search", kind="hold_before")
    options = ("--profile", str(given.profile), "--yes", "--production-i-know", "--only", "insert_status")
    words = given.words("probe", "Orders", *options, "--only", "search_lag_seconds")
    process = start([BIN / "orders-sync", *words])
    admin.wait_held(held, timeout=SECONDS)
    if not cleans:
        admin.add_fault("coql", kind="answer", canned="no_permission")
    process.send_signal(signal.SIGINT)
    ended = finish(process)
    assert ended.code == 1
    assert json.loads(given.profile.read_text())["positions"] == {"insert_status": 200}
    assert ("Records may be left in Orders" in ended.out + ended.err) is not cleans
    assert given.left() == 0


def test_a_budget_is_kept_and_what_it_leaves_is_asked_another_time(given: Set) -> None:
    before = given.spent()
    result = given.probe("--only", "counts", "--only", "max_read_rows", "--budget", "20")
    assert result.exit_code == 0, result.output
    assert given.spent() - before <= 20 + 5
    assert "max_read_rows: not asked: it needs 50 credits more" in result.output
    assert given.probe("--only", "max_read_rows").exit_code == 0
    profile = json.loads(given.profile.read_text())
    assert profile["positions"] == {"counts": "text", "max_read_rows": 200_000}
    assert profile["not_asked"] == {}


def test_a_question_that_is_none_is_refused_before_anything(given: Set) -> None:
    result = given.probe("--only", "weather")
    assert (result.exit_code, "there is no question weather" in result.output) == (2, True)


def test_init_makes_the_fields_of_the_probe_once(given: Set) -> None:
    result = given.run("init", "--probe", "Order_Lines", "--dry-run")
    assert [each.api_name for each in FIELDS if f"  {each.api_name}: {each.data_type}" not in result.output] == []
    assert given.run("init", "--probe", "Order_Lines", "--yes").exit_code == 0
    assert "the fields of the probe are there" in given.run("init", "--probe", "Order_Lines").output


@pytest.mark.parametrize("endpoint", [pytest.param("insert", marks=pytest.mark.nightly), "bulk_poll"])
def test_a_probe_that_is_killed_leaves_nothing_after_a_clean_up(given: Set, endpoint: str) -> None:
    admin = given.emulator.admin
    admin.put_records("Orders", [{"Name": "Somebody's", "parent_id": "A-1"}])
    admin.settings(job_seconds=2)
    fault = admin.add_fault(endpoint, kind="hold_after", after=1 if endpoint == "insert" else 0)
    process = get_context("fork").Process(target=lambda: given.probe("--only", "result_status"))
    process.start()
    admin.wait_held(fault, timeout=SECONDS)
    process.kill()
    process.join()
    admin.remove_fault(fault)
    assert given.left() > 0
    result = given.probe("--clean-up")
    assert result.exit_code == 0, result.output
    admin.wait_jobs()  # what is at work yet would make its records now
    assert [each.get("parent_id") for each in admin.records("Orders")] == ["A-1"]
    assert not list(given.folder.glob("*.jobs"))


def test_a_job_of_which_nobody_knows_the_id_is_waited_for(org: ProbedOrg) -> None:
    org.turn({})
    fault = org.emulator.admin.add_fault("bulk_create", kind="lost_after", times=1)
    found = org.probe("result_status")
    assert org.emulator.admin.fired(fault) == 1
    assert found.findings[0].verdict.sureness is Sureness.NOT_ASKED
    assert found.deleted > 20  # those that the job made after the first look
    assert list(org.emulator.admin.records("Orders")) == []
    assert not list(org.folder.glob("*.jobs"))
