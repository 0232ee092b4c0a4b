"""Fields that belong to people: what is written once, where empty, or until somebody edits it, by calls and by jobs."""

from __future__ import annotations

import os
import random
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from audited_shop import edit
from pair_of_plugins import Shop

KEYS = [f"SO-{number:03d}" for number in range(30)]
CHANNELS = pytest.mark.parametrize("jobs", [False, True])


def set_up(shop: Shop, write: str, *, jobs: bool, field: str = "Notes") -> None:
    shop.target_config = {"fields": {field: {"write": write}}} | ({"bulk_threshold": 1} if jobs else {})
    shop.emulator.admin.settings(job_seconds=0)


def run(shop: Shop) -> str:
    ended = shop.run()
    assert ended.code == 0, ended.err
    return ended.err


def notes(shop: Shop) -> dict[str, Any]:
    return {key: record.get("Notes") for key, record in shop.crm().items()}


@CHANNELS
def test_what_is_edited_is_left_and_what_is_not_is_written(shop: Shop, jobs: bool) -> None:  # noqa: FBT001
    set_up(shop, "until_edited", jobs=jobs)
    shop.insert(KEYS, notes="first")
    run(shop)
    assert set(notes(shop).values()) == {"first"}
    edit(shop, KEYS[:10], Notes="a person's")
    edit(shop, KEYS[10:12], Notes=None)
    shop.change(KEYS, notes="second", status="Shipped")
    log = run(shop)
    assert "12 fields kept as people left them" in log
    expected = dict.fromkeys(KEYS[:10], "a person's") | dict.fromkeys(KEYS[12:], "second")
    assert notes(shop) == {**expected, **dict.fromkeys(KEYS[10:12])}
    assert {record["Status"] for record in shop.crm().values()} == {"Shipped"}
    # What was left alone once is not taken for ours by and by, since we wrote the record last.
    shop.change(KEYS, notes="third")
    run(shop)
    assert notes(shop) == {**expected, **dict.fromkeys(KEYS[10:12]), **dict.fromkeys(KEYS[12:], "third")}
    # Who gives the field back is written to again.
    edit(shop, KEYS[:1], Notes="third")
    shop.change(KEYS[:1], notes="third")
    run(shop)
    shop.change(KEYS[:1], notes="fourth")
    run(shop)
    assert notes(shop)[KEYS[0]] == "fourth"


@CHANNELS
def test_once_is_written_where_the_order_is_new(shop: Shop, jobs: bool) -> None:  # noqa: FBT001
    set_up(shop, "once", jobs=jobs)
    shop.insert(KEYS, notes="first")
    run(shop)
    shop.change(KEYS, notes="second", status="Shipped")
    run(shop)
    assert set(notes(shop).values()) == {"first"}
    assert {record["Status"] for record in shop.crm().values()} == {"Shipped"}


@CHANNELS
def test_if_empty_is_written_where_the_record_has_nothing(shop: Shop, jobs: bool) -> None:  # noqa: FBT001
    set_up(shop, "if_empty", jobs=jobs)
    shop.insert(KEYS, notes=None)
    run(shop)
    edit(shop, KEYS[:3], Notes="a person's")
    shop.change(KEYS, notes="second")
    run(shop)
    shop.change(KEYS, notes="third")
    run(shop)
    assert notes(shop) == dict.fromkeys(KEYS[:3], "a person's") | dict.fromkeys(KEYS[3:], "second")


@CHANNELS
def test_a_record_that_the_ledger_does_not_know_is_read_before_it_is_written(shop: Shop, jobs: bool) -> None:  # noqa: FBT001
    set_up(shop, "until_edited", jobs=jobs)
    shop.emulator.admin.put_records("Orders", [{"parent_id": key, "Notes": "theirs"} for key in KEYS[:5]], user=None)
    edit(shop, KEYS[:5], Notes="a person's")
    shop.insert(KEYS, notes="first", status="Paid")
    run(shop)
    run(shop)  # what a job found there goes by calls
    assert notes(shop) == dict.fromkeys(KEYS[:5], "a person's") | dict.fromkeys(KEYS[5:], "first")
    assert {record["Status"] for record in shop.crm().values()} == {"Paid"}


def test_a_rule_that_comes_later_knows_what_we_wrote_last(shop: Shop) -> None:
    shop.insert(KEYS, notes="first")
    run(shop)
    set_up(shop, "until_edited", jobs=False)
    edit(shop, KEYS[:5], Notes="a person's")
    edit(shop, KEYS[5:7], Status="Returned")  # whoever did that may have edited the note as well
    shop.change(KEYS, notes="second")
    run(shop)
    assert notes(shop) == (
        dict.fromkeys(KEYS[:5], "a person's") | dict.fromkeys(KEYS[5:7], "first") | dict.fromkeys(KEYS[7:], "second")
    )


def test_an_edit_between_our_look_and_our_write_is_not_overwritten(shop: Shop) -> None:
    set_up(shop, "until_edited", jobs=False)
    shop.insert(KEYS[:1], notes="first")
    run(shop)
    shop.change(KEYS[:1], notes="second")
    fault = shop.emulator.admin.add_fault("update", kind="hold_before", times=1)
    with ThreadPoolExecutor() as pool:
        running = pool.submit(run, shop)
        shop.emulator.admin.wait_held(fault)
        edit(shop, KEYS[:1], Notes="a person's")
        shop.emulator.admin.release(fault)
        assert "1 fields kept" in running.result()
    assert notes(shop) == {KEYS[0]: "a person's"}
    assert shop.acks()[KEYS[0]].status == "synced"


