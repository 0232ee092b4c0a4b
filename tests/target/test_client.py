from __future__ import annotations

import threading
import time
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from zoho_clients import SCHEMA, MakeClient, asked, credentials_of, ended, mapping, upsert, zip_of

from target_zoho_crm.api.client import JobStatus
from target_zoho_crm.api.errors import (
    AnswerError,
    ConfigurationError,
    Gone,
    LostAnswer,
    QuotaError,
    Stopped,
    TransientError,
)
from target_zoho_crm.api.limits import CreditKind, CreditMeter
from target_zoho_crm.confirmation.outcomes import Status
from target_zoho_crm.writing.csv_files import job_body
from target_zoho_crm.writing.result_files import job_outcomes

if TYPE_CHECKING:
    from zoho_crm_emulator.control import EmulatorProcess

HEAVY_CALLS_AT_ONCE = 10
"""Zoho's limit of calls with more than ten records; theirs, not ours."""


def test_records_arrive_by_upsert_and_by_bulk_write_and_read_the_same(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path
) -> None:
    zoho_emulator.admin.settings(job_seconds=0)
    credits_ = CreditMeter()
    client = make_client(credits_=credits_)
    assert all(each.status is Status.SYNCED and each.action == "insert" for each in upsert(client, 15))
    by_upsert = {each["parent_id"]: each for each in zoho_emulator.admin.records("Orders")}
    made = zip_of(client, tmp_path / "orders.zip", 20)
    job_id = client.create_job(job_body("Orders", client.upload(tmp_path / "orders.zip"), made))
    answer = ended(client, job_id)
    assert answer.status is JobStatus.COMPLETED
    client.download(answer.download_url or "", tmp_path / "result.zip")
    outcomes = job_outcomes(tmp_path / "result.zip", {f"K{n}": "v" for n in range(20)})
    assert all(each.status is Status.SYNCED for each in outcomes)
    assert [each.action for each in outcomes] == ["update"] * 15 + ["insert"] * 5
    by_job = {each["parent_id"]: each for each in zoho_emulator.admin.records("Orders")}
    assert len(by_job) == 20
    assert {each.key: each.zoho_id for each in outcomes} == {key: each["id"] for key, each in by_job.items()}
    for key, before in by_upsert.items():
        assert [by_job[key][name] for name in SCHEMA] == [before[name] for name in SCHEMA]
    assert (credits_.spent(CreditKind.UPSERT), credits_.spent(CreditKind.BULK_WRITE)) == (2, 500)
    assert credits_.total == zoho_emulator.admin.stats()["credits"]["spent"]


@pytest.mark.parametrize("shape", ["relative", "absolute", "double_slash"])
def test_a_result_is_fetched_through_every_shape_of_link(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path, shape: str
) -> None:
    zoho_emulator.admin.settings(job_seconds=0)
    zoho_emulator.admin.switch(download_url=shape, job_status_word="IN PROGRESS", result_status="upper")
    client = make_client()
    made = zip_of(client, tmp_path / "orders.zip", 3)
    answer = ended(client, client.create_job(job_body("Orders", client.upload(tmp_path / "orders.zip"), made)))
    client.download(answer.download_url or "", tmp_path / "result.zip")
    outcomes = job_outcomes(tmp_path / "result.zip", {f"K{n}": "v" for n in range(3)})
    assert [each.status for each in outcomes] == [Status.SYNCED] * 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cache", "orders.zip", "result.zip"]


def test_links_are_resolved_without_taking_a_path_for_a_host(
    make_client: MakeClient, zoho_emulator: EmulatorProcess
) -> None:
    client = make_client()
    base = zoho_emulator.base_url
    for link in ("/crm/x.zip", "//crm/x.zip", "crm/x.zip", f"{base}/crm/x.zip", f"{base[5:]}/crm/x.zip"):
        assert client.resolve(link) == f"{base}/crm/x.zip"


def test_threads_share_one_renewal_of_a_refused_token(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    client = make_client()
    made = mapping(client)
    zoho_emulator.admin.revoke_tokens()
    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(lambda _: upsert(client, 2, made), range(8)))
    assert all(each.status is Status.SYNCED for call in outcomes for each in call)
    assert asked(zoho_emulator, "token") == 2


def test_a_token_refused_again_after_a_renewal_stops_the_run(
    zoho_emulator: EmulatorProcess, make_client: MakeClient
) -> None:
    zoho_emulator.admin.add_fault("org", kind="answer", canned="invalid_token")
    with pytest.raises(ConfigurationError) as caught:
        make_client().org()
    assert caught.value.code == "INVALID_TOKEN"
    assert (asked(zoho_emulator, "org"), asked(zoho_emulator, "token")) == (2, 2)


