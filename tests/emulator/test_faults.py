from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import requests
from emulator_client import Client, csv_zip

from zoho_crm_emulator.control import EmulatorError

LOST = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@pytest.mark.parametrize(
    ("canned", "status", "text"),
    [
        ("too_many_requests", 429, "TOO_MANY_REQUESTS"),
        ("internal_error", 500, "INTERNAL_ERROR"),
        ("bad_gateway", 502, "<html>"),
        ("unavailable", 503, "<html>"),
        ("gateway_timeout", 504, "<html>"),
        ("invalid_token", 401, "INVALID_TOKEN"),
        ("authentication_failure", 401, "AUTHENTICATION_FAILURE"),
        ("scope_mismatch", 401, "OAUTH_SCOPE_MISMATCH"),
        ("storage_full", 400, "MAX_RECORDS_LIMIT_REACHED"),
        ("ok_but_error", 200, "INTERNAL_ERROR"),
        ("not_json", 200, "OK"),
        ("empty", 200, ""),
    ],
)
def test_a_canned_answer_comes_as_often_as_asked_and_changes_nothing(
    crm: Client, canned: str, status: int, text: str
) -> None:
    admin = crm.emulator.admin
    fault = admin.add_fault("upsert", kind="answer", canned=canned, times=2)
    for _ in range(2):
        answer = crm.upsert([{"parent_id": "A"}])
        assert answer.status_code == status
        assert text in answer.text
    assert not crm.records()
    assert crm.upsert([{"parent_id": "A"}]).status_code == 200
    assert admin.fired(fault) == 2
    assert admin.stats()["credits"]["by_kind"] == {"write": 1}


def test_another_answer_can_come_after_the_effect(crm: Client) -> None:
    crm.emulator.admin.add_fault("upsert", kind="answer_after", canned="gateway_timeout", times=1)
    answer = crm.upsert([{"parent_id": "A"}])
    assert (answer.status_code, "<html>" in answer.text) == (504, True)
    assert list(crm.records()) == ["A"]
    with pytest.raises(EmulatorError, match="needs `canned`"):
        crm.emulator.admin.add_fault("upsert", kind="answer_after")


def test_an_answer_can_be_spelt_out_and_wait_for_its_turn(crm: Client) -> None:
    crm.emulator.admin.add_fault(
        "org", kind="answer", status=418, body={"short": "stout"}, headers={"Retry-After": "3"}, after=1, times=1
    )
    answers = [crm.get("/crm/v8/org") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 418, 200]
    assert (answers[1].json(), answers[1].headers["Retry-After"]) == ({"short": "stout"}, "3")


@pytest.mark.parametrize(
    ("endpoint", "call"),
    [
        ("token", lambda crm: crm.token()),
        ("fields", lambda crm: crm.get("/crm/v8/settings/fields?module=Orders")),
        ("coql", lambda crm: crm.post("/crm/v8/coql", json={"select_query": "select id from Orders where id = 1"})),
        ("upload", lambda crm: crm.upload(csv_zip([["parent_id"], ["A"]]))),
        ("bulk_create", lambda crm: crm.create("1", ["parent_id"])),
        ("bulk_poll", lambda crm: crm.get("/crm/bulk/v8/write/1")),
        ("bulk_result", lambda crm: crm.get("/v2/crm/org60012345678/bulk-write/1/1.zip")),
        ("read_one", lambda crm: crm.get("/crm/v8/Orders/1")),
    ],
)
def test_each_endpoint_has_faults_of_its_own(crm: Client, endpoint: str, call: Any) -> None:
    crm.emulator.admin.add_fault(endpoint, kind="answer", status=599, body={}, times=1)
    assert crm.get("/crm/v8/users").status_code == 200
    assert call(crm).status_code == 599
    assert call(crm).status_code != 599


