"""Lines, as far as no call is needed: what they cost, how they are read, what a failed one makes of its order."""

from __future__ import annotations

import threading
import time
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from target_zoho_crm.api.codes import Family
from target_zoho_crm.api.costs import JOB_CREDITS, upsert_credits
from target_zoho_crm.api.errors import Stopped
from target_zoho_crm.batch import Channel
from target_zoho_crm.confirmation.outcomes import Outcome, Status
from target_zoho_crm.lines.line_move_lock import LineMoveLock
from target_zoho_crm.lines.line_reader import LineReader, count_lines
from target_zoho_crm.mapping.key_folding import KeyFolding
from target_zoho_crm.writing.child_failures import LINES, ChildFailure, unknown, with_failures
from target_zoho_crm.writing.routing import ChildRows, ChildRowsPer, LineCounts, Plan, Routing, lines_way, plan

PER_PARENT = ChildRows(per=ChildRowsPer.PARENT)
FOLDING = KeyFolding(folds_case=True)
LINE = {
    "_sync_key": {"type": ["string"]},
    "quantity": {"type": ["number", "null"]},
    "product": {"type": ["string", "null"]},
}


def auto(counts: list[int], *, in_subform: bool = False, bulk_threshold: int | None = None) -> Plan:
    lines = LineCounts(counts, in_subform)
    return plan(len(counts), Routing(Channel.AUTO, 25_000, bulk_threshold), lines=lines)


# Routing


def test_lines_count_when_the_cheaper_way_is_chosen() -> None:
    few = auto([2] * 3_000)  # 300 credits and 600 for the lines; by jobs 500 and 500
    assert (few.job_sizes, few.credits) == ((), 900)
    many = auto([20] * 3_000)  # 300 credits and 6,000 for the lines; by jobs 500 and 3 times 500
    assert (many.job_sizes, many.credits) == ((3_000,), 2_000)
    assert "3,000 records with 60,000 lines" in many.why
    assert "lines in 3 more job(s) at 500" in many.why
    assert "by upsert alone 6,300" in many.why


def test_a_jobs_lines_go_by_calls_where_that_costs_less() -> None:
    way = auto([1] * 100 + [0] * 9_900)
    assert (way.job_sizes, way.credits) == ((10_000,), 500 + 10)
    assert "lines by upsert = 10 credits" in way.why


def test_rows_of_a_subform_cost_by_their_orders() -> None:
    assert auto([40] * 100, in_subform=True).credits == 10 + 10
    assert auto([0] * 100, in_subform=True).credits == 10


def test_without_lines_nothing_changes() -> None:
    assert auto([0] * 12_345) == auto([0] * 12_345, in_subform=True)
    bare = plan(12_345, Routing(Channel.AUTO, 25_000, None))
    assert auto([0] * 12_345).credits == bare.credits


