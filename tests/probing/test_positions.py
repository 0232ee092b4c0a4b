"""The probe finds every position of every switch that a client can observe, and says so where it cannot."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import pytest
from probed_org import (
    ASKED,
    NOT_OBSERVABLE,
    PAIRS,
    ProbedOrg,
    as_expected,
    combination,
    differences,
    expected,
    positions_of,
    verdicts,
)

from orders_sync.probing.all_questions import OF_LINES, QUESTIONS
from orders_sync.probing.verdicts import Position, Sureness
from zoho_crm_emulator.switches import Switches

ALONE = frozenset({"file_too_large", "max_rows", *OF_LINES})
"""Asked in probes of their own: for what they upload, or the module that they need."""
ROUNDS = 4


def left_behind(org: ProbedOrg) -> int:
    admin = org.emulator.admin
    return sum(
        "orders-sync-probe" in str(each)
        for module in ("Orders", "Quotes", "Products")
        for each in admin.records(module)
    )


def ask_whole(org: ProbedOrg, switches: Mapping[str, Position]) -> None:
    org.turn(switches)
    before = org.emulator.admin.stats()["credits"]["spent"]
    found = org.probe()
    assert differences(found, switches) == {}
    assert left_behind(org) == 0
    if not any(switches.get(each) for each in ("cost_upload", "cost_bulk_poll", "cost_bulk_result")):
        refused = found.measures["queries_at_once"]["refused"]
        assert org.emulator.admin.stats()["credits"]["spent"] - before + refused <= found.spent


def test_every_switch_has_a_question_or_a_reason_for_none() -> None:
    names = {each.name for each in msgspec.structs.fields(Switches)}
    assert sorted([*ASKED, *NOT_OBSERVABLE]) == sorted(names)
    assert len(PAIRS) == len(set(PAIRS)) >= 150


@pytest.mark.parametrize("number", range(ROUNDS))
def test_each_position_is_found_whatever_the_others_are(org: ProbedOrg, number: int) -> None:
    """In round n every switch stands in its position n: four rounds see all positions but some forms of dates."""
    ask_whole(
        org, {each: positions_of(each)[number % len(positions_of(each))] for each in ASKED} | {"max_rows": 25_000}
    )


@pytest.mark.nightly
@pytest.mark.parametrize(("switch", "position"), PAIRS)
def test_each_position_is_found_alone(org: ProbedOrg, switch: str, position: Position) -> None:
    org.turn({switch: position} | ({"credits_header": "always"} if switch.startswith("cost_") else {}))
    sizes = (1, 40, 25_000) if switch == "max_rows" else (1, 40, 600)
    org.module = "Quotes" if switch in OF_LINES else "Orders"
    verdict = verdicts(org.probe(switch, sizes=sizes))[switch]
    meant = (
        {position}
        if switch in OF_LINES
        else expected({switch: position, "credits_header": _header(switch, position)}, sizes)[switch]
    )
    org.module = "Orders"
    assert as_expected(verdict, meant), verdict
    assert left_behind(org) == 0


def _header(switch: str, position: Position) -> Position:
    if switch == "credits_header":
        return position
    return "always" if switch.startswith("cost_") else "past_half"


@pytest.mark.nightly
@pytest.mark.parametrize("seed", range(200))
def test_a_combination_of_positions_is_found_whole(org: ProbedOrg, seed: int) -> None:
    ask_whole(org, combination(seed))


@pytest.mark.parametrize("number", range(2))
def test_line_items_are_asked_in_a_module_that_has_them(org: ProbedOrg, number: int) -> None:
    switches = {each: positions_of(each)[number] for each in OF_LINES}
    org.turn(switches)
    org.module = "Quotes"
    try:
        found = org.probe(*OF_LINES)
    finally:
        org.module = "Orders"
    assert {name: verdict.positions for name, verdict in verdicts(found).items()} == {
        name: (position,) for name, position in switches.items()
    }
    assert left_behind(org) == 0


def test_fewer_rows_of_a_job_are_found_with_what_depends_on_them(org: ProbedOrg) -> None:
    org.turn({"max_rows": 300, "all_rows_skipped": "SKIPPED"})
    found = verdicts(org.probe("child_rows", "child_rows_per", "max_rows", "all_rows_skipped"))
    assert {name: verdict.positions for name, verdict in found.items()} == {
        "child_rows": (200,),
        "child_rows_per": ("file",),
        "max_rows": (300,),
        "all_rows_skipped": ("SKIPPED",),
    }


def test_a_question_that_the_org_cannot_tell_apart_says_so(org: ProbedOrg) -> None:
    org.turn({"time_zone": "UTC"})
    found = verdicts(org.probe("datetime_without_offset", "credits_header", "cost_upload", "line_discount"))
    assert found["datetime_without_offset"].positions == ("org_zone", "utc")
    assert found["credits_header"].positions == ("past_half", "never")
    assert [found[each].sureness for each in ("cost_upload", "line_discount")] == [Sureness.NOT_ASKED] * 2
    assert all(each.why for each in found.values())


def test_a_question_whose_field_is_missing_says_what_makes_it(org: ProbedOrg) -> None:
    org.module = "Order_Lines"
    try:
        found = verdicts(org.probe("bigint_numbers", "child_rows"))
    finally:
        org.module = "Orders"
    assert "orders-sync init --probe MODULE" in found["bigint_numbers"].why
    assert found["child_rows"].why == "the module has no subform; one can be made by hand"


def test_what_calls_cost_is_measured_where_answers_say_what_is_left(org: ProbedOrg) -> None:
    org.turn({"credits_header": "always", "cost_upload": 2})
    costs = org.probe("result_status", "too_many_records").measures["credits"]
    assert costs["POST /crm/bulk/v8/write"] == [500]
    assert costs["POST /crm/v8/upload"] == [2]
    assert costs["POST /crm/v8/<module>/upsert"] == [11]
    org.turn({})
    assert "credits" not in org.probe("counts").measures


def test_the_questions_are_named_as_the_switches_are() -> None:
    assert {each.switch for each in QUESTIONS} <= {each.name for each in msgspec.structs.fields(Switches)}
