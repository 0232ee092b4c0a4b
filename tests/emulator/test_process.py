from __future__ import annotations

import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path

import pytest
import requests
from emulator_client import Client, csv_zip

from zoho_crm_emulator.control import EmulatorError, EmulatorProcess

Factory = Callable[..., EmulatorProcess]


def test_everything_survives_a_restart_with_the_same_file(zoho_emulator_factory: Factory, tmp_path: Path) -> None:
    data = tmp_path / "crm.sqlite"
    emulator = zoho_emulator_factory(data=data)
    crm = Client(emulator)
    crm.upsert([{"parent_id": "A", "Channel": "Pigeon"}])
    told, result = crm.bulk([["parent_id"], ["B"]])
    waiting = crm.upload(csv_zip([["parent_id"], ["C"]])).json()["details"]["file_id"]
    emulator.admin.settings(job_seconds=3600)
    pending = crm.create(waiting, ["parent_id"]).json()["details"]["id"]
    emulator.admin.add_field("Orders", "Extra", "text")
    credits_ = emulator.admin.stats()["credits"]["by_kind"]
    authorization = crm.session.headers["Authorization"]
    emulator.stop()

    emulator.start()
    again = Client(emulator)
    again.session.headers["Authorization"] = authorization
    assert emulator.admin.stats()["credits"]["by_kind"] == credits_
    assert set(again.records()) == {"A", "B"}
    assert again.result(again.job(told["id"]))[1:] == result
    assert again.create(waiting, ["parent_id"]).status_code == 201
    assert again.upsert([{"parent_id": "A", "Extra": "x"}]).json()["data"][0]["action"] == "update"
    assert again.job(pending)["status"] in {"ADDED", "INPROGRESS"}
    emulator.admin.advance_clock(3601)
    emulator.admin.wait_jobs()
    assert set(again.records()) == {"A", "B", "C"}
    ids = [int(record["id"]) for record in emulator.admin.records("Orders")]
    assert len(set(ids)) == 3