def test_a_missing_scope_stops_the_run_at_once_and_names_the_scopes(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path
) -> None:
    token = zoho_emulator.admin.grant(["ZohoCRM.modules.ALL", "ZohoCRM.settings.ALL", "ZohoCRM.org.READ"])
    client = make_client(credentials=credentials_of(zoho_emulator, refresh_token=token))
    zip_of(client, tmp_path / "orders.zip", 1)
    with pytest.raises(ConfigurationError, match=r"ZohoFiles\.files\.ALL") as caught:
        client.upload(tmp_path / "orders.zip")
    assert caught.value.code == "OAUTH_SCOPE_MISMATCH"
    assert (asked(zoho_emulator, "upload"), asked(zoho_emulator, "token")) == (1, 1)


@pytest.mark.parametrize(
    "canned", ["too_many_requests", "internal_error", "bad_gateway", "unavailable", "not_json", "ok_but_error"]
)
def test_what_passes_is_waited_for(zoho_emulator: EmulatorProcess, make_client: MakeClient, canned: str) -> None:
    client = make_client()
    made = mapping(client)
    fault = zoho_emulator.admin.add_fault("upsert", kind="answer", canned=canned, times=3)
    assert upsert(client, 1, made)[0].status is Status.SYNCED
    assert zoho_emulator.admin.fired(fault) == 3


def test_what_does_not_pass_ends_after_the_last_attempt(
    zoho_emulator: EmulatorProcess, make_client: MakeClient
) -> None:
    client = make_client(max_attempts=4)
    made = mapping(client)
    zoho_emulator.admin.add_fault("upsert", kind="answer", canned="unavailable")
    with pytest.raises(TransientError, match="/crm/v8/Orders/upsert"):
        upsert(client, 1, made)
    assert asked(zoho_emulator, "upsert") == 4


@pytest.mark.parametrize("kind", ["lost_before", "lost_after", "cut"])
def test_a_lost_answer_of_an_upsert_is_asked_for_again_and_doubles_nothing(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, kind: str
) -> None:
    client = make_client()
    made = mapping(client)
    fault = zoho_emulator.admin.add_fault("upsert", kind=kind, times=2)
    assert [each.status for each in upsert(client, 3, made)] == [Status.SYNCED] * 3
    assert zoho_emulator.admin.fired(fault) == 2
    assert len(list(zoho_emulator.admin.records("Orders"))) == 3


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "lost_before"},
        {"kind": "lost_after"},
        {"kind": "cut"},
        {"kind": "answer", "canned": "gateway_timeout"},
        {"kind": "answer", "canned": "internal_error"},
        {"kind": "answer", "canned": "ok_but_error"},
        {"kind": "answer", "canned": "not_json"},
        {"kind": "answer", "status": 201, "body": {"code": "SUCCESS", "status": "success", "details": {}}},
    ],
)
def test_a_job_whose_answer_was_lost_is_not_created_twice(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path, fault: dict[str, Any]
) -> None:
    client = make_client()
    made = zip_of(client, tmp_path / "orders.zip", 1)
    file_id = client.upload(tmp_path / "orders.zip")
    zoho_emulator.admin.add_fault("bulk_create", **fault)
    with pytest.raises(LostAnswer):
        client.create_job(job_body("Orders", file_id, made))
    assert asked(zoho_emulator, "bulk_create") == 1


def test_a_job_that_was_surely_not_created_is_tried_again(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path
) -> None:
    credits_ = CreditMeter()
    client = make_client(credits_=credits_)
    made = zip_of(client, tmp_path / "orders.zip", 1)
    file_id = client.upload(tmp_path / "orders.zip")
    zoho_emulator.admin.add_fault("bulk_create", kind="answer", canned="too_many_requests", times=2)
    zoho_emulator.admin.revoke_tokens()
    assert client.create_job(job_body("Orders", file_id, made)).isdigit()
    assert credits_.spent(CreditKind.BULK_WRITE) == 500