def test_a_connection_lost_before_leaves_nothing_and_lost_after_leaves_the_effect(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.add_fault("upsert", kind="lost_before", times=1)
    with pytest.raises(LOST):
        crm.upsert([{"parent_id": "A"}])
    assert not crm.records()
    admin.add_fault("upsert", kind="lost_after", times=1)
    with pytest.raises(LOST):
        crm.upsert([{"parent_id": "A"}])
    assert set(crm.records()) == {"A"}
    assert [one["status"] for one in admin.requests(2)] == ["lost", "lost"]
    assert crm.upsert([{"parent_id": "A"}]).json()["data"][0]["action"] == "update"


def test_a_job_created_behind_a_lost_answer_runs_all_the_same(crm: Client) -> None:
    crm.emulator.admin.add_fault("bulk_create", kind="lost_after", times=1)
    file_id = crm.upload(csv_zip([["parent_id"], ["A"]])).json()["details"]["file_id"]
    with pytest.raises(LOST):
        crm.create(file_id, ["parent_id"])
    crm.emulator.admin.wait_jobs()
    assert set(crm.records()) == {"A"}


def test_a_cut_answer_breaks_off_in_its_middle(crm: Client) -> None:
    crm.emulator.admin.add_fault("fields", kind="cut", times=1)
    with pytest.raises(LOST):
        crm.get("/crm/v8/settings/fields?module=Orders")
    assert crm.get("/crm/v8/settings/fields?module=Orders").status_code == 200


def test_a_delay_delays(crm: Client) -> None:
    fault = crm.emulator.admin.add_fault("org", kind="delay", seconds=0.3, times=1)
    assert crm.get("/crm/v8/org").elapsed.total_seconds() >= 0.3
    assert crm.get("/crm/v8/org").status_code == 200
    assert crm.emulator.admin.fired(fault) == 1


@pytest.mark.parametrize(("kind", "there"), [("hold_before", False), ("hold_after", True)])
def test_a_held_request_waits_before_or_after_its_effect(crm: Client, kind: str, there: bool) -> None:  # noqa: FBT001
    admin = crm.emulator.admin
    fault = admin.add_fault("upsert", kind=kind)
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(crm.upsert, [{"parent_id": "A"}])
        admin.wait_held(fault)
        assert bool(crm.records()) is there
        assert not held.done()
        assert admin.release(fault) == 1
        assert held.result(120).status_code == 200
    assert set(crm.records()) == {"A"}


def test_clearing_faults_lets_held_requests_go(crm: Client) -> None:
    admin = crm.emulator.admin
    fault = admin.add_fault("org", kind="hold_before")
    with ThreadPoolExecutor(1) as pool:
        held = pool.submit(crm.get, "/crm/v8/org")
        admin.wait_held(fault)
        admin.clear_faults()
        assert held.result(120).status_code == 200
    assert admin.faults() == []


def test_a_switch_can_be_turned_for_one_request(crm: Client) -> None:
    crm.emulator.admin.add_fault("upsert", kind="switch", set={"request_errors": "in_data"}, times=1)
    assert "data" in crm.upsert([]).json()
    assert "code" in crm.upsert([]).json()


def test_a_fault_can_be_for_one_module(crm: Client) -> None:
    crm.emulator.admin.add_fault("upsert", module="Accounts", kind="answer", canned="internal_error")
    assert crm.upsert([{"parent_id": "A"}]).status_code == 200
    assert crm.upsert([{"Account_Name": "A"}], "Accounts", duplicate_check_fields=[]).status_code == 500


def test_certain_records_are_refused_by_upsert_and_by_bulk_write(crm: Client) -> None:
    admin = crm.emulator.admin
    fault = admin.add_fault(kind="record_error", keys=["B", "C"], code="RECORD_LOCKED", field="Status", times=3)
    items = crm.upsert([{"parent_id": key} for key in ("A", "B", "C")]).json()["data"]
    assert [item["code"] for item in items] == ["SUCCESS", "RECORD_LOCKED", "RECORD_LOCKED"]
    _, result = crm.bulk([["parent_id"], ["A"], ["b"], ["C"]])
    assert [row[1:] for row in result][1:] == [["skipped", "", "RECORD_LOCKED-Status"], ["added", result[2][2], ""]]
    assert admin.fired(fault) == 3


@pytest.mark.parametrize("status", [400, 500])
def test_one_record_can_fail_a_whole_call_and_a_whole_job_and_is_not_named(crm: Client, status: int) -> None:
    admin = crm.emulator.admin
    fault = admin.add_fault(kind="poison", keys=["B"], code="INTERNAL_ERROR", status=status)
    spent = admin.stats()["credits"]["spent"]
    answer = crm.upsert([{"parent_id": key} for key in ("A", "B", "C")])
    assert answer.status_code == status
    assert answer.json() == {
        "code": "INTERNAL_ERROR",
        "details": {},
        "message": "Internal server error occurred.",
        "status": "error",
    }
    assert admin.stats()["credits"]["spent"] == spent + 1
    told, _ = crm.bulk([["parent_id"], ["A"], ["b"], ["C"]])
    assert (told["status"], told["resource"][0]["code"]) == ("FAILED", "INTERNAL_ERROR")
    assert not crm.records()
    assert admin.fired(fault) == 2
    assert crm.upsert([{"parent_id": key} for key in ("A", "C")]).status_code == 200
    assert set(crm.records()) == {"A", "C"}


def test_a_gateway_can_fail_just_those_requests_that_are_about_certain_records(crm: Client) -> None:
    assert crm.upsert([{"parent_id": key} for key in ("A", "B")]).status_code == 200
    ids = {key: record["id"] for key, record in crm.records().items()}
    admin = crm.emulator.admin
    fault = admin.add_fault(kind="answer", canned="gateway_timeout", keys=["b"])
    assert crm.upsert([{"parent_id": key} for key in ("A", "B")]).status_code == 504
    assert crm.upsert([{"parent_id": "A"}]).status_code == 200
    assert crm.put("/crm/v8/Orders", json={"data": [{"id": ids["B"], "Notes": "x"}]}).status_code == 504
    assert crm.delete("/crm/v8/Orders", params={"ids": f"{ids['A']},{ids['B']}"}).status_code == 504
    query = {"select_query": "select id from Orders where parent_id in ('A','B')"}
    assert crm.post("/crm/v8/coql", json=query).status_code == 504
    assert crm.upload(csv_zip([["parent_id"], ["A"], ["B"]])).status_code == 504
    assert admin.fired(fault) == 5
    admin.remove_fault(fault)
    with_b = crm.upload(csv_zip([["parent_id"], ["A"], ["B"]])).json()["details"]["file_id"]
    admin.add_fault("bulk_create", kind="lost_before", keys=["B"])
    with pytest.raises(LOST):
        crm.create(with_b, ["parent_id"])
    assert crm.bulk([["parent_id"], ["A"]])[0]["status"] == "COMPLETED"


def test_a_gateway_can_fail_just_large_requests(crm: Client) -> None:
    fault = crm.emulator.admin.add_fault(kind="answer", canned="gateway_timeout", over=2)
    assert crm.upsert([{"parent_id": key} for key in ("A", "B", "C")]).status_code == 504
    assert crm.upsert([{"parent_id": key} for key in ("A", "B")]).status_code == 200
    assert crm.upload(csv_zip([["parent_id"], ["A"], ["B"], ["C"]])).status_code == 504
    assert crm.upload(csv_zip([["parent_id"], ["A"], ["B"]])).status_code == 200
    assert crm.emulator.admin.fired(fault) == 2


def test_a_job_can_fail(crm: Client) -> None:
    crm.emulator.admin.add_fault(kind="job_failed", code="CANNOT_PROCESS", times=1)
    told, _ = crm.bulk([["parent_id"], ["A"]])
    assert (told["status"], told["resource"][0]["code"]) == ("FAILED", "CANNOT_PROCESS")
    assert not crm.records()
    assert crm.bulk([["parent_id"], ["A"]])[0]["status"] == "COMPLETED"


@pytest.mark.parametrize("how", [{"rows": 2}, {"share": 0.5}])
def test_rows_can_be_left_unprocessed(crm: Client, how: dict[str, float]) -> None:
    crm.emulator.admin.add_fault(kind="unprocessed", times=1, **how)
    told, result = crm.bulk([["parent_id"], ["A"], ["B"], ["C"], ["D"]])
    assert told["status"] == "COMPLETED"
    assert [(row[0], row[1]) for row in result] == [
        ("A", "added"),
        ("B", "added"),
        ("C", "unprocessed"),
        ("D", "unprocessed"),
    ]
    assert set(crm.records()) == {"A", "B"}


def test_a_result_can_be_gone(crm: Client) -> None:
    told, _ = crm.bulk([["parent_id"], ["A"]])
    crm.emulator.admin.add_fault("bulk_result", kind="answer", canned="link_gone", times=1)
    address = told["result"]["download_url"]
    assert crm.session.get(address, timeout=120).json()["x-info"] == "Link not valid"
    assert crm.session.get(address, timeout=120).status_code == 200


class Listener:
    """Receives callbacks."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        listener = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                listener.bodies.append(self.rfile.read(int(self.headers["Content-Length"])))
                self.send_response(200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/done?secret=1"

    def received(self, count: int) -> int:
        end = time.monotonic() + 120
        while len(self.bodies) < count and time.monotonic() < end:
            time.sleep(0.01)
        time.sleep(0.1)
        return len(self.bodies)


@pytest.fixture
def listener() -> Iterator[Listener]:
    listening = Listener()
    yield listening
    listening.server.shutdown()
    listening.server.server_close()


@pytest.mark.parametrize(("mode", "count"), [(None, 1), ("twice", 2), ("never", 0)])
def test_the_callback_comes_once_twice_or_never(crm: Client, listener: Listener, mode: str | None, count: int) -> None:
    if mode:
        crm.emulator.admin.add_fault(kind="callback", callback=mode, times=1)
    told, _ = crm.bulk([["parent_id"], ["A"]], callback={"url": listener.url, "method": "post"})
    assert listener.received(count) == count
    assert all(told["id"].encode() in body for body in listener.bodies)
    assert "secret" not in str(crm.emulator.admin.requests())


def test_the_callback_can_come_before_the_job_is_done(crm: Client, listener: Listener) -> None:
    admin = crm.emulator.admin
    admin.set_clock("manual")
    admin.settings(job_seconds=10)
    admin.add_fault(kind="callback", callback="early", times=1)
    file_id = crm.upload(csv_zip([["parent_id"], ["A"]])).json()["details"]["file_id"]
    created = crm.create(file_id, ["parent_id"], callback={"url": listener.url, "method": "post"}).json()
    assert listener.received(1) == 1
    assert crm.job(created["details"]["id"])["status"] == "ADDED"


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "nonsense"},
        {"kind": "answer"},
        {"kind": "answer", "canned": "nonsense"},
        {"kind": "switch", "set": {"no_such": 1}},
        {"kind": "switch", "set": {"download_url": "sideways"}},
        {"kind": "delay", "minutes": 1},
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(crm: Client, fault: dict[str, Any]) -> None:
    with pytest.raises(EmulatorError):
        crm.emulator.admin.add_fault(**fault)
    assert crm.emulator.admin.faults() == []