@settings(deadline=None)
@given(st.lists(st.integers(0, 60), max_size=400), st.booleans(), st.sampled_from(list(Channel)))
def test_the_credits_are_the_sum_of_what_is_sent(counts: list[int], in_subform: bool, channel: Channel) -> None:  # noqa: FBT001
    lines = LineCounts(counts, in_subform)
    way = plan(len(counts), Routing(channel, 100, None, PER_PARENT), lines=lines)
    assert sum(way.job_sizes) + way.upsert_records == len(counts)
    start, spent = 0, 0
    for size in way.job_sizes:
        jobs = -(-lines.within(start, start + size) // 100)
        calls = lines.upsert_credits(start, start + size)
        cheaper = min(jobs * JOB_CREDITS, calls) if channel is Channel.AUTO else jobs * JOB_CREDITS
        spent += JOB_CREDITS + cheaper
        start += size
    assert way.credits == spent + upsert_credits(way.upsert_records) + lines.upsert_credits(start, len(counts))
    alone = upsert_credits(len(counts)) + lines.upsert_credits(0, len(counts))
    if channel is Channel.AUTO:
        assert way.credits <= alone


@pytest.mark.parametrize("channel", [Channel.AUTO, Channel.BULK_WRITE])
def test_rows_of_a_subform_go_by_calls_where_a_job_takes_too_few_to_pay(channel: Channel) -> None:
    counts = [1] * 25_000
    way = plan(25_000, Routing(channel, 25_000), lines=LineCounts(counts, in_subform=True))
    assert (way.job_sizes, way.credits) == ((25_000,), 500 + 2_500)
    assert "rows of the subform go by calls, since a job takes 200 (`child_rows`)" in way.why
    by_parent = plan(25_000, Routing(channel, 25_000, None, PER_PARENT), lines=LineCounts(counts, in_subform=True))
    assert by_parent.credits == 500 + 500
    assert "child_rows" not in by_parent.why
    in_module = plan(25_000, Routing(channel, 25_000), lines=LineCounts(counts, in_subform=False))
    assert in_module.credits == 500 + 500


def test_a_job_of_rows_that_pays_has_no_more_than_child_rows() -> None:
    routing = Routing(Channel.BULK_WRITE, 25_000, None, ChildRows(6_000))
    way = lines_way(LineCounts([1] * 12_001, in_subform=True), 0, 12_001, routing)
    assert (way.jobs, way.credits) == (3, 1_500)


# Reading


def reader() -> LineReader:
    return LineReader(LINE, key_property="_sync_key", sources=["product", "quantity"])


def encoded(*lines: tuple[str, str]) -> bytes:
    return msgspec.json.encode([{"_sync_key": key, "product": product, "unmapped": [1]} for key, product in lines])


def test_lines_are_read_exactly_and_by_their_order() -> None:
    text = b'[{"_sync_key":"1","quantity":12345678901234567.125},{"_sync_key":"2","product":"x","quantity":null}]'
    rows = reader().read({"A": text, "B": b"[]", "C": None}, FOLDING)
    assert (rows.orders, rows.keys) == (["A", "A"], ["1", "2"])
    assert rows.values == [(None, Decimal("12345678901234567.125")), ("x", None)]
    assert rows.stated == ["A", "B"]
    assert rows.refusals == {}
    assert (count_lines(text), count_lines(b"[]"), count_lines(None)) == (2, 0, 0)


def test_lines_whose_columns_have_odd_names_are_read() -> None:
    own = LineReader({'a "b"\\': {"type": "string"}}, key_property="_sync_key", sources=['a "b"\\'])
    rows = own.read({"A": msgspec.json.encode([{"_sync_key": "1", 'a "b"\\': "x"}, {"_sync_key": "2"}])}, FOLDING)
    assert (rows.keys, rows.values, rows.refusals) == (["1", "2"], [("x",), (None,)], {})


def test_a_key_that_is_there_twice_refuses_its_orders_and_no_other() -> None:
    rows = reader().read({"A": encoded(("1", "a"), ("1 ", "b")), "B": encoded(("2", "c"))}, FOLDING)
    assert set(rows.refusals) == {"A"}
    assert "twice" in rows.refusals["A"].message
    assert (rows.orders, rows.keys, rows.stated) == (["B"], ["2"], ["B"])

    rows = reader().read({"A": encoded(("x1", "a")), "B": encoded(("X1", "b")), "C": encoded(("y", "c"))}, FOLDING)
    assert set(rows.refusals) == {"A", "B"}
    assert "also in order 'B'" in rows.refusals["A"].message
    assert rows.stated == ["C"]


@pytest.mark.parametrize(
    "text", [b'[{"product":"x"}]', b'[{"_sync_key":""}]', b'[{"_sync_key":1}]', b'{"a":1}', b"[1]"]
)
def test_lines_that_are_none_refuse_their_order(text: bytes) -> None:
    rows = reader().read({"A": text, "B": encoded(("2", "c"))}, FOLDING)
    assert set(rows.refusals) == {"A"}
    assert rows.keys == ["2"]


def test_keys_are_remembered_from_part_to_part() -> None:
    owners: dict[str, str] = {}
    assert reader().read({"A": encoded(("1", "a"))}, FOLDING, owners).refusals == {}
    assert set(reader().read({"B": encoded(("1", "b"))}, FOLDING, owners).refusals) == {"A", "B"}


# What lines make of their orders


def outcome(key: str, status: Status = Status.SYNCED, **facts: str) -> Outcome:
    return Outcome(key, "v", status, zoho_id="7", action="update", **facts)


def test_an_order_is_synced_only_when_its_lines_are() -> None:
    data = ChildFailure("INVALID_DATA", Family.DATA, "Quantity", "not a number", "11")
    passing = ChildFailure("INTERNAL_ERROR", Family.TRANSIENT, message="HTTP 500")
    refused = outcome("C", Status.REJECTED, code="DUPLICATE_DATA")
    failures = {"A": [data], "B": [passing], "C": [data], "D": [passing, data]}
    a, b, c, d, e = with_failures([outcome("A"), outcome("B"), refused, outcome("D"), outcome("E")], failures)
    assert (a.status, a.family, a.code, a.field) == (Status.REJECTED, Family.DATA, "INVALID_DATA", "Quantity")
    assert a.message == "line '11': not a number"
    assert a.zoho_id == "7"
    assert (b.status, b.family, b.code) == (Status.REJECTED, Family.TRANSIENT, "INTERNAL_ERROR")
    assert c is refused
    assert (d.family, d.code) == (Family.DATA, "MULTIPLE_OR_MULTI_ERRORS")
    assert e == outcome("E")


def test_a_full_storage_blames_no_order() -> None:
    (stopped,) = with_failures([outcome("A")], {"A": [ChildFailure("STORAGE_SPACE_EXCEEDED", Family.QUOTA)]})
    assert stopped.status is Status.UNSYNCED


def test_lines_of_which_nobody_knows_make_their_order_due_again() -> None:
    (due,) = with_failures([outcome("A")], {"A": [unknown("the run ended", LINES)]})
    assert (due.status, due.family, due.code) == (Status.REJECTED, Family.TRANSIENT, "LINES_NOT_WRITTEN")


# Writing and deleting take turns


def test_nobody_writes_while_somebody_deletes() -> None:
    lock = LineMoveLock(threading.Event())
    inside: list[str] = []

    def write() -> None:
        with lock.writing():
            inside.append("writing")

    with lock.deleting():
        other = threading.Thread(target=write)
        other.start()
        time.sleep(0.05)
        assert inside == []
    other.join()
    assert inside == ["writing"]


def test_a_wait_ends_when_the_run_is_to_stop() -> None:
    stop = threading.Event()
    lock = LineMoveLock(stop)
    stop.set()
    with lock.writing(), pytest.raises(Stopped), lock.deleting():
        raise AssertionError("not reached")
    with lock.deleting():
        pass
