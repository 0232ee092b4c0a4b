from __future__ import annotations

import concurrent.futures
from collections.abc import Callable

import pytest
from emulator_client import Client, csv_zip

from zoho_crm_emulator.control import EmulatorProcess


def spent(crm: Client) -> dict[str, int]:
    told: dict[str, int] = crm.emulator.admin.stats()["credits"]["by_kind"]
    return told


def test_each_call_costs_what_zoho_takes_for_it(crm: Client) -> None:
    for count in (1, 10, 11, 100):
        crm.upsert([{"parent_id": str(number)} for number in range(count)])
    assert spent(crm)["write"] == 1 + 1 + 2 + 10
    crm.get("/crm/v8/org")
    crm.get("/crm/v8/settings/fields?module=Orders")
    crm.get("/crm/v8/Orders?fields=id")
    crm.bulk([["parent_id"], ["A"]])
    told = spent(crm)
    assert (told["metadata"], told["read"], told["bulk_write"]) == (2, 1, 500)
    assert {"upload", "bulk_poll", "bulk_result"}.isdisjoint(told)


@pytest.mark.parametrize(
    ("edition", "users", "limit"),
    [
        ("free", 3, 5_000),
        ("standard", 10, 52_500),
        ("standard", 1_000, 100_000),
        ("professional", 10, 55_000),
        ("enterprise", 10, 60_000),
        ("enterprise", 9_999, 5_000_000),
        ("ultimate", 10, 70_000),
        ("unlimited", 10, None),
    ],
)
def test_the_edition_sets_the_days_credits(crm: Client, edition: str, users: int, limit: int | None) -> None:
    crm.emulator.admin.settings(edition=edition, users=users)
    assert crm.emulator.admin.stats()["credits"]["limit"] == limit


def test_without_credits_a_call_is_refused_until_the_day_has_rolled_on(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.settings(credits_remaining=499)
    file_id = crm.upload(csv_zip([["parent_id"], ["A"]])).json()["details"]["file_id"]
    refused = crm.create(file_id, ["parent_id"])
    assert (refused.status_code, refused.json()["code"]) == (429, "TOO_MANY_REQUESTS")
    assert "Retry-After" not in refused.headers
    assert admin.stats()["jobs"] == {}
    admin.settings(credits_remaining=1)
    assert crm.upsert([{"parent_id": "A"}]).status_code == 200
    assert crm.upsert([{"parent_id": "A"}]).status_code == 429
    admin.advance_clock(86_400 + 60)
    assert Client(crm.emulator).upsert([{"parent_id": "A"}]).status_code == 200


def test_credits_are_told_only_past_half_of_the_day(crm: Client) -> None:
    admin = crm.emulator.admin
    header = "X-API-CREDITS-REMAINING"
    admin.settings(credits_remaining=10)
    told = [crm.get("/crm/v8/org").headers.get(header) for _ in range(7)]
    assert told == [None, None, None, None, "5", "4", "3"]
    admin.switch(credits_header="never")
    assert header not in crm.get("/crm/v8/org").headers
    admin.settings(edition="enterprise", switches={"credits_header": "always"})
    assert int(crm.get("/crm/v8/org").headers[header]) > 50_000


def test_a_429_takes_each_documented_form(crm: Client) -> None:
    admin = crm.emulator.admin
    admin.settings(credits_remaining=0)
    admin.switch(retry_after=7, too_many_requests_body="in_data")
    answer = crm.get("/crm/v8/org")
    assert (answer.headers["Retry-After"], answer.json()["data"][0]["code"]) == ("7", "TOO_MANY_REQUESTS")
    admin.switch(too_many_requests_body="empty")
    assert crm.get("/crm/v8/org").content == b""


def hold_calls(crm: Client, endpoint: str, count: int, call: Callable[[int], int]) -> list[int]:
    """Let `count` calls begin at one moment, each at work until all have begun, and return their statuses."""
    admin = crm.emulator.admin
    admin.settings(call_seconds={endpoint: 0.5})
    hold = admin.add_fault(endpoint, kind="hold_before")
    with concurrent.futures.ThreadPoolExecutor(count) as pool:
        statuses = pool.map(call, range(count))
        admin.wait_held(hold, count)
        admin.release(hold)
        return sorted(statuses)


def test_more_calls_at_once_than_the_edition_allows_are_refused(crm: Client) -> None:
    crm.emulator.admin.settings(edition="free")
    statuses = hold_calls(crm, "org", 8, lambda _: Client.get(crm, "/crm/v8/org").status_code)
    assert statuses == [200] * 5 + [429] * 3
    assert crm.emulator.admin.stats()["calls_at_once"]["most"] == 5
    assert crm.get("/crm/v8/org").status_code == 200


def test_no_more_than_ten_heavy_upserts_run_at_once_on_any_edition(crm: Client) -> None:
    crm.emulator.admin.settings(edition="ultimate")

    def heavy(number: int) -> int:
        return crm.upsert([{"parent_id": f"{number}-{one}"} for one in range(11)]).status_code

    def light(number: int) -> int:
        return crm.upsert([{"parent_id": f"{number}-{one}"} for one in range(10)]).status_code

    assert hold_calls(crm, "upsert", 13, heavy) == [200] * 10 + [429] * 3
    assert hold_calls(crm, "upsert", 13, light) == [200] * 13
    assert crm.emulator.admin.stats()["calls_at_once"]["most_heavy"] == 10


def test_start_options_set_edition_users_and_latency(zoho_emulator_factory: Callable[..., EmulatorProcess]) -> None:
    emulator = zoho_emulator_factory(edition="standard", users=4, job_seconds="4-12", call_seconds="0.25", seed=1)
    state = emulator.admin.state()
    assert (state["edition"], state["users"]) == ("standard", 4)
    assert state["latency"]["job_seconds"] == [4.0, 12.0]
    crm = Client(emulator)
    assert crm.get("/crm/v8/org").elapsed.total_seconds() >= 0.25
    file_id = crm.upload(csv_zip([["parent_id"], ["A"]])).json()["details"]["file_id"]
    job = crm.create(file_id, ["parent_id"]).json()["details"]["id"]
    assert crm.job(job)["status"] in {"ADDED", "INPROGRESS"}
    emulator.admin.advance_clock(12)
    assert crm.finished(job)["status"] == "COMPLETED"


def test_a_seed_makes_the_durations_of_jobs_the_same_whatever_calls_come_between(
    zoho_emulator_factory: Callable[..., EmulatorProcess],
) -> None:
    drawn = []
    for calls in (0, 3):
        emulator = zoho_emulator_factory(seed=7, job_seconds="4-12", call_seconds="0.001-0.002")
        crm = Client(emulator)
        for _ in range(3):
            for _ in range(calls):
                crm.get("/crm/v8/org")
            crm.create(crm.upload(csv_zip([["parent_id"], ["A"]])).json()["details"]["file_id"], ["parent_id"])
        jobs = sorted(emulator.admin.jobs(), key=lambda job: int(job["id"]))
        drawn.append([job["due"] - job["created"] for job in jobs])
    assert drawn[0] == drawn[1]
    assert len(set(drawn[0])) == 3