def test_the_date_of_an_answer_follows_the_clock_as_record_times_do(zoho_emulator: EmulatorProcess) -> None:
    crm = Client(zoho_emulator)
    zoho_emulator.admin.set_clock("manual")
    now = datetime.fromtimestamp(zoho_emulator.admin.advance_clock(600) // 1_000, timezone.utc)
    answer = crm.upsert([{"parent_id": "A"}])
    assert parsedate_to_datetime(answer.headers["Date"]) == now
    told = answer.json()["data"][0]["details"]
    assert datetime.fromisoformat(told["Created_Time"]) == now


def test_a_killed_emulator_has_lost_no_answered_write(zoho_emulator_factory: Factory, tmp_path: Path) -> None:
    emulator = zoho_emulator_factory(data=tmp_path / "crm.sqlite")
    crm = Client(emulator)
    for number in range(20):
        assert crm.upsert([{"parent_id": f"{number}-{one}"} for one in range(50)]).status_code == 200
    told, _ = crm.bulk([["parent_id"], ["job"]])
    emulator.kill()
    emulator.start()
    assert len(Client(emulator).records()) == 1001
    assert Client(emulator).job(told["id"])["status"] == "COMPLETED"


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_it_cleanly_with_a_whole_file(tmp_path: Path, how: signal.Signals) -> None:
    data = tmp_path / "crm.sqlite"
    process = subprocess.Popen(
        [sys.executable, "-m", "zoho_crm_emulator", "--port", "0", "--data", str(data)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line.startswith("zoho-crm-emulator ready at http://127.0.0.1:")
    process.send_signal(how)
    _, errors = process.communicate(timeout=120)
    assert (process.returncode, errors) == (0, "")
    assert not data.with_name("crm.sqlite-wal").exists()
    with sqlite3.connect(data) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_it_stops_by_itself_although_a_request_is_held(zoho_emulator_factory: Factory, tmp_path: Path) -> None:
    data = tmp_path / "crm.sqlite"
    emulator = zoho_emulator_factory(data=data)
    crm = Client(emulator)
    fault = emulator.admin.add_fault("org", kind="hold_before")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(crm.get, "/crm/v8/org")
        emulator.admin.wait_held(fault)
        emulator.stop()
        assert not data.with_name("crm.sqlite-wal").exists()  # as it would where it had to be killed
        assert held.exception(120) is not None or held.result().status_code >= 500


def test_a_taken_port_is_one_clear_line(zoho_emulator: EmulatorProcess, tmp_path: Path) -> None:
    port = zoho_emulator.base_url.rpartition(":")[2]
    run = subprocess.run(
        [sys.executable, "-m", "zoho_crm_emulator", "--port", port, "--data", str(tmp_path / "x.sqlite")],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert run.returncode == 1
    assert run.stderr.startswith(f"Error: cannot listen on 127.0.0.1:{port}")
    with pytest.raises(EmulatorError):
        EmulatorProcess(port=int(port)).start()


def test_a_reset_leaves_nothing_behind(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.add_module("Extra", [])
    admin.add_fault("org", kind="answer", canned="internal_error")
    admin.settings(edition="free", credits_remaining=1, job_seconds=60, switches={"download_url": "absolute"})
    admin.set_clock("manual")
    before = admin.state()
    admin.put_records("Orders", [{"parent_id": "A"}])
    admin.reset()
    after, stats = admin.state(), admin.stats()
    assert before != after
    assert (after["edition"], after["clock"]["mode"], after["switches"]["download_url"]) == (
        "enterprise",
        "real",
        "elsewhere",
    )
    assert set(stats["modules"].values()) == {0}
    assert "Extra" not in stats["modules"]
    assert (stats["requests"], stats["jobs"], stats["credits"]["spent"], admin.faults()) == ({}, {}, 0, [])
    assert crm.get("/crm/v8/org").json()["code"] == "INVALID_TOKEN"
    assert Client(crm.emulator).upsert([{"parent_id": "A"}]).json()["data"][0]["action"] == "insert"


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells what a process has used")
def test_a_fresh_emulator_is_ready_after_little_work(zoho_emulator_factory: Factory) -> None:
    emulator = zoho_emulator_factory()
    used = Path(f"/proc/{emulator.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[11:13]
    assert sum(map(int, used)) / os.sysconf("SC_CLK_TCK") < 5  # seconds of CPU, of which a loaded machine takes no more


def test_the_page_shows_records_jobs_requests_credits_and_faults(crm: Client) -> None:
    crm.upsert([{"parent_id": "A-1", "Customer_Name": "<b>Ada</b>"}, {"parent_id": "B-1", "Customer_Name": "Bo"}])
    crm.bulk([["parent_id", "Status"], ["C-1", "New"], ["D-1", "Gone"]])
    crm.emulator.admin.add_fault("coql", kind="answer", canned="bad_gateway")
    page = requests.get(crm.base, timeout=120).text
    for text in ("A-1", "C-1", "&lt;b&gt;Ada&lt;/b&gt;", "completed", "bulk create", "coql", "bad_gateway", "501"):
        assert text in page
    assert "<b>Ada" not in page
    assert crm.emulator.refresh_token not in page
    found = requests.get(crm.base, params={"module": "Orders", "q": "b-"}, timeout=120).text
    assert "B-1" in found
    assert "A-1" not in found
    by_name = requests.get(crm.base, params={"module": "Orders", "q": "ada"}, timeout=120).text
    assert "A-1" in by_name
    assert "Nothing found" in requests.get(crm.base, params={"q": "100%_none"}, timeout=120).text
    assert "No record yet" in requests.get(crm.base, params={"module": "Contacts"}, timeout=120).text


def test_it_listens_on_loopback_alone_unless_told_otherwise(zoho_emulator: EmulatorProcess) -> None:
    """127.0.0.2 is this machine too: who listens on every address answers there."""
    port = int(zoho_emulator.base_url.rpartition(":")[2])
    assert zoho_emulator.base_url == f"http://127.0.0.1:{port}"
    with closing(socket.socket()) as probe:
        probe.settimeout(2)
        assert probe.connect_ex(("127.0.0.2", port)) != 0