def test_a_refused_job_blames_the_set_up(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client()
    made = zip_of(client, tmp_path / "orders.zip", 1)
    file_id = client.upload(tmp_path / "orders.zip")
    with pytest.raises(ConfigurationError):
        client.create_job(job_body("Ordrs", file_id, made))
    assert asked(zoho_emulator, "bulk_create") == 1


def test_an_upload_is_repeated_whole(zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path) -> None:
    zoho_emulator.admin.settings(job_seconds=0)
    client = make_client()
    made = zip_of(client, tmp_path / "orders.zip", 500)
    for kind in ("lost_before", "lost_after", "cut"):
        zoho_emulator.admin.add_fault("upload", kind=kind, times=1)
    file_id = client.upload(tmp_path / "orders.zip")
    assert ended(client, client.create_job(job_body("Orders", file_id, made))).status is JobStatus.COMPLETED
    assert len(list(zoho_emulator.admin.records("Orders"))) == 500
    assert asked(zoho_emulator, "org") == 1


def test_a_file_that_is_no_zip_is_refused_as_zoho_refuses_it(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path
) -> None:
    (tmp_path / "f.zip").write_text("not a zip")
    for shape in ("code", "gateway"):
        zoho_emulator.admin.switch(upload_errors=shape)
        with pytest.raises(ConfigurationError):
            make_client().upload(tmp_path / "f.zip")


def test_a_job_or_result_that_is_gone_is_told_as_gone(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path
) -> None:
    client = make_client()
    for status in (404, 400):
        zoho_emulator.admin.switch(job_not_found=status)
        with pytest.raises(Gone):
            client.job("123456789")
    zoho_emulator.admin.add_fault("bulk_poll", kind="answer", canned="link_gone")
    with pytest.raises(Gone):
        client.download("/crm/bulk/v8/write/1", tmp_path / "result.zip")
    assert not (tmp_path / "result.zip").exists()


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"status": "INPROGRESS"}, JobStatus.IN_PROGRESS, None),
        ({"status": "IN_PROGRESS", "resource": []}, JobStatus.IN_PROGRESS, None),
        ({"status": "SOMETHING NEW"}, JobStatus.IN_PROGRESS, None),
        ({"status": "FAILED", "code": "INVALID_FIELD"}, JobStatus.FAILED, "INVALID_FIELD"),
        ({"status": "SKIPPED", "resource": [{"code": "LIMIT_EXCEEDED"}]}, JobStatus.SKIPPED, "LIMIT_EXCEEDED"),
        ({"status": "COMPLETED", "resource": [{"code": "SUCCESS", "file": None}]}, JobStatus.COMPLETED, None),
    ],
)
def test_a_job_is_read_in_all_its_spellings(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, body: dict[str, Any], status: JobStatus, code: str | None
) -> None:
    zoho_emulator.admin.add_fault("bulk_poll", kind="answer", status=200, body=body)
    answer = make_client().job("1")
    assert (answer.job_id, answer.status, answer.code, answer.download_url) == ("1", status, code, None)