def test_a_call_whose_answer_is_lost_is_known_to_be_ours(shop: Shop) -> None:
    set_up(shop, "until_edited", jobs=False)
    shop.insert(KEYS[:1], notes="first")
    run(shop)
    for turn in ("second", "third"):
        shop.change(KEYS[:1], notes=turn)
        shop.emulator.admin.add_fault("update", kind="lost_after", times=1)
        run(shop)
        assert notes(shop) == {KEYS[0]: turn}


POINTS = (
    "before:target_zoho_crm.confirmation.stream_ledger.StreamLedger.confirm",
    "after:target_zoho_crm.confirmation.field_marks.FieldMarks.note",
    "after:target_zoho_crm.api.client.ZohoClient.update:2",
    "after:target_zoho_crm.confirmation.stream_ledger.StreamLedger.intend",
    "after:target_zoho_crm.api.client.ZohoClient.create_job",
)


IN_CI = [(POINTS[1], False), (POINTS[4], True)]
KILLS = [
    pytest.param(point, jobs, marks=() if (point, jobs) in IN_CI else pytest.mark.nightly)
    for point in POINTS
    for jobs in (False, True)
]


@pytest.mark.parametrize(("point", "jobs"), KILLS)
def test_no_edit_is_lost_when_a_run_is_killed(shop: Shop, jobs: bool, point: str) -> None:  # noqa: FBT001
    set_up(shop, "until_edited", jobs=jobs)
    chance, edits = random.Random(point), dict[str, str]()  # noqa: S311
    for turn in range(2):
        if turn == 0:
            shop.insert(KEYS, notes=f"shop's {turn}")
        else:
            shop.change(KEYS, notes=f"shop's {turn}")
        shop.run(kill_at=point)
        there = [key for key in shop.crm() if key not in edits]
        for key in chance.sample(there, min(4, len(there))):
            edits[key] = f"{key}, edited in turn {turn}"
            edit(shop, [key], Notes=edits[key])
        shop.change(KEYS, notes=f"shop's {turn} again")
        run(shop)
        run(shop)
        assert notes(shop) == {key: edits.get(key, f"shop's {turn} again") for key in KEYS}, (point, turn)
    assert edits


ROUNDS = 20
EDITS_A_ROUND = -(-int(os.environ.get("EDITS", "10000")) // (ROUNDS - 1))  # in the first one nothing is there yet


@pytest.mark.nightly
def test_ten_thousand_edits_of_people_are_kept_by_calls_and_jobs_under_kills(shop: Shop) -> None:
    """People edit while runs go; new orders go by jobs, and half of the runs are killed somewhere."""
    chance, edits = random.Random(20), dict[str, str]()  # noqa: S311
    keys, there = list[str](), list[str]()
    edited = kills = 0
    for turn in range(ROUNDS):
        set_up(shop, "until_edited", jobs=turn % 2 == 0)
        new = [f"SO-{turn:02d}-{number:03d}" for number in range(EDITS_A_ROUND // 8)]
        shop.insert(new, notes=f"new in turn {turn}")
        keys += new
        shop.change(chance.sample(keys, min(len(keys), EDITS_A_ROUND // 4)), notes=f"the shop's in turn {turn}")
        point = f"{chance.choice(POINTS).removesuffix(':2')}:{chance.randrange(1, 4)}" if turn % 4 < 2 else None
        with ThreadPoolExecutor() as pool:
            running = pool.submit(shop.run, kill_at=point)
            for number in range(EDITS_A_ROUND):
                if number % 100 == 0:
                    there = sorted(shop.crm())
                if there:
                    key = chance.choice(there)
                    edits[key] = f"edit {edited} of a person"
                    edit(shop, [key], Notes=edits[key])
                    edited += 1
            kills += running.result().code == -9
        lost = {key for key, record in shop.crm().items() if key in edits and record["Notes"] != edits[key]}
        assert not lost, (turn, point, lost)
    set_up(shop, "until_edited", jobs=False)
    for _ in range(3):
        run(shop)
    crm, orders = shop.crm(), shop.orders()
    wrong = {
        key: record["Notes"] for key, record in crm.items() if record["Notes"] != edits.get(key, orders[key].notes)
    }
    print(f"{edited} edits of {len(edits)} of {len(orders)} orders, {kills} runs killed, {len(wrong)} lost")  # noqa: T201
    assert not wrong
    assert set(crm) == set(orders)


def test_a_rule_that_cannot_hold_is_refused_in_one_line(shop: Shop) -> None:
    shop.insert(KEYS[:1])
    shop.target_config = {"fields": {"parent_id": {"write": "once"}}}
    ended = shop.run()
    assert ended.code == 2
    assert "is not for the field that identifies the order" in ended.err
    shop.target_config = {"fields": {"Notes": {"write": "once"}}, "operation": "update"}
    ended = shop.run()
    assert ended.code == 2
    assert "`fields`, Notes: `write` needs `operation` upsert" in ended.err
    assert "Traceback" not in ended.err


def test_marks_say_nothing_of_values(shop: Shop) -> None:
    set_up(shop, "until_edited", jobs=False)
    shop.insert(KEYS[:1], notes="a secret note")
    run(shop)
    marks = shop.acks()[KEYS[0]].field_marks
    assert marks.startswith('{"Notes":["')
    assert "secret" not in marks