def test_an_answer_that_is_no_job_is_no_job(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    zoho_emulator.admin.add_fault("bulk_poll", kind="answer", status=200, body={"data": []})
    with pytest.raises(AnswerError):
        make_client().job("1")


def test_used_up_credits_stop_the_sending_and_are_told_apart_from_haste(
    zoho_emulator: EmulatorProcess, make_client: MakeClient
) -> None:
    credits_ = CreditMeter()
    client = make_client(credits_=credits_)
    zoho_emulator.admin.switch(credits_header="always")
    zoho_emulator.admin.settings(credits_remaining=2)
    made = mapping(client)
    assert credits_.remaining == 1
    with pytest.raises(QuotaError) as caught:
        upsert(client, 11, made)
    assert caught.value.code == "CREDITS_USED_UP"
    assert asked(zoho_emulator, "upsert") == 1
    assert credits_.total == zoho_emulator.admin.stats()["credits"]["spent"] == 1
    assert upsert(client, 10, made)[0].status is Status.SYNCED
    zoho_emulator.admin.settings(credits_remaining=100)
    headers = {"X-API-CREDITS-REMAINING": "0"}
    zoho_emulator.admin.add_fault("upsert", kind="answer", canned="too_many_requests", headers=headers)
    with pytest.raises(QuotaError):
        upsert(client, 1, made)


def test_the_budget_ends_the_sending_before_the_call(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    credits_ = CreditMeter(budget=3)
    client = make_client(credits_=credits_)
    made = mapping(client)  # 1 credit
    upsert(client, 20, made)
    with pytest.raises(QuotaError) as caught:
        upsert(client, 1, made)
    assert caught.value.code == "CREDIT_BUDGET"
    assert asked(zoho_emulator, "upsert") == 1
    assert credits_.total == zoho_emulator.admin.stats()["credits"]["spent"] == 3


def test_retry_after_is_honoured_by_all_threads(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    client = make_client()
    made = mapping(client)
    zoho_emulator.admin.add_fault(
        "upsert", kind="answer", canned="too_many_requests", times=1, headers={"Retry-After": "1"}
    )
    start = time.monotonic()
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: upsert(client, 1, made), range(4)))
        client.current_user()
    assert time.monotonic() - start >= 1


def test_zohos_limit_of_calls_at_once_is_kept(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    admin = zoho_emulator.admin
    admin.settings(calls_at_once=25)
    client = make_client(max_connections=20)
    made = mapping(client)
    hold = admin.add_fault("upsert", kind="hold_before", times=40)
    with ThreadPoolExecutor(20) as pool:
        answers = pool.map(lambda _: upsert(client, 11, made), range(40))
        admin.wait_held(hold, HEAVY_CALLS_AT_ONCE)
        time.sleep(0.5)  # time for one more, if there were no limit
        at_once = admin.fired(hold)
        admin.release(hold)
        list(answers)
    assert at_once == HEAVY_CALLS_AT_ONCE
    statuses = admin.stats()["statuses"]
    assert (statuses["upsert 200"], statuses.get("upsert 429", 0)) == (40, 0)


def test_how_many_calls_go_at_once_is_learned_from_what_zoho_refuses(
    zoho_emulator: EmulatorProcess, make_client: MakeClient
) -> None:
    zoho_emulator.admin.settings(call_seconds={"upsert": 0.05}, calls_at_once=4)
    client = make_client(max_connections=10)
    made = mapping(client)
    hold = zoho_emulator.admin.add_fault("upsert", kind="hold_before", times=4)
    with ThreadPoolExecutor(10) as pool:
        answers = pool.map(lambda _: upsert(client, 1, made), range(200))
        zoho_emulator.admin.wait_held(hold, 4)
        zoho_emulator.admin.release(hold)
        list(answers)
    stats = zoho_emulator.admin.stats()
    assert stats["calls_at_once"]["most"] == 4
    assert stats["statuses"]["upsert 200"] == 200
    assert stats["statuses"]["upsert 429"] <= 25


def test_a_silent_server_costs_the_time_limit_and_no_more(
    zoho_emulator: EmulatorProcess, make_client: MakeClient
) -> None:
    client = make_client(read_seconds=0.2, max_attempts=2)
    silent = zoho_emulator.admin.add_fault("org", kind="hold_before")
    with pytest.raises(LostAnswer):
        client.org()  # ends though nobody ever answers
    assert zoho_emulator.admin.fired(silent) == 2


def test_a_stop_ends_the_wait_between_attempts(zoho_emulator: EmulatorProcess, make_client: MakeClient) -> None:
    stop = threading.Event()
    client = make_client(stop=stop, first_pause_seconds=3600, longest_pause_seconds=3600)
    fault = zoho_emulator.admin.add_fault("org", kind="answer", canned="unavailable")

    def stop_after_the_first_attempt() -> None:
        while not zoho_emulator.admin.fired(fault):
            time.sleep(0.01)
        stop.set()

    with ThreadPoolExecutor(1) as pool:
        pool.submit(stop_after_the_first_attempt)
        with pytest.raises(Stopped):
            client.org()


def test_a_host_that_cannot_be_reached_is_named(make_client: MakeClient) -> None:
    client = make_client(urls={"upload_url": "http://127.0.0.1:9"}, max_attempts=2)
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9") as caught:
        client.upload(Path(__file__))
    assert caught.value.code == "NO_CONNECTION"


def test_a_download_is_there_whole_or_not_at_all(
    zoho_emulator: EmulatorProcess, make_client: MakeClient, tmp_path: Path
) -> None:
    zoho_emulator.admin.settings(job_seconds=0)
    client = make_client(max_attempts=3)
    made = zip_of(client, tmp_path / "orders.zip", 50)
    answer = ended(client, client.create_job(job_body("Orders", client.upload(tmp_path / "orders.zip"), made)))
    fault = zoho_emulator.admin.add_fault("bulk_result", kind="cut")
    with pytest.raises(LostAnswer):
        client.download(answer.download_url or "", tmp_path / "result.zip")
    assert zoho_emulator.admin.fired(fault) == 3
    assert not list(tmp_path.glob("result.zip*"))
    zoho_emulator.admin.clear_faults()
    client.download(answer.download_url or "", tmp_path / "result.zip")
    assert zipfile.is_zipfile(tmp_path / "result.zip")
